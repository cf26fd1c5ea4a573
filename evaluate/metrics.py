"""How good taggings are, with the interval that each figure deserves."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sk

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]
Interval = tuple[float, float]

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class TopicScores:
    """Scores of one topic; what is undefined (no positives, or none given) is None."""

    precision: float | None
    recall: float | None
    f1: float | None
    average_precision: float | None
    support: int


@dataclass(frozen=True)
class Scores:
    """Scores of a model on labelled texts.

    Attributes
    ----------
    n : int
        Texts scored.
    macro_f1 : float or None
        Mean of the topics' F1, over the topics where it is defined.
    micro_f1, exact_match, hamming_loss, mean_average_precision : float or None
    topics : dict of str to TopicScores
    intervals : dict of str to (low, high)
        95 % bootstrap intervals of the overall figures and, as ``drugs.f1``, of each topic's F1.
    """

    n: int
    macro_f1: float | None
    micro_f1: float | None
    exact_match: float | None
    hamming_loss: float | None
    mean_average_precision: float | None
    topics: dict[str, TopicScores]
    intervals: dict[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as JSON types; undefined ones are None."""
        content = {name: value for name, value in vars(self).items() if name not in ("topics", "intervals")}
        content["topics"] = {topic: dict(vars(scores)) for topic, scores in self.topics.items()}
        content["intervals"] = {name: list(interval) for name, interval in self.intervals.items()}
        return content


def score(
    labels: Labels,
    predicted: Labels,
    probabilities: Floats,
    topics: Sequence[str],
    groups: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Scores:
    """Score predictions against labels.

    Parameters
    ----------
    labels, predicted : array of shape (texts, topics), 0 or 1
    probabilities : array of shape (texts, topics)
        For average precision, which needs no threshold.
    topics : sequence of str
    groups : sequence of str
        The bulletin of each text: the bootstrap draws bulletins, since texts of one are alike.
    resamples : int
        Bootstrap samples; 0 for no intervals.
    seed : int

    Examples
    --------
    >>> truth = np.array([[1, 0], [0, 1], [1, 1]])
    >>> scores = score(truth, truth, truth.astype(float), ["a", "b"], ["x", "y", "z"], resamples=0)
    >>> scores.macro_f1, scores.exact_match
    (1.0, 1.0)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of undefined figures, which are given as None here
        # By column, since scikit-learn reads a single one as two classes.
        precision, recall, f1 = np.transpose(
            [
                sk.precision_recall_fscore_support(truth, given, average="binary", zero_division=np.nan)[:3]
                for truth, given in zip(labels.T, predicted.T, strict=True)
            ]
        )
        averages = [
            sk.average_precision_score(labels[:, column], probabilities[:, column])
            if labels[:, column].any()
            else np.nan
            for column in range(len(topics))
        ]
        micro = sk.f1_score(labels.ravel(), predicted.ravel(), zero_division=np.nan)
    return Scores(
        n=len(labels),
        macro_f1=_mean(f1),
        micro_f1=_defined(micro),
        exact_match=_defined(np.all(labels == predicted, axis=1).mean()),
        hamming_loss=_defined(np.mean(labels != predicted)),
        mean_average_precision=_mean(averages),
        topics={
            topic: TopicScores(
                _defined(precision[column]),
                _defined(recall[column]),
                _defined(f1[column]),
                _defined(averages[column]),
                int(labels[:, column].sum()),
            )
            for column, topic in enumerate(topics)
        },
        intervals=_intervals(labels, predicted, probabilities, topics, groups, resamples, seed),
    )


def _intervals(
    labels: Labels,
    predicted: Labels,
    probabilities: Floats,
    topics: Sequence[str],
    groups: Sequence[str],
    resamples: int,
    seed: int,
) -> dict[str, Interval]:
    """Percentile intervals of a bootstrap that draws whole groups (B. Efron and R. Tibshirani, 1993).

    A sample is a weight for each text: how often its group was drawn. Every figure is then a weighted count, so all
    samples are scored at once.
    """
    if not resamples:
        return {}
    weights = group_weights(groups, resamples, seed)
    f1 = _weighted_f1(labels, predicted, weights)
    right = (labels == predicted).astype(np.float64)
    total = weights.sum(axis=1)
    samples: dict[str, Floats] = {
        "macro_f1": _quiet(np.nanmean, f1, axis=1),
        "micro_f1": _weighted_f1(labels.reshape(-1, 1), predicted.reshape(-1, 1), np.repeat(weights, len(topics), 1))[
            :, 0
        ],
        "exact_match": weights @ right.all(axis=1) / total,
        "hamming_loss": 1 - weights @ right.mean(axis=1) / total,
        "mean_average_precision": _quiet(
            np.nanmean,
            np.column_stack(
                [
                    _weighted_average_precision(labels[:, column], probabilities[:, column], weights)
                    for column in range(len(topics))
                ]
            ),
            axis=1,
        ),
    }
    samples |= {f"{topic}.f1": f1[:, column] for column, topic in enumerate(topics)}
    return {name: _percentiles(values) for name, values in samples.items() if not np.isnan(values).all()}


def group_weights(groups: Sequence[str], resamples: int, seed: int) -> npt.NDArray[np.float64]:
    """Return how often each text is drawn in each bootstrap sample, shape (resamples, texts)."""
    names, owner = np.unique(np.asarray(groups), return_inverse=True)
    draws = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return draws[:, owner].astype(np.float64)


def _weighted_f1(labels: Labels, predicted: Labels, weights: Floats) -> Floats:
    """F1 of each sample and topic, shape (resamples, topics); NaN where a sample has neither label nor prediction."""
    hits = weights @ (labels & predicted)
    marked = weights @ (labels + predicted)
    f1: Floats = np.divide(2 * hits, marked, out=np.full_like(hits, np.nan), where=marked > 0)
    return f1


def _weighted_average_precision(labels: Labels, scores: Floats, weights: Floats) -> Floats:
    """Average precision of each sample, as scikit-learn defines it, shape (resamples,)."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # equal scores enter together
    drawn = weights[:, order]
    hits = np.cumsum(drawn * labels[order], axis=1)[:, last]
    seen = np.cumsum(drawn, axis=1)[:, last]
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    positives = hits[:, -1]
    gains = np.diff(hits, axis=1, prepend=0.0)
    total = (gains * precision).sum(axis=1)
    average: Floats = np.divide(total, positives, out=np.full_like(total, np.nan), where=positives > 0)
    return average


def expected_calibration_error(
    labels: Labels, probabilities: Floats, weights: Floats | None = None, bins: int = 10
) -> list[float]:
    """Return the expected calibration error of each topic, over bins of equal width.

    Source: M. Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", 2015.

    Parameters
    ----------
    labels : array of shape (texts, topics), 0 or 1
    probabilities : array of shape (texts, topics)
    weights : array of shape (texts,), optional
        How much each text counts.
    bins : int
    """
    if weights is None:
        weights = np.ones(len(labels))
    errors = []
    for truth, scores in zip(labels.T, probabilities.T, strict=True):
        place = np.minimum((scores * bins).astype(int), bins - 1)
        gap = np.abs(np.bincount(place, weights * (scores - truth), minlength=bins))
        errors.append(float(gap.sum() / weights.sum()))
    return errors


def _percentiles(values: Floats) -> Interval:
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _mean(values: Any) -> float | None:
    return _defined(_quiet(np.nanmean, values))


def _quiet(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call without the warning that numpy gives for an empty mean."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **options)


def _defined(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
