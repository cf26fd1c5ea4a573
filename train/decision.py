"""From out-of-fold logits to calibrated probabilities and the thresholds that decide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from veilleur.labels.rows import LabelledParagraph
from veilleur.model.calibration import Calibration

Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Decision:
    """How logits become topics: a calibration and a threshold for each topic."""

    calibration: Calibration
    thresholds: tuple[float, ...]


def fit_decision(logits: Floats, labels: Labels, weights: Floats | None = None) -> Decision:
    """Fit calibration and thresholds on out-of-fold logits.

    Parameters
    ----------
    logits : array of shape (rows, topics)
        Each from a model that did not see the row.
    labels : array of shape (rows, topics), 0 or 1
    weights : array of shape (rows,), optional
        How much each row counts; see `natural_weights`.
    """
    if weights is None:
        weights = np.ones(len(labels))
    calibration = fit_calibration(logits, labels, weights)
    probabilities = calibration.probabilities(logits)
    thresholds = tuple(
        best_threshold(probabilities[:, topic], labels[:, topic], weights) for topic in range(labels.shape[1])
    )
    return Decision(calibration, thresholds)


def natural_weights(rows: Sequence[LabelledParagraph], learnt: Sequence[LabelledParagraph]) -> npt.NDArray[np.float64]:
    """Weigh composed rows so that topics are as rare among them as among the collected ones.

    Text composed for training is full of topics. A probability, and the threshold for it, is only right for the mix
    that it was fitted on, so rows without a topic count for more, those with one for less, until their shares are those
    of the rows that were not composed (M. Saerens et al., "Adjusting the outputs of a classifier to new a priori
    probabilities", 2002). Without rows of both origins all weights are 1.

    Parameters
    ----------
    rows : sequence of LabelledParagraph
        To be weighed.
    learnt : sequence of LabelledParagraph
        All that is learnt from; its collected rows say how rare topics are.

    Returns
    -------
    array of shape (rows,)
    """
    composed = np.array([row.origin == "composed" for row in rows])
    none = np.array([not row.topics for row in rows])
    collected = [not row.topics for row in learnt if row.origin != "composed"]
    weights = np.ones(len(rows))
    if collected and composed.any():
        natural, ours = (sum(collected) + 1) / (len(collected) + 2), none[composed].mean()  # smoothed: never 0 or 1
        if 0 < ours < 1:
            weights[composed & none] = natural / ours
            weights[composed & ~none] = (1 - natural) / (1 - ours)
    return weights


def fit_calibration(logits: Floats, labels: Labels, weights: Floats) -> Calibration:
    """Fit Platt scaling for each topic; a topic without positives or negatives keeps its logits as they are."""
    from sklearn.linear_model import LogisticRegression

    slopes, intercepts = [], []
    for column, target in zip(np.asarray(logits, dtype=np.float64).T, labels.T, strict=True):
        if target.min() == target.max():
            slopes.append(1.0)
            intercepts.append(0.0)
            continue
        fitted = LogisticRegression(C=1e3).fit(column[:, None], target, sample_weight=weights)
        # A negative slope would turn the model upside down; it only arises where there is next to no data.
        slopes.append(max(float(fitted.coef_[0, 0]), 1e-3))
        intercepts.append(float(fitted.intercept_[0]))
    return Calibration(tuple(slopes), tuple(intercepts))


def best_threshold(probabilities: Floats, labels: Labels, weights: Floats | None = None) -> float:
    """Return the threshold of best F1: half of the best F1 that any cut reaches.

    That is where the best cut of calibrated probabilities lies (Z. Lipton et al., "Optimal thresholding of classifiers
    to maximize F1 measure", 2014). The cut that happens to be best on these rows is noise beside it, since F1 is flat
    around its maximum. Without positives nothing can be tuned: 0.5.

    Parameters
    ----------
    probabilities : array of shape (rows,)
        Calibrated, each from a model that did not see the row.
    labels : array of shape (rows,), 0 or 1
    weights : array of shape (rows,), optional
        How much each row counts.

    Examples
    --------
    >>> best_threshold(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]))
    0.5
    """
    if weights is None:
        weights = np.ones(len(labels))
    positives = float(weights @ labels)
    if positives == 0:
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    f1 = 2 * np.cumsum((weights * labels)[order]) / (np.cumsum(weights[order]) + positives)
    last = np.append(ranked[1:] != ranked[:-1], True)  # equal probabilities are on one side of any cut
    return float(np.clip(f1[last].max() / 2, 0.02, 0.98))
