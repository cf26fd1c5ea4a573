from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from veilleur import VeilleurError
from veilleur.model.bundle import bundle_folder
from veilleur.model.calibration import sigmoid
from veilleur.model.tfidf import BATCH, TfidfModel, plain
from veilleur.seeds import articles
from veilleur.train.tfidf import PIPELINE, load_pipeline

SHIPPED = bundle_folder("tfidf")
MODEL = TfidfModel.load(SHIPPED / "model.npz")
ARTICLES = [segment.text for bulletin in articles() for segment in bulletin.readable]
PIECES = st.sampled_from(" ".join(ARTICLES).split() + list(" \n\t\x1c\x85\u00a0\u0301¨´…½ﬁİΣς’'-œÆ\u0345٣中🚒"))
TEXTS = st.one_of(st.text(), st.lists(PIECES).map(" ".join), st.lists(PIECES).map("".join))

Scorer = Callable[[Sequence[str]], np.ndarray]


@pytest.fixture(scope="module")
def expected_scores() -> Scorer:
    pipeline = load_pipeline(SHIPPED / PIPELINE)
    return lambda texts: pipeline.predict_proba([plain(text) for text in texts])


@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
@example(texts=["", " ", "a", "ab", "\ud800 drogue", "DROGUE drogue Drogue\ndrogue", "L’ÉQUIPAGE d’Œuvre"])
@example(texts=["trafic de stupéfiants " * 20_000, "à bord"])
def test_scores_equal_those_of_the_pipeline_for_any_text(expected_scores: Scorer, texts: list[str]) -> None:
    np.testing.assert_allclose(sigmoid(MODEL.logits(texts)), expected_scores(texts), rtol=0, atol=1e-6)


def test_a_text_scores_the_same_to_the_last_bit_beside_any_others() -> None:
    many = ARTICLES * (BATCH // sum(map(len, ARTICLES)) + 2)
    alone = [MODEL.logits([text])[0] for text in ARTICLES]
    np.testing.assert_array_equal(MODEL.logits(many)[: len(alone)], alone)
    np.testing.assert_array_equal(MODEL.logits(many)[-len(alone) :], alone)
    assert MODEL.logits([]).shape == (0, 6)


def test_an_alphabet_too_large_for_exact_numbers_is_read_too() -> None:
    grams = [chr(first) + chr(first + 1) + chr(first + 2) for first in range(0x4E00, 0x4E00 + 3000)]
    model = TfidfModel(["mot"], grams, np.ones(3001), np.eye(3001, 1, -7, dtype=np.float32), np.zeros(1))
    assert model.logits([grams[6]]).item() == 1
    assert model.logits([grams[5], grams[7], "mot", "xyz"]).tolist() == [[0]] * 4


def test_the_file_is_read_back_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        MODEL.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    np.testing.assert_array_equal(TfidfModel.load(tmp_path / "a.npz").logits(ARTICLES), MODEL.logits(ARTICLES))


def terms(*words: str) -> np.ndarray:
    return np.frombuffer("\n".join(words).encode(), dtype=np.uint8)


WHOLE = {
    "words": terms("a", "b"),
    "characters": terms("abc"),
    "idf": np.ones(3),
    "weights": np.ones((3, 2), np.float32),
    "intercepts": np.ones(2),
}


@pytest.mark.parametrize(
    "changes",
    [
        {"idf": np.ones(4)},
        {"weights": np.ones((2, 3), np.float32)},
        {"weights": np.ones((3, 2))},
        {"weights": np.full((3, 2), np.nan, np.float32)},
        {"intercepts": np.ones((1, 2))},
        {"intercepts": np.array(1.0)},
        {"words": terms("a b c", "b")},
        {"words": np.frombuffer(b"\xff\n\xff", dtype=np.uint8)},
        {"characters": terms("abc").astype(np.int64)},
        {"characters": np.array(["abc"], dtype=object)},
        {"more": np.ones(1)},
    ],
)
def test_arrays_that_make_no_model_are_refused(tmp_path: Path, changes: dict[str, np.ndarray]) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, **WHOLE)  # type: ignore[arg-type]
    assert TfidfModel.load(path).topics == 2
    np.savez(path, **{**WHOLE, **changes})  # type: ignore[arg-type]
    with pytest.raises(VeilleurError, match=r"cannot be loaded .* get the bundle again"):
        TfidfModel.load(path)


@pytest.mark.parametrize("keep", [0, 10, 1000, 1_500_000])
def test_a_file_cut_short_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes((SHIPPED / "model.npz").read_bytes()[:keep])
    with pytest.raises(VeilleurError, match="get the bundle again"):
        TfidfModel.load(path)


def test_an_array_that_claims_more_than_memory_holds_is_refused(tmp_path: Path) -> None:
    from zipfile import ZipFile

    header = str({"descr": "<f8", "fortran_order": False, "shape": (10**15,)}).ljust(117) + "\n"
    with ZipFile(tmp_path / "model.npz", "w") as archive:
        archive.writestr("idf.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    with pytest.raises(VeilleurError, match="get the bundle again"):
        TfidfModel.load(tmp_path / "model.npz")
