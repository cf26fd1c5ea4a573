"""From calibrated probabilities to the topics that are given."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def decide(
    probabilities: npt.NDArray[np.floating], thresholds: Sequence[float], exclusive: bool = False
) -> npt.NDArray[np.int64]:
    """Return which topics are given, as a 0/1 array of shape (texts, topics).

    Parameters
    ----------
    probabilities : array of shape (texts, topics)
        Calibrated; all 0 for a blank text, which has no topic.
    thresholds : sequence of float
        The probability from which each topic is given.
    exclusive : bool
        Give each text the likeliest topic instead, and no other.

    Examples
    --------
    >>> decide(np.array([[0.9, 0.8], [0.1, 0.2]]), [0.5, 0.5]).tolist()
    [[1, 1], [0, 0]]
    >>> decide(np.array([[0.9, 0.8], [0.1, 0.2]]), [0.5, 0.5], exclusive=True).tolist()
    [[1, 0], [0, 1]]
    """
    if not exclusive:
        return (probabilities >= np.array(thresholds)).astype(np.int64)
    likeliest: npt.NDArray[np.int64] = np.eye(len(thresholds), dtype=np.int64)[probabilities.argmax(axis=1)]
    likeliest[~probabilities.any(axis=1)] = 0
    return likeliest
