"""Whether two models can be told apart on the same labels.

Two tests must agree before they are: a paired bootstrap over bulletins, which also gives the interval (T.
Berg-Kirkpatrick et al., "An empirical investigation of statistical significance in NLP", 2012), and approximate
randomisation, which swaps the two models' answers of whole bulletins (E. Noreen, "Computer-intensive methods for
testing hypotheses", 1989). Both are corrected for the number of comparisons (S. Holm, "A simple sequentially rejective
multiple test procedure", 1979).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from veilleur.evaluate.bootstrap import BLOCK, Floats, Interval, Labels, group_sums, interval, macro, rates
from veilleur.evaluate.run import Evaluation

ALPHA = 0.05
HEADLINE = "macro_f1"  # what decides between two models
TOLERANCE = 1e-12  # sums in another order are not another figure


@dataclass(frozen=True)
class Difference:
    """How far one figure of the first model is above that of the second.

    Attributes
    ----------
    figure : str
        ``macro_f1``, or a topic's, as ``drugs.f1``.
    first, second : float or None
        The two models' figures.
    difference : float or None
        First minus second; None where either is undefined.
    interval : (low, high), optional
        95 % paired bootstrap interval; None where there is none.
    p_bootstrap, p_randomisation : float or None
        Two-sided, corrected by `holm` over all comparisons of its kind.
    """

    figure: str
    first: float | None
    second: float | None
    difference: float | None
    interval: Interval | None
    p_bootstrap: float | None
    p_randomisation: float | None

    @property
    def told_apart(self) -> bool:
        """Whether both tests reject that the models are alike."""
        tests = (self.p_bootstrap, self.p_randomisation)
        return all(p is not None and p <= ALPHA for p in tests)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {**vars(self), "interval": self.interval and list(self.interval), "told_apart": self.told_apart}


@dataclass(frozen=True)
class Comparison:
    """Two models on the same labels; the first is the one with the higher macro-F1.

    Attributes
    ----------
    first, second : str
    overall : Difference
        Of the macro-F1.
    topics : dict of str to Difference
        Of each topic's F1, corrected among themselves.
    found : float or None
        How many more of 100 true labels the first finds.
    wrong : float or None
        How many more of 100 labels that it gives are wrong.
    """

    first: str
    second: str
    overall: Difference
    topics: Mapping[str, Difference]
    found: float | None
    wrong: float | None

    @property
    def sentence(self) -> str:
        """What was found, for those who do not read tables."""
        one = self.overall
        if one.difference is None:
            return (
                f"{self.first} and {self.second} cannot be compared: a macro-F1 is undefined, "
                "since no text has a topic or is given one."
            )
        effect = f"difference in macro-F1 {one.difference:.2f}"
        if one.interval is None:
            return f"{self.first} and {self.second} were not tested, which takes resamples and two bulletins: {effect}."
        effect += f", 95 % interval {signed(one.interval[0])} to {signed(one.interval[1])}"
        if not one.told_apart:
            return f"{self.first} and {self.second} cannot be told apart on these labels: {effect}."
        return f"{self.first} {_gain(self.found, self.wrong, self.second)}; {effect}."

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            "first": self.first,
            "second": self.second,
            "sentence": self.sentence,
            "overall": self.overall.to_dict(),
            "topics": {topic: one.to_dict() for topic, one in self.topics.items()},
            "found_of_100": self.found,
            "wrong_of_100": self.wrong,
        }


def compare(
    evaluations: Sequence[Evaluation], labels: Labels, groups: Sequence[str], *, resamples: int, seed: int
) -> list[Comparison]:
    """Compare each pair of models that were evaluated on the same texts.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        With bootstrap samples drawn by the same seed.
    labels : array of shape (texts, topics), 0 or 1
    groups : sequence of str
        The bulletin of each text.
    resamples : int
        Swaps of the randomisation test.
    seed : int
    """
    pairs = []
    for one, other in combinations(evaluations, 2):
        first, second = sorted((one, other), key=lambda model: -(model.scores.macro_f1 or 0.0))
        tests = randomisation_test(
            labels, first.answers.predicted, second.answers.predicted, groups, resamples=resamples, seed=seed
        )
        names = [HEADLINE, *(f"{topic}.f1" for topic in first.scores.topics)]
        differences = [_difference(name, first, second, p) for name, p in zip(names, tests, strict=True)]
        pairs.append((first, second, differences))
    overall = _corrected([differences[0] for *_, differences in pairs])
    topics = iter(_corrected([one for *_, differences in pairs for one in differences[1:]]))
    return [
        Comparison(
            first.answers.name,
            second.answers.name,
            headline,
            {topic: next(topics) for topic in first.scores.topics},
            _of_100(first.scores.micro_recall, second.scores.micro_recall),
            _of_100(second.scores.micro_precision, first.scores.micro_precision),
        )
        for (first, second, _), headline in zip(pairs, overall, strict=True)
    ]


def randomisation_test(
    labels: Labels, first: Labels, second: Labels, groups: Sequence[str], *, resamples: int, seed: int
) -> list[float | None]:
    """Return how often chance would make two models differ so much, in macro-F1 and in each topic's F1.

    Under the null hypothesis it does not matter which model gave which answer to a bulletin. Each resample swaps the
    answers of every bulletin with probability one half; p is the share of resamples, the observed one counted in, in
    which the models differ at least as much as they do. So a true null hypothesis is rejected no more often than the
    level says.

    Parameters
    ----------
    labels, first, second : array of shape (texts, topics), 0 or 1
        The truth and the two models' predictions.
    groups : sequence of str
        The bulletin of each text.
    resamples, seed : int

    Returns
    -------
    list of float or None
        Two-sided p of the macro-F1, then of each topic; None where the difference is undefined, without resamples, or
        for a single bulletin.
    """
    names, owner = np.unique(np.asarray(groups), return_inverse=True)
    if not resamples or len(names) < 2:
        return [None] * (1 + labels.shape[1])
    true = labels.sum(axis=0).astype(np.float64)
    sums = [
        group_sums(np.column_stack([labels & given, given]).astype(np.float64), owner, len(names))
        for given in (first, second)
    ]
    total, change = sums[0].sum(axis=0), sums[1] - sums[0]
    both = total + sums[1].sum(axis=0)
    observed = np.abs(_f1(total, true) - _f1(both - total, true))
    extreme = np.ones_like(observed)
    for swaps in _swaps(len(names), resamples, seed):
        swapped = total + swaps @ change
        drawn = np.abs(_f1(swapped, true) - _f1(both - swapped, true))
        extreme += (~(drawn < observed - TOLERANCE)).sum(axis=0)  # an undefined difference counts as a large one
    return [
        None if np.isnan(value) else count / (resamples + 1) for value, count in zip(observed, extreme, strict=True)
    ]


def bootstrap_p(differences: Floats) -> float:
    """Return a two-sided p from the bootstrap samples of a difference: twice the smaller share beyond 0."""
    defined = differences[~np.isnan(differences)]
    beyond = min(int((defined <= TOLERANCE).sum()), int((defined >= -TOLERANCE).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(defined) + 1))


def enough_resamples(tests: int) -> int:
    """Return how many resamples it takes before the smallest p there can be, corrected for so many tests, rejects.

    Examples
    --------
    >>> enough_resamples(1), enough_resamples(6)
    (39, 239)
    """
    return math.ceil(2 * tests / ALPHA) - 1  # the smallest p is 2 / (resamples + 1)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Correct p-values for their number; undefined ones stay so and do not count.

    Examples
    --------
    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """
    ranked = sorted((value, place) for place, value in enumerate(values) if value is not None)
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (value, place) in enumerate(ranked):
        largest = max(largest, min(1.0, value * (len(ranked) - rank)))
        corrected[place] = largest
    return corrected


