import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from veilleur import VeilleurError
from veilleur.evaluate.metrics import OVERALL_FIGURES, TOPIC_FIGURES, expected_calibration_error, figures, score

TOPICS = ("a", "b", "c")
Problem = tuple[np.ndarray, np.ndarray]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    n = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = (rng.random((n, 3)) < draw(st.sampled_from([0.0, 0.2, 0.5, 1.0]))).astype(np.int64)
    return labels, rng.random((n, 3)).round(draw(st.integers(1, 6)))  # few decimals give ties


def same(value: float | None, wanted: float) -> bool:
    return np.isnan(wanted) if value is None else value == pytest.approx(wanted)


@settings(max_examples=60)
@given(problems())
def test_figures_equal_those_of_scikit_learn_and_undefined_ones_are_none(problem: Problem) -> None:
    labels, scores = problem
    predicted = (scores >= 0.6).astype(np.int64)
    got = figures(labels, predicted, scores, TOPICS)
    ranked = labels.any(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_topic = sk.precision_recall_fscore_support(labels, predicted, average=None, zero_division=np.nan)
        for average in ("macro", "micro", "weighted", "samples"):
            mean = sk.precision_recall_fscore_support(labels, predicted, average=average, zero_division=np.nan)
            for place, rate in enumerate(("precision", "recall", "f1")):
                weighed = average != "weighted" or by_topic[3][~np.isnan(by_topic[place])].any()
                value = getattr(got, f"{average.removesuffix('s')}_{rate}")
                assert same(value, mean[place] if weighed else np.nan), (average, rate)
    for column, topic in enumerate(TOPICS):
        one, truth, values = got.topics[topic], labels[:, column], scores[:, column]
        for value, wanted in zip((one.precision, one.recall, one.f1), (e[column] for e in by_topic[:3]), strict=True):
            assert same(value, wanted)
        assert one.support == truth.sum()
        assert same(one.average_precision, sk.average_precision_score(truth, values) if truth.any() else np.nan)
        both = 0 < truth.sum() < len(truth)
        assert same(one.roc_auc, sk.roc_auc_score(truth, values) if both else np.nan)
        assert same(one.brier_score, np.mean((truth - values) ** 2))
    assert same(got.hamming_loss, sk.hamming_loss(labels, predicted))
    assert same(got.exact_match, sk.accuracy_score(labels, predicted))
    assert same(got.coverage_error, sk.coverage_error(labels[ranked], scores[ranked]) if ranked.any() else np.nan)
    assert same(
        got.ranking_average_precision,
        sk.label_ranking_average_precision_score(labels[ranked], scores[ranked]) if ranked.any() else np.nan,
    )


def test_what_no_label_and_no_prediction_decides_is_undefined() -> None:
    nothing = np.zeros((4, 2), dtype=np.int64)
    got = figures(nothing, nothing, np.full((4, 2), 0.1), ("a", "b"))
    defined = {name for name, value in got.flat.items() if value is not None}
    always = {"exact_match", "hamming_loss", "brier_score", "expected_calibration_error"}
    of_topics = {f"{topic}.{name}" for topic in "ab" for name in ("brier_score", "expected_calibration_error")}
    assert defined == always | of_topics


def test_every_figure_is_named_and_an_unknown_one_is_refused() -> None:
    truth = np.array([[1, 0], [0, 1]])
    got = score(truth, truth, truth * 0.9, ("drugs", "maritime"), ("x", "y"), resamples=5)
    assert set(got.flat) == {*OVERALL_FIGURES, *(f"{topic}.{name}" for topic in got.topics for name in TOPIC_FIGURES)}
    assert got.figure("drugs.recall") == 1.0
    with pytest.raises(VeilleurError, match=r"no figure 'drugs\.speed'.*as drugs\.recall"):
        got.figure("drugs.speed")


def test_a_single_topic_is_scored_as_one() -> None:
    labels = np.array([[1], [1], [0], [0], [0]])
    predicted = np.array([[1], [0], [1], [0], [0]])
    got = score(labels, predicted, predicted * 0.9, ["a"], list("vwxyz"), resamples=0)
    assert got.topics["a"].support == 2
    assert got.macro_f1 == got.micro_f1 == got.weighted_f1 == got.topics["a"].f1 == pytest.approx(0.5)
    assert got.sample_f1 == pytest.approx(1 / 3)
    assert got.coverage_error == got.ranking_average_precision == 1.0


def test_calibration_error_of_known_cases() -> None:
    labels = np.array([[1], [0], [1], [0]])
    assert expected_calibration_error(labels, np.full((4, 1), 0.5)) == [0.0]
    assert expected_calibration_error(labels, np.full((4, 1), 1.0)) == [0.5]
