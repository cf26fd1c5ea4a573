import json
import random

import pytest

from veilleur.labels.rows import LabelledParagraph
from veilleur.labels.stats import distinct_share, near_duplicates, repeated_openings, stats


def row(name: str, text: str, *topics: str, **fields: str) -> LabelledParagraph:
    return LabelledParagraph(name, text, topics, **fields)  # type: ignore[arg-type]


def test_counts() -> None:
    rows = [
        row("1", "un deux trois", "drugs", "maritime", bulletin="b1", split="train", origin="article"),
        row("2", "un", "drugs", bulletin="b1", split="train", genre="brève"),
        row("3", "un deux", bulletin="b2", split="test", region="Québec"),
        row("4", "un deux", bulletin="b3", split="train"),
    ]
    found = stats(rows)
    assert (found.rows, found.bulletins, found.mean_words) == (4, 3, 2.0)
    assert (found.share_without_topic, found.share_with_two_or_more) == (0.5, 0.25)
    assert found.positives["drugs"] == 2 and found.positives["migration"] == 0
    assert found.cooccurrence["drugs"]["maritime"] == found.cooccurrence["maritime"]["drugs"] == 1
    assert found.cooccurrence["drugs"]["drugs"] == 2
    assert found.by_split == {"train": 3, "test": 1}
    assert found.by_region == {"": 3, "Québec": 1}
    assert found.by_genre["brève"] == found.by_origin["article"] == 1
    assert json.loads(json.dumps(found.to_dict()))["rows"] == 4


def test_an_empty_corpus_gives_zeros() -> None:
    found = stats([])
    assert (found.rows, found.mean_words, found.share_without_topic, found.near_duplicates) == (0, 0, 0, 0)


def test_near_duplicates_computed_by_hand() -> None:
    # Bigrams: {ab, bc, cd} and {ab, bc, ce}: 2 shared of 4.
    rows = [row("1", "a b c d"), row("2", "A, b c e"), row("3", "x y z")]
    assert near_duplicates(rows, n=2) == [("1", "2", 0.5)]
    assert near_duplicates(rows, n=2, limit=0.5) == []
    assert near_duplicates(rows, n=5) == []


def test_near_duplicates_are_found_in_a_whole_corpus() -> None:
    random.seed(1)
    words = [f"mot{i}" for i in range(5000)]
    rows = [row(str(i), " ".join(random.choices(words, k=60))) for i in range(3500)]
    rows.append(row("copy", rows[7].text))
    assert near_duplicates(rows) == [("7", "copy", 1.0)]


def test_repeated_openings() -> None:
    rows = [row(str(i), f"Le ministre a dit {i}") for i in range(6)] + [row("x", "Photo : VNA")] * 9
    assert repeated_openings(rows) == {"le ministre a dit": 6}
    assert repeated_openings(rows, more_than=6) == {}
    assert repeated_openings(rows, words=2) == {"photo vna": 9, "le ministre": 6}


def test_distinct_share() -> None:
    # abcd twice, bcde once.
    assert distinct_share([row("1", "a b c d e"), row("2", "a b c d")]) == pytest.approx(2 / 3)
    assert distinct_share([row("1", "trop court")]) == 1.0
