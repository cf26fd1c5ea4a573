"""How good taggings are, with the interval that each figure deserves.

A figure that is undefined (the recall of a topic that no text has) is None, never 0 or 1, and averages leave it out.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn import metrics as sk

from veilleur.errors import VeilleurError
from veilleur.evaluate.bootstrap import RESAMPLES, Floats, Interval, Labels, draw_samples, percentiles

BINS = 10  # of the calibration error, of equal width


class Figure(NamedTuple):
    """How a figure is called, what it says, and whether a low one is good."""

    title: str
    meaning: str
    low_is_good: bool = False


_AVERAGES = {
    "macro": "the mean of the topics, each counting alike",
    "micro": "over all labels at once, so frequent topics count for more",
    "weighted": "the mean of the topics, each counting by its true labels",
    "sample": "the mean of the texts, those without any label given or true left out",
}
_RATES = {
    "precision": Figure("precision", "which share of the labels given is right"),
    "recall": Figure("recall", "which share of the true labels is found"),
    "f1": Figure("F1", "the harmonic mean of precision and recall"),
}
TOPIC_FIGURES: dict[str, Figure] = {
    **_RATES,
    "average_precision": Figure("average precision", "the area under the precision-recall curve; needs no threshold"),
    "roc_auc": Figure("ROC-AUC", "how often a text with the topic scores above one without it"),
    "brier_score": Figure("Brier score", "the mean squared distance of probability and truth", low_is_good=True),
    "expected_calibration_error": Figure(
        "calibration error", "how far probabilities are from the frequencies they announce", low_is_good=True
    ),
}
OVERALL_FIGURES: dict[str, Figure] = {
    **{
        f"{average}_{rate}": Figure(f"{average} {one.title}", f"{one.meaning}: {how}")
        for average, how in _AVERAGES.items()
        for rate, one in _RATES.items()
    },
    "exact_match": Figure("exact match", "which share of the texts has all its topics right"),
    "hamming_loss": Figure("Hamming loss", "which share of all yes-or-no decisions is wrong", low_is_good=True),
    "mean_average_precision": Figure("mean average precision", "the mean of the topics' average precision"),
    "roc_auc": Figure("ROC-AUC", "the mean of the topics' ROC-AUC"),
    "coverage_error": Figure(
        "coverage error", "how far down a text's ranked topics one reads to meet all true ones", low_is_good=True
    ),
    "ranking_average_precision": Figure(
        "label-ranking average precision", "of the topics ranked above a true one, which share is true"
    ),
    "brier_score": Figure("Brier score", "the mean of the topics' Brier score", low_is_good=True),
    "expected_calibration_error": Figure(
        "calibration error", "the mean of the topics' expected calibration error", low_is_good=True
    ),
}


@dataclass(frozen=True)
class TopicScores:
    """Scores of one topic, as `TOPIC_FIGURES` tells them; `support` counts its true labels."""

    precision: float | None
    recall: float | None
    f1: float | None
    average_precision: float | None
    roc_auc: float | None
    brier_score: float | None
    expected_calibration_error: float | None
    support: int


@dataclass(frozen=True)
class Scores:
    """Scores of a model on labelled texts.

    Attributes
    ----------
    n : int
        Texts scored.
    macro_precision, …, expected_calibration_error : float or None
        As `OVERALL_FIGURES` tells them.
    topics : dict of str to TopicScores
    intervals : dict of str to (low, high)
        95 % bootstrap intervals of the overall figures and, as ``drugs.f1``, of each topic's. The calibration error
        has none: resampling overstates it, so that its intervals would miss it.
    """

    n: int
    macro_precision: float | None
    macro_recall: float | None
    macro_f1: float | None
    micro_precision: float | None
    micro_recall: float | None
    micro_f1: float | None
    weighted_precision: float | None
    weighted_recall: float | None
    weighted_f1: float | None
    sample_precision: float | None
    sample_recall: float | None
    sample_f1: float | None
    exact_match: float | None
    hamming_loss: float | None
    mean_average_precision: float | None
    roc_auc: float | None
    coverage_error: float | None
    ranking_average_precision: float | None
    brier_score: float | None
    expected_calibration_error: float | None
    topics: dict[str, TopicScores]
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    @property
    def flat(self) -> dict[str, float | None]:
        """All figures by name, those of a topic as ``drugs.f1``."""
        found: dict[str, float | None] = {name: getattr(self, name) for name in OVERALL_FIGURES}
        for topic, scores in self.topics.items():
            found |= {f"{topic}.{name}": getattr(scores, name) for name in TOPIC_FIGURES}
        return found

    def figure(self, name: str) -> float | None:
        """Return one figure by its name in `flat`.

        Raises
        ------
        VeilleurError
            If there is no such figure.
        """
        check_figure(name, list(self.topics))
        return self.flat[name]

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as JSON types; undefined ones are None."""
        content = {one.name: getattr(self, one.name) for one in fields(self)}
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
        For the figures that need no threshold.
    topics : sequence of str
    groups : sequence of str
        The bulletin of each text: the bootstrap draws bulletins, since texts of one are alike.
    resamples : int
        Bootstrap samples; 0 for no intervals. A single bulletin has none either.
    seed : int

    Examples
    --------
    >>> truth = np.array([[1, 0], [0, 1], [1, 1]])
    >>> scores = score(truth, truth, truth.astype(float), ["a", "b"], ["x", "y", "z"], resamples=0)
    >>> scores.macro_f1, scores.exact_match
    (1.0, 1.0)
    """
    samples = draw_samples(labels, predicted, probabilities, topics, groups, resamples, seed)
    return replace(figures(labels, predicted, probabilities, topics), intervals=percentiles(samples))


def check_figure(name: str, topics: Sequence[str]) -> None:
    """Refuse what is the name of no figure.

    Raises
    ------
    VeilleurError
        If `name` is neither an overall figure nor a topic's, as ``drugs.recall``.
    """
    topic, _, rate = name.rpartition(".")
    if name not in OVERALL_FIGURES and (topic not in topics or rate not in TOPIC_FIGURES):
        raise VeilleurError(
            f"there is no figure {name!r}: name one of {', '.join(OVERALL_FIGURES)}, or a topic's "
            f"{', '.join(TOPIC_FIGURES)}, as {topics[0]}.recall"
        )


def figures(labels: Labels, predicted: Labels, probabilities: Floats, topics: Sequence[str]) -> Scores:
    """Compute all figures, without intervals, by scikit-learn; the parameters are those of `score`."""
    # A column without labels changes no figure, and keeps scikit-learn from reading a single topic as two classes.
    truth, given = (np.column_stack([array, np.zeros(len(array), dtype=np.int64)]) for array in (labels, predicted))
    ranked = labels.any(axis=1)  # scikit-learn takes texts without topics for perfectly ranked; they have no ranking
    lowest = np.full(len(labels), -1.0)
    rates: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of undefined figures, which are given as None here
        by_topic = sk.precision_recall_fscore_support(truth, given, average=None, zero_division=np.nan)
        for average in _AVERAGES:
            mean = sk.precision_recall_fscore_support(
                truth, given, average="samples" if average == "sample" else average, zero_division=np.nan
            )
            for rate, value, values in zip(_RATES, mean[:3], by_topic[:3], strict=True):
                # Where no topic has both a value and a true label, scikit-learn falls back on equal weights.
                weighed = average != "weighted" or by_topic[3][~np.isnan(values)].any()
                rates[f"{average}_{rate}"] = _defined(value) if weighed else None
        found = {
            topic: TopicScores(
                **{rate: _defined(values[column]) for rate, values in zip(_RATES, by_topic[:3], strict=True)},
                **_without_threshold(labels[:, column], probabilities[:, column]),
                support=int(labels[:, column].sum()),
            )
            for column, topic in enumerate(topics)
        }
    return Scores(
        n=len(labels),
        **rates,
        exact_match=_defined(np.all(labels == predicted, axis=1).mean()),
        hamming_loss=_defined(np.mean(labels != predicted)),
        mean_average_precision=_mean(one.average_precision for one in found.values()),
        roc_auc=_mean(one.roc_auc for one in found.values()),
        coverage_error=_defined(
            sk.coverage_error(truth[ranked], np.column_stack([probabilities, lowest])[ranked])
            if ranked.any()
            else np.nan
        ),
        ranking_average_precision=_defined(
            sk.label_ranking_average_precision_score(labels[ranked], probabilities[ranked]) if ranked.any() else np.nan
        ),
        brier_score=_mean(one.brier_score for one in found.values()),
        expected_calibration_error=_mean(one.expected_calibration_error for one in found.values()),
        topics=found,
    )


def _without_threshold(truth: Labels, scores: Floats) -> dict[str, Any]:
    """Return the figures of one topic that its probabilities alone decide."""
    positives = truth.sum()
    return {
        "average_precision": _defined(sk.average_precision_score(truth, scores)) if positives else None,
        "roc_auc": _defined(sk.roc_auc_score(truth, scores)) if 0 < positives < len(truth) else None,
        "brier_score": _defined(sk.brier_score_loss(truth, scores, pos_label=1)),
        "expected_calibration_error": _defined(expected_calibration_error(truth[:, None], scores[:, None])[0]),
    }


def expected_calibration_error(
    labels: Labels, probabilities: Floats, weights: Floats | None = None, bins: int = BINS
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


def _mean(values: Any) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _defined(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
