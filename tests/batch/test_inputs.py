import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veilleur import VeilleurError
from veilleur.batch.files import Source, find_sources
from veilleur.batch.inputs import Item, Reading, Reject, read_source


def read(*names: Path | str, reading: Reading | None = None) -> tuple[list[Item], list[Reject]]:
    reading = reading or Reading()
    entries = [entry for source in find_sources(map(str, names)) for entry in read_source(source, reading)]
    return (
        [entry for entry in entries if isinstance(entry, Item)],
        [entry for entry in entries if isinstance(entry, Reject)],
    )


def test_folders_give_their_files_by_name(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes("Une opération à Hanoï".encode("cp1252"))
    (tmp_path / "a.jsonl").write_text('{"text": "un", "id": 7}\n\n{"text": "deux"}\n', encoding="utf-8")
    (tmp_path / "picture.png").write_bytes(b"x")
    items, rejects = read(tmp_path)
    assert [item.text for item in items] == ["un", "deux", "Une opération à Hanoï"]
    assert items[0].columns == {"id": 7}
    assert items[1].source.endswith("a.jsonl, line 3")
    assert not rejects


def test_rows_that_cannot_be_read_are_rejected_with_line_reason_and_content(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [
        b'{"text": "un"}',
        b"{broken",
        b'{"title": "x"}',
        b"[1]",
        b'{"text": 3}',
        '{"text": "café"}'.encode("cp1252"),
        json.dumps({"text": "long " * 100}).encode(),
        b'{"text": "deux"}',
    ]
    path.write_bytes(b"\n".join(lines))
    items, rejects = read(path, reading=Reading(max_chars=400))
    assert [item.text for item in items] == ["un", "deux"]
    assert [reject.line for reject in rejects] == [2, 3, 4, 5, 6, 7]
    assert [reject.raw for reject in rejects] == lines[1:-1]
    for reject, reason in zip(
        rejects,
        ["not JSON", "has no 'text'", "not a JSON object", "is no text", "not utf-8 (byte 0xe9)", "500 characters"],
        strict=True,
    ):
        assert reason in reject.reason
    assert rejects[4].to_dict()["raw"] == r'{"text": "caf\xe9"}'
    assert rejects[4].to_dict()["raw_base64"]


def test_the_encoding_of_rows_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text;lieu\nUn incendie maîtrisé;Orléans\n".encode("cp1252"))
    items, _ = read(tmp_path / "a.csv", reading=Reading(encoding="cp1252"))
    assert (items[0].text, items[0].columns) == ("Un incendie maîtrisé", {"lieu": "Orléans"})
    for name in ("klingon", "utf-16"):
        with pytest.raises(VeilleurError, match="name one such as utf-8"):
            Reading(encoding=name)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_whatever_its_delimiter_with_quoted_line_breaks(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "a.csv"
    rows = ["id", "corps", "lieu"], ["1", '"Un titre\n\nDeux ""mots"""', "Brest"], ["2", "Seul", ""]
    path.write_text("\ufeff" + "\n".join(delimiter.join(row) for row in rows), encoding="utf-8")
    items, rejects = read(path, reading=Reading(text="corps"))
    assert [item.text for item in items] == ['Un titre\n\nDeux "mots"', "Seul"]
    assert [item.source.rpartition(", ")[2] for item in items] == ["line 2", "line 5"]
    assert items[0].columns == {"id": "1", "lieu": "Brest"}
    assert not rejects


def test_a_header_may_have_a_line_break(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"text","no\nte"\nLa drogue,x\n', encoding="utf-8")
    (item,), rejects = read(tmp_path / "a.csv")
    assert (item.text, item.columns["no\nte"], rejects) == ("La drogue", "x", [])


def test_broken_rows_of_csv_are_rejected_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,text\n1,un\n2\n3,"a" b\n4,caf\xe9\n5,cinq\n')
    items, rejects = read(path)
    assert [item.text for item in items] == ["un", "cinq"]
    assert [(reject.line, reject.raw) for reject in rejects] == [(3, b"2"), (4, b'3,"a" b'), (5, b"4,caf\xe9")]


def test_a_table_without_the_text_column_is_one_reject(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,corps\n1,un\n2,deux\n")
    items, rejects = read(tmp_path)
    assert not items
    assert "has no column 'text', only id, corps" in rejects[0].reason


def test_named_columns_give_id_title_and_date(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"corps": "x", "ref": 5, "titre": "Saisie", "jour": "2025-11-22"}')
    (item,), _ = read(tmp_path, reading=Reading(text="corps", id="ref", title="titre", date="jour"))
    assert (item.name, item.title, item.date) == ("5", "Saisie", "2025-11-22")


def test_parquet_is_read_by_row(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"text": [f"texte {i}" for i in range(1000)] + [None], "n": range(1001)})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=300)
    source = Source(str(tmp_path / "a.parquet"))
    entries = list(read_source(source, Reading()))
    assert len(entries) == 1001
    assert isinstance(entries[-1], Reject)
    assert entries[-1].line == 1001
    for skip in (1, 300, 650, 1001):
        assert list(read_source(source, Reading(), skip)) == entries[skip:]


@pytest.mark.parametrize("data", [b"\x00\x01\x02", b"PK\x03\x04\x00", b"abc \x81\x8d"])
def test_a_text_file_that_is_no_text_is_rejected(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    items, rejects = read(tmp_path)
    assert not items
    assert rejects[0].raw == data


def test_a_damaged_archive_gives_what_can_be_read_and_a_reject(tmp_path: Path) -> None:
    text = "\n".join(json.dumps({"text": f"texte {i * 7919}"}) for i in range(5000)).encode()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text)[:-2000])
    source = Source(str(tmp_path / "a.jsonl.gz"))
    entries = list(read_source(source, Reading()))
    assert isinstance(entries[0], Item)
    assert isinstance(entries[-1], Reject)
    assert "cannot be read on" in entries[-1].reason
    for skip in (1, len(entries) - 1, len(entries)):
        assert list(read_source(source, Reading(), skip)) == entries[skip:]


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b'{"text": "un"}\n{"text": "deux"}\n', ["un", "deux"]),
        (gzip.compress(b'{"text": "un"}\n'), ["un"]),
        ("Été\nune ligne".encode(), ["Été\nune ligne"]),
        (b"", []),
    ],
)
def test_standard_input_is_json_lines_or_one_text(
    monkeypatch: pytest.MonkeyPatch, data: bytes, texts: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert [item.text for item in read("-")[0]] == texts


@given(data=st.binary(max_size=200), suffix=st.sampled_from(["txt", "jsonl", "csv", "tsv", "parquet", "jsonl.gz"]))
def test_any_bytes_are_read_or_rejected(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"wild.{suffix}"
    path.write_bytes(data)
    entries = list(read_source(Source(str(path)), Reading()))
    for skip in range(len(entries) + 1):
        assert list(read_source(Source(str(path)), Reading(), skip)) == entries[skip:]
