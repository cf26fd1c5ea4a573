"""From out-of-fold logits of baseline and fine-tune to the limits at which the baseline settles a text."""

import numpy as np
import numpy.typing as npt

from veilleur.model.cascade import Cascade
from veilleur.train.decision import Decision

LOSS = 0.002  # share of the topics rightly given that may be lost, at most
CONFIDENCE = 0.95  # that it is no more

Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]


def fit_cascade(baseline: Floats, fine_tune: Floats, labels: Labels, given: Labels, decision: Decision) -> Cascade:
    """Fit what stands in for the fine-tune, and the limits.

    What stands in is the fine-tune's median logit on texts without a topic. A text may be settled if, with that, the
    probabilities of all topics stay under one limit, which is below every threshold. The limit is as high as it can be
    while, with a confidence of `CONFIDENCE`, at most a share of `LOSS` of the topics rightly given stands in texts that
    would be settled (C. Clopper and E. Pearson, "The use of confidence or fiducial limits", 1934; they take topics as
    independent, and the text to come as like the labels). Few labels cannot show that, and then nothing is settled.

    Parameters
    ----------
    baseline, fine_tune : array of shape (rows, topics)
        Logits, each from a model that did not see the row.
    labels, given : array of shape (rows, topics), 0 or 1
        The right topics, and those that both models together give.
    decision : Decision
        Fitted to the sum of both.
    """
    without = labels.sum(axis=1) == 0
    if not without.any():  # a text without topics does not occur
        return Cascade((0.0,) * labels.shape[1])
    stand_in = np.median(fine_tune[without], axis=0)
    slopes, intercepts = np.array(decision.calibration.slopes), np.array(decision.calibration.intercepts)
    highest = ((baseline + stand_in) * slopes + intercepts).max(axis=1)
    order = np.argsort(highest)
    lost = np.cumsum((labels * given).sum(axis=1)[order])
    bearable = np.flatnonzero(_upper_bound(lost, int(lost[-1])) <= LOSS)
    if len(bearable) == 0:
        return Cascade(tuple(stand_in.tolist()))
    lowest_threshold = min(decision.thresholds)
    limit = min(highest[order][bearable[-1]], np.log(lowest_threshold / (1 - lowest_threshold)))
    below = (limit - intercepts) / slopes - stand_in
    return Cascade(tuple(stand_in.tolist()), tuple(below.tolist()))


def _upper_bound(lost: npt.NDArray[np.int64], given: int) -> npt.NDArray[np.float64]:
    """Return the upper bounds of shares of which `lost` of `given` were seen; none (nan) where all were."""
    from scipy.stats import beta

    bound: npt.NDArray[np.float64] = beta.ppf(CONFIDENCE, lost + 1, given - lost)
    return bound
