import numpy as np
import pytest

from veilleur.model.calibration import Calibration
from veilleur.model.cascade import Cascade
from veilleur.train.cascade import LOSS, fit_cascade
from veilleur.train.decision import Decision

PLAIN = Decision(Calibration((1.0, 1.0), (0.0, 0.0)), (0.5, 0.4))


@pytest.fixture
def seen() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits of baseline and fine-tune, and labels, of 20,000 texts with two topics in every fifth."""
    rng = np.random.default_rng(0)
    labels = (rng.random((20_000, 2)) < 0.1).astype(np.int64)
    baseline = rng.normal(4 * labels - 2, 1.0)
    fine_tune = rng.normal(8 * labels - 4, 1.0)
    return baseline, fine_tune, labels


def test_most_texts_without_a_topic_are_settled_and_next_to_no_topic_is_lost(
    seen: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    baseline, fine_tune, labels = seen
    given = (baseline + fine_tune > 0).astype(np.int64)
    cascade = fit_cascade(baseline, fine_tune, labels, given, PLAIN)
    out = cascade.settles(baseline)
    assert out[labels.sum(axis=1) == 0].mean() > 0.5
    assert 0 < (labels * given)[out].sum() / (labels * given).sum() < LOSS
    assert cascade.stand_in == pytest.approx((-4, -4), abs=0.1)


def test_a_settled_text_is_given_no_topic_even_where_nothing_would_be_lost(
    seen: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    baseline, fine_tune, labels = seen
    certain = 20 * baseline  # tells all texts apart
    decision = Decision(Calibration((0.5, 1.5), (-0.5, 0.3)), (0.06, 0.6))
    given = (decision.calibration.probabilities(certain + fine_tune) > decision.thresholds).astype(np.int64)
    cascade = fit_cascade(certain, fine_tune, labels, given, decision)
    out = cascade.settles(certain)
    assert out.mean() > 0.5
    probabilities = decision.calibration.probabilities(certain + np.array(cascade.stand_in))
    assert (probabilities[out] < decision.thresholds).all()


def test_few_labels_cannot_show_that_nothing_is_lost_so_every_text_is_read(
    seen: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    baseline, fine_tune, labels = (part[:500] for part in seen)
    cascade = fit_cascade(baseline, fine_tune, labels, labels, PLAIN)
    assert cascade.below is None
    assert not cascade.settles(baseline).any()


def test_where_every_text_has_a_topic_none_is_settled(seen: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    baseline, fine_tune, labels = seen
    labels = np.column_stack([labels[:, 0], 1 - labels[:, 0]])
    assert fit_cascade(baseline, fine_tune, labels, labels, PLAIN) == Cascade((0.0, 0.0))
