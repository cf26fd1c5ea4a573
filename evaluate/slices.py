"""How models do on parts of the labels: by source, genre, register, length, number of topics, and any other column."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from veilleur.evaluate.bootstrap import Interval, Labels, interval, rates, resampled_sums
from veilleur.evaluate.run import Answers
from veilleur.labels.rows import LabelledParagraph

LENGTHS = (20, 40, 80, 160)  # in words; upper bounds of the bands
MOST_VALUES = 30  # of a column; rarer ones are taken together
NONE, OTHER = "(none)", "(other)"
OWN_COLUMNS = ("source", "genre", "region", "kind", "origin", "split")


@dataclass(frozen=True)
class SliceScores:
    """Micro-averaged scores of one model on a slice; what is undefined is None."""

    precision: float | None
    recall: float | None
    f1: float | None
    interval: Interval | None
    exact_match: float


@dataclass(frozen=True)
class Slice:
    """The paragraphs that have one value in one column, and each model's scores on them, in the models' order."""

    column: str
    value: str
    n: int
    bulletins: int
    support: int
    scores: tuple[SliceScores, ...]

    @property
    def worst(self) -> float:
        """The lowest F1 of any model; 2, which is beyond all, where none is defined."""
        return min((one.f1 for one in self.scores if one.f1 is not None), default=2.0)

    def to_dict(self, models: Sequence[str]) -> dict[str, Any]:
        """Return all of it as JSON types."""
        content = {name: value for name, value in vars(self).items() if name != "scores"}
        return content | {"scores": {name: dict(vars(one)) for name, one in zip(models, self.scores, strict=True)}}


def slices(
    rows: Sequence[LabelledParagraph], labels: Labels, models: Sequence[Answers], *, resamples: int, seed: int
) -> list[Slice]:
    """Score models on each slice of the labels, the worst slices first.

    A column is left out where all rows share one value, or where most values are of one row only, as an address is.

    Parameters
    ----------
    rows : sequence of LabelledParagraph
    labels : array of shape (rows, topics), 0 or 1
    models : sequence of Answers
    resamples, seed : int
        Of the intervals, which draw the slice's own bulletins.
    """
    groups = np.array([row.bulletin for row in rows])
    found = []
    for column, values in columns(rows).items():
        for value in sorted(set(values)):
            chosen = np.flatnonzero(np.array(values) == value)
            found.append(_slice(column, value, chosen, groups[chosen], labels, models, resamples, seed))
    return sorted(found, key=lambda one: (one.worst, -one.n, one.column, one.value))


def columns(rows: Sequence[LabelledParagraph]) -> dict[str, list[str]]:
    """Return the value of each row in each column that slices the rows."""
    names = [*OWN_COLUMNS, *sorted({name for row in rows for name in row.extra})]
    readers: dict[str, Callable[[LabelledParagraph], str]] = {
        "length": length_band,
        "number of topics": lambda row: str(len(row.topics)) if len(row.topics) < 3 else "3 or more",
    }
    found = {name: [read(row) for row in rows] for name, read in readers.items()}
    for name in names:
        values = [(getattr(row, name) if name in OWN_COLUMNS else row.extra.get(name, "")) or NONE for row in rows]
        counts = Counter(values)
        if len(counts) > max(MOST_VALUES, len(rows) / 2):
            continue
        kept = {value for value, _ in counts.most_common(MOST_VALUES)}
        found[f"{name} (column)" if name in readers else name] = [value if value in kept else OTHER for value in values]
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def length_band(row: LabelledParagraph) -> str:
    """Return the band of a paragraph's number of words.

    Examples
    --------
    >>> length_band(LabelledParagraph("1", "Un bref texte.", ()))
    '1 to 20 words'
    """
    words = len(row.text.split())
    low = 1
    for high in LENGTHS:
        if words <= high:
            return f"{low} to {high} words"
        low = high + 1
    return f"over {LENGTHS[-1]} words"


def _slice(
    column: str,
    value: str,
    chosen: np.ndarray[Any, Any],
    groups: np.ndarray[Any, Any],
    labels: Labels,
    models: Sequence[Answers],
    resamples: int,
    seed: int,
) -> Slice:
    truth = labels[chosen]
    given = [model.predicted[chosen] for model in models]
    counts = np.column_stack(
        [truth.sum(axis=1), *(part for one in given for part in ((truth & one).sum(axis=1), one.sum(axis=1)))]
    )
    names = groups.tolist()
    samples = resampled_sums(counts, names, resamples, seed)
    scores = []
    for place, predicted in enumerate(given):
        picked = counts[:, [1 + 2 * place, 0, 2 + 2 * place]].sum(axis=0, dtype=float)
        precision, recall, f1 = (None if np.isnan(one) else float(one) for one in rates(*picked))
        drawn = rates(samples[:, 1 + 2 * place], samples[:, 0], samples[:, 2 + 2 * place])[2]
        between = None if np.isnan(drawn).all() else interval(drawn)
        scores.append(SliceScores(precision, recall, f1, between, float(np.all(truth == predicted, axis=1).mean())))
    return Slice(column, value, len(chosen), len(set(names)), int(truth.sum()), tuple(scores))
