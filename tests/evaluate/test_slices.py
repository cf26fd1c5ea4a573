from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from veilleur.evaluate.run import Answers
from veilleur.evaluate.slices import columns, slices
from veilleur.labels.rows import LabelledParagraph, label_matrix

TOPICS = ("drugs", "maritime")


def rows(count: int = 60) -> list[LabelledParagraph]:
    return [
        LabelledParagraph(
            str(n),
            "mot " * (1 + n % 50),
            TOPICS[: n % 3],
            bulletin=f"b{n // 2}",
            source="agence" if n % 2 else "",
            origin="article",
            extra={"register": "courant" if n < 30 else "soutenu", "url": f"https://example.org/{n}"},
        )
        for n in range(count)
    ]


def test_slices_are_scored_as_their_rows_and_the_worst_come_first() -> None:
    paragraphs = rows()
    labels = label_matrix(paragraphs, TOPICS)
    predicted = labels.copy()
    predicted[30:] = 1 - predicted[30:]
    model = Answers("m", TOPICS, (0.5, 0.5), predicted.astype(np.float64), predicted)
    found = slices(paragraphs, labels, [model], resamples=30, seed=0)
    by_value = {(one.column, one.value): one for one in found}
    worst = [one.worst for one in found]
    assert worst == sorted(worst)
    for value, chosen in (("courant", slice(30)), ("soutenu", slice(30, 60))):
        one = by_value["register", value]
        wanted = f1_score(labels[chosen], predicted[chosen], average="micro")
        assert one.scores[0].f1 == pytest.approx(wanted)
        assert (one.n, one.bulletins, one.support) == (30, 15, labels[chosen].sum())
    silent = by_value["number of topics", "0"]
    assert silent.support == 0
    assert silent.scores[0].recall is None


def test_columns_that_divide_nothing_are_left_out() -> None:
    found = columns(rows())
    assert set(found) == {"length", "number of topics", "source", "register"}
    assert set(found["source"]) == {"agence", "(none)"}


def test_a_slice_without_labels_or_answers_is_undefined() -> None:
    paragraphs = [LabelledParagraph(str(n), "mot", (), bulletin=str(n), source="ab"[n % 2]) for n in range(4)]
    nothing = np.zeros((4, 2), dtype=np.int64)
    (one, _) = slices(
        paragraphs, nothing, [Answers("m", TOPICS, (0.5, 0.5), np.zeros((4, 2)), nothing)], resamples=9, seed=0
    )
    assert one.scores[0].f1 is None
    assert one.scores[0].interval is None


def test_a_column_that_bears_the_name_of_a_slice_of_ours_stands_beside_it() -> None:
    paragraphs = [replace(row, extra={"length": str(number % 2)}) for number, row in enumerate(rows())]
    found = columns(paragraphs)
    assert set(found["length (column)"]) == {"0", "1"}
    assert "1 to 20 words" in found["length"]
