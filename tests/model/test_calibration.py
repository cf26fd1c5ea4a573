import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from veilleur.model.calibration import Calibration, sigmoid


@given(st.floats(-1e6, 1e6))
def test_sigmoid_is_a_probability(logit: float) -> None:
    assert 0 <= sigmoid(np.array([logit]))[0] <= 1


def test_each_topic_has_its_own_scaling() -> None:
    calibration = Calibration((1.0, 2.0), (0.0, -1.0))
    assert np.allclose(calibration.probabilities(np.array([[0.0, 0.5]])), [[0.5, 0.5]])
