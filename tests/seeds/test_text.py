import pytest
from hypothesis import given
from hypothesis import strategies as st

from veilleur.seeds.text import decode, normalise


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_decode_reads_what_desks_send(encoding: str) -> None:
    text = "L’œuvre – sûreté à l'été : 3 €"
    assert decode(text.encode(encoding)) == text


def test_decode_reads_big_endian_utf16() -> None:
    assert decode(b"\xfe\xff" + "été".encode("utf-16-be")) == "été"


@given(st.binary())
def test_decode_never_fails(data: bytes) -> None:
    assert isinstance(decode(data), str)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("se\u0301curite\u0301", "sécurité"),
        ("a\u00a0:\u202fb", "a : b"),
        ("a\u200bb\ufeffc\u00add", "abcd"),
        ("l&rsquo;&eacute;t&eacute; &amp;amp; co", "l’été & co"),
        ("  a \t\n b  ", "a b"),
        ("l'un l’autre « x » “y”", "l'un l’autre « x » “y”"),
        ("a\x00\x07b", "ab"),
        ("a\ud800b", "ab"),
        ("e\u200b\u0301", "é"),
        ("", ""),
    ],
)
def test_normalise(raw: str, clean: str) -> None:
    assert normalise(raw) == clean


@given(st.text() | st.text(alphabet="&amp;ltgeu#x3019; \u0301\u200b\u00a0"))
def test_normalise_is_idempotent(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.text(st.characters(codec="utf-8")))
def test_normalised_text_can_be_hashed_and_is_one_line(text: str) -> None:
    normalise(text).encode()
    assert len(normalise(text).splitlines()) <= 1
