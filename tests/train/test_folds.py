import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veilleur.errors import VeilleurError
from veilleur.labels.rows import LabelledParagraph, label_matrix
from veilleur.train.folds import grouped_folds, holdout

TOPICS = ("a", "b")


def rows(groups: list[int], labels: list[int], split: str = "") -> list[LabelledParagraph]:
    return [
        LabelledParagraph(str(n), f"text {n}", TOPICS[:label], bulletin=str(group), split=split)
        for n, (group, label) in enumerate(zip(groups, labels, strict=True))
    ]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2)), min_size=12, max_size=60), st.integers(2, 4))
def test_folds_cover_every_row_once_and_never_tear_a_bulletin(pairs: list[tuple[int, int]], folds: int) -> None:
    data = rows([group for group, _ in pairs] + [9, 10, 11, 12], [label for _, label in pairs] + [0, 1, 2, 0])
    held_out: list[int] = []
    for train, held in grouped_folds(data, TOPICS, folds, seed=0):
        assert not {data[i].bulletin for i in train} & {data[i].bulletin for i in held}
        held_out += held.tolist()
    assert sorted(held_out) == list(range(len(data)))


def test_each_fold_has_its_share_of_every_topic() -> None:
    data = rows(list(range(40)), [0, 0, 1, 2] * 10)
    for _, held in grouped_folds(data, TOPICS, 5, seed=0):
        assert label_matrix([data[i] for i in held], TOPICS).sum(axis=0).tolist() == [4, 2]


def test_as_many_folds_as_bulletins_leave_one_out() -> None:
    data = rows([0, 0, 1, 2], [0, 1, 2, 0])
    held = [{data[i].bulletin for i in part} for _, part in grouped_folds(data, TOPICS, 3, seed=0)]
    assert held == [{"0"}, {"1"}, {"2"}]


def test_too_few_bulletins_are_told() -> None:
    with pytest.raises(VeilleurError, match="2 bulletins cannot be split into 3 folds"):
        list(grouped_folds(rows([0, 1], [0, 1]), TOPICS, 3, seed=0))


def test_holdout_keeps_the_split_that_rows_name_and_else_draws_bulletins() -> None:
    named = rows([0, 1], [0, 1]) + rows([2], [2], split="validation")
    assert [row.bulletin for row in holdout(named, TOPICS, 0.1, seed=0)[1]] == ["2"]
    train, held = holdout(rows([n // 2 for n in range(80)], [0, 1] * 40), TOPICS, 0.1, seed=0)
    assert 4 <= len(held) <= 12
    assert not {row.bulletin for row in train} & {row.bulletin for row in held}


def test_label_matrix_has_a_column_a_topic() -> None:
    np.testing.assert_array_equal(label_matrix(rows([0, 1, 2], [0, 1, 2]), TOPICS), [[0, 0], [1, 0], [1, 1]])
