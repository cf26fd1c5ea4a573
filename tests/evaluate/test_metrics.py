import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from veilleur.evaluate.metrics import _weighted_average_precision, _weighted_f1, expected_calibration_error, score

TOPICS = ("a", "b", "c")


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = (rng.random((n, 3)) < draw(st.sampled_from([0.0, 0.2, 0.5]))).astype(np.int64)
    return labels, rng.random((n, 3)).round(draw(st.integers(1, 6)))  # few decimals give ties


@settings(max_examples=60)
@given(problems())
def test_figures_equal_those_of_scikit_learn_and_undefined_ones_are_none(
    problem: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, scores = problem
    predicted = (scores >= 0.6).astype(np.int64)
    got = score(labels, predicted, scores, TOPICS, [str(n) for n in range(len(labels))], resamples=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = sk.precision_recall_fscore_support(labels, predicted, average=None, zero_division=np.nan)
    for column, topic in enumerate(TOPICS):
        one = got.topics[topic]
        for value, wanted in zip((one.precision, one.recall, one.f1), (e[column] for e in expected[:3]), strict=True):
            assert value == pytest.approx(wanted) if value is not None else np.isnan(wanted)
        assert one.support == labels[:, column].sum()
        assert (one.average_precision is None) == (one.support == 0)
    assert got.hamming_loss == pytest.approx(sk.hamming_loss(labels, predicted))
    assert got.exact_match == pytest.approx(sk.accuracy_score(labels, predicted))


@settings(max_examples=60)
@given(problems(), st.integers(0, 1000))
def test_weighted_figures_equal_those_of_scikit_learn(problem: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    labels, scores = problem
    predicted = (scores >= 0.5).astype(np.int64)
    weights = np.random.default_rng(seed).integers(0, 3, (4, len(labels))).astype(float)
    f1 = _weighted_f1(labels, predicted, weights)
    average = _weighted_average_precision(labels[:, 0], scores[:, 0], weights)
    for sample, weight in enumerate(weights):
        if (weight * labels[:, 0]).sum() > 0:
            repeated = np.repeat(np.arange(len(labels)), weight.astype(int))
            assert f1[sample, 0] == pytest.approx(sk.f1_score(labels[repeated, 0], predicted[repeated, 0]))
            assert average[sample] == pytest.approx(
                sk.average_precision_score(labels[repeated, 0], scores[repeated, 0])
            )


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    covered, trials, truth = 0, 120, 0.8  # the chance that a row's three topics are all right
    for trial in range(trials):
        right = rng.random(150) < truth
        labels = np.ones((150, 3), dtype=np.int64)
        predicted = np.where(right[:, None], labels, 0)
        groups = [str(n) for n in range(150)]
        low, high = score(labels, predicted, predicted * 1.0, TOPICS, groups, resamples=300, seed=trial).intervals[
            "exact_match"
        ]
        covered += low <= truth <= high
    assert 0.88 <= covered / trials <= 1.0


def test_rows_of_one_bulletin_widen_the_interval() -> None:
    labels = np.ones((100, 1), dtype=np.int64)
    predicted = np.repeat(np.arange(20) % 4 != 0, 5).astype(np.int64)[:, None]
    alone = score(labels, predicted, predicted * 1.0, ["a"], [str(n) for n in range(100)])
    grouped = score(labels, predicted, predicted * 1.0, ["a"], [str(n // 5) for n in range(100)])
    width = [high - low for low, high in (alone.intervals["exact_match"], grouped.intervals["exact_match"])]
    assert width[1] > 1.5 * width[0]


def test_calibration_error_of_known_cases() -> None:
    labels = np.array([[1], [0], [1], [0]])
    assert expected_calibration_error(labels, np.full((4, 1), 0.5)) == [0.0]
    assert expected_calibration_error(labels, np.full((4, 1), 1.0)) == [0.5]


def test_a_single_topic_is_scored_as_one() -> None:
    labels = np.array([[1], [1], [0], [0], [0]])
    predicted = np.array([[1], [0], [1], [0], [0]])
    got = score(labels, predicted, predicted * 0.9, ["a"], list("vwxyz"), resamples=0)
    assert got.topics["a"].support == 2
    assert got.macro_f1 == got.micro_f1 == got.topics["a"].f1 == pytest.approx(0.5)
