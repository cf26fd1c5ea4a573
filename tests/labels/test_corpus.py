"""The shipped corpus is as large, as mixed and as varied as the data set card says."""

import pytest

from veilleur.labels.borders import BORDERS, border_counts, meetings
from veilleur.labels.check import check
from veilleur.labels.rows import LabelledParagraph, shipped_rows
from veilleur.labels.stats import distinct_share, near_duplicates, repeated_openings, stats
from veilleur.seeds import composed


@pytest.fixture(scope="module")
def rows() -> list[LabelledParagraph]:
    return shipped_rows()


def test_the_labels_are_in_order() -> None:
    assert check() == []


def test_there_are_enough_of_every_kind(rows: list[LabelledParagraph]) -> None:
    found = stats(rows)
    assert found.rows >= 2400
    assert 40 <= found.mean_words <= 70
    assert min(found.positives.values()) >= 280
    assert found.share_without_topic >= 0.45
    assert found.share_with_two_or_more * found.rows >= 350
    assert len(composed()) >= 600


def test_every_border_is_met_from_both_sides(rows: list[LabelledParagraph]) -> None:
    assert {meeting.border for meeting in meetings()} == set(BORDERS)
    assert {meeting.id for meeting in meetings()} <= {row.id for row in rows}
    for border, (here, there) in border_counts(rows).items():
        assert min(here, there) >= 8, border


def test_the_texts_are_varied(rows: list[LabelledParagraph]) -> None:
    assert near_duplicates(rows, n=5, limit=0.2) == []
    assert repeated_openings(rows, words=4, more_than=5) == {}
    assert distinct_share(rows, n=4) >= 0.9


def test_splits_are_by_bulletin_and_the_test_part_is_large_enough(rows: list[LabelledParagraph]) -> None:
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row.bulletin, set()).add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    shares = {split: count / len(rows) for split, count in stats(rows).by_split.items()}
    assert shares["test"] >= 0.145
    assert shares["validation"] >= 0.03