def signed(value: float) -> str:
    """Write a figure with two decimals and a true minus; what rounds to 0 has no sign."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def _difference(name: str, first: Evaluation, second: Evaluation, p: float | None) -> Difference:
    one, other = first.scores.figure(name), second.scores.figure(name)
    if one is None or other is None:
        return Difference(name, one, other, None, None, None, None)
    if name not in first.samples or np.isnan(drawn := first.samples[name] - second.samples[name]).all():
        return Difference(name, one, other, one - other, None, None, p)
    return Difference(name, one, other, one - other, interval(drawn), bootstrap_p(drawn), p)


def _corrected(differences: Sequence[Difference]) -> list[Difference]:
    bootstrap = holm([one.p_bootstrap for one in differences])
    randomisation = holm([one.p_randomisation for one in differences])
    return [
        replace(one, p_bootstrap=p, p_randomisation=other)
        for one, p, other in zip(differences, bootstrap, randomisation, strict=True)
    ]


def _swaps(groups: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield which bulletins are swapped, in blocks of shape (some resamples, groups)."""
    generator = np.random.default_rng(seed)
    size = max(1, BLOCK // groups)
    for start in range(0, resamples, size):
        yield generator.integers(0, 2, (min(size, resamples - start), groups)).astype(np.float64)


def _f1(counts: Floats, true: Floats) -> Floats:
    """Return macro-F1 and each topic's F1, of counts (…, hits and then given labels of each topic)."""
    hits, given = np.split(counts, 2, axis=-1)
    f1 = rates(hits, np.broadcast_to(true, hits.shape), given)[2]
    return np.concatenate([macro(f1)[..., None], f1], axis=-1)


def _of_100(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else 100 * (one - other)


def _gain(found: float | None, wrong: float | None, other: str) -> str:
    parts = []
    if found is not None:
        amount = f"{abs(found):.0f}"
        parts.append(
            f"finds as many of the true labels as {other}"
            if amount == "0"
            else f"finds {amount} {'more' if found > 0 else 'fewer'} of 100 true labels than {other}"
        )
    if wrong is not None and (amount := f"{abs(wrong):.0f}") != "0":
        parts.append(f"{amount} {'more' if wrong > 0 else 'fewer'} of 100 that it gives are wrong")
    return ", and ".join(parts) or f"is better than {other}"
