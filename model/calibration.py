"""From a model's logits to probabilities one can read as probabilities."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


def sigmoid(logits: Floats) -> npt.NDArray[np.float64]:
    """Return the logistic function of `logits`, without overflow.

    Examples
    --------
    >>> sigmoid(np.array([-1e4, 0.0, 1e4])).tolist()
    [0.0, 0.5, 1.0]
    """
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype=np.float64)))


@dataclass(frozen=True)
class Calibration:
    """Platt scaling: probability = sigmoid(slope * logit + intercept), one pair a topic.

    Source: J. Platt, "Probabilistic outputs for support vector machines", 1999.

    Attributes
    ----------
    slopes, intercepts : tuple of float
        In the order of the bundle's topics.
    """

    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]

    def probabilities(self, logits: Floats) -> npt.NDArray[np.float64]:
        """Calibrate logits of shape (texts, topics) to probabilities of the same shape."""
        return sigmoid(np.asarray(logits, dtype=np.float64) * self.slopes + self.intercepts)
