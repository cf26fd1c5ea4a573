import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from veilleur.evaluate.metrics import expected_calibration_error
from veilleur.labels.rows import LabelledParagraph
from veilleur.model.calibration import sigmoid
from veilleur.train.decision import best_threshold, fit_calibration, fit_decision, natural_weights


def test_calibration_undoes_what_was_done_to_the_logits() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4000, 1)) * 2
    labels = (rng.random((4000, 1)) < sigmoid(truth)).astype(np.int64)
    overconfident = 3 * truth + 1
    before = expected_calibration_error(labels, sigmoid(overconfident))[0]
    after = expected_calibration_error(
        labels, fit_calibration(overconfident, labels, np.ones(4000)).probabilities(overconfident)
    )[0]
    assert before > 0.1
    assert after < 0.03


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=2, max_size=50))
def test_the_threshold_is_half_of_the_best_f1(pairs: list[tuple[float, int]]) -> None:
    scores = np.array([score for score, _ in pairs])
    labels = np.array([label for _, label in pairs])
    best = max(f1_score(labels, scores >= cut) for cut in scores) if labels.any() else 1.0
    assert best_threshold(scores, labels) == pytest.approx(max(best / 2, 0.02))


def test_the_threshold_of_calibrated_probabilities_is_close_to_the_best_there_is() -> None:
    rng = np.random.default_rng(0)
    scores = rng.beta(0.4, 1.2, 20_000)
    labels = (rng.random(20_000) < scores).astype(np.int64)
    threshold = best_threshold(scores, labels)
    best = max(f1_score(labels, scores >= cut) for cut in np.linspace(0.05, 0.95, 91))
    assert f1_score(labels, scores >= threshold) == pytest.approx(best, abs=0.003)


def test_a_topic_without_positives_keeps_its_logits_and_a_neutral_threshold() -> None:
    decision = fit_decision(np.array([[1.0], [2.0]]), np.zeros((2, 1), dtype=np.int64))
    assert decision.thresholds == (0.5,)
    assert decision.calibration.slopes == (1.0,)


def test_composed_rows_are_weighed_to_the_mix_of_the_collected_ones() -> None:
    collected = [LabelledParagraph(str(n), "", ("drugs",) if n < 2 else (), origin="article") for n in range(10)]
    composed = [LabelledParagraph(str(n), "", ("drugs",) if n < 50 else (), origin="composed") for n in range(100)]
    weights = natural_weights(composed, collected + composed)
    assert weights[:50].sum() / weights.sum() == pytest.approx(0.25)  # (2 + 1) of (10 + 2), smoothed
    assert weights.sum() == pytest.approx(100)
    assert natural_weights(composed, composed).tolist() == [1.0] * 100


def test_rarer_positives_raise_the_threshold() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (2000, 1))
    logits = rng.normal(size=(2000, 1)) + 2 * labels - 1
    weights = np.where(labels[:, 0] == 1, 0.2, 1.8)
    even, rare = fit_decision(logits, labels), fit_decision(logits, labels, weights)
    assert (
        rare.calibration.probabilities(np.zeros((1, 1)))[0, 0] < even.calibration.probabilities(np.zeros((1, 1)))[0, 0]
    )
    cuts = [
        (np.log(d.thresholds[0] / (1 - d.thresholds[0])) - d.calibration.intercepts[0]) / d.calibration.slopes[0]
        for d in (even, rare)
    ]
    assert cuts[1] > cuts[0]  # in logits
