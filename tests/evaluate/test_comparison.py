import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veilleur.evaluate.comparison import ALPHA, bootstrap_p, compare, enough_resamples, holm, randomisation_test
from veilleur.evaluate.run import Answers, judge
from veilleur.labels.rows import LabelledParagraph

TOPICS = ("drugs", "maritime")
P_VALUES = st.lists(st.none() | st.floats(0, 1), max_size=8)


def rows(count: int, rng: np.random.Generator) -> tuple[list[LabelledParagraph], np.ndarray]:
    """Paragraphs, three to a bulletin."""
    labels = (rng.random((count, 2)) < 0.4).astype(np.int64)
    found = [tuple(topic for topic, has in zip(TOPICS, row, strict=True) if has) for row in labels]
    return [
        LabelledParagraph(str(n), f"text {n}", topics, bulletin=f"b{n // 3}") for n, topics in enumerate(found)
    ], labels


def answers(name: str, labels: np.ndarray, right: float, rng: np.random.Generator) -> Answers:
    predicted = np.where(rng.random(labels.shape) < right, labels, 1 - labels)
    return Answers(name, TOPICS, (0.5, 0.5), np.where(predicted, 0.9, 0.1), predicted)


def test_a_better_model_is_said_to_be_so_in_a_sentence() -> None:
    rng = np.random.default_rng(0)
    paragraphs, labels = rows(300, rng)
    models = [judge(answers(name, labels, right, rng), paragraphs) for name, right in (("old", 0.7), ("new", 0.95))]
    (found,) = compare(models, labels, [row.bulletin for row in paragraphs], resamples=500, seed=0)
    assert (found.first, found.second) == ("new", "old")
    assert found.overall.told_apart
    assert found.sentence.startswith("new finds ")
    assert "more of 100 true labels than old" in found.sentence
    assert "fewer of 100 that it gives are wrong" in found.sentence
    assert f"difference in macro-F1 {found.overall.difference:.2f}, 95 % interval 0." in found.sentence
    assert found.topics.keys() == set(TOPICS)


def test_models_that_cannot_be_told_apart_are_said_to_be_so() -> None:
    rng = np.random.default_rng(1)
    paragraphs, labels = rows(90, rng)
    models = [judge(answers(name, labels, 0.8, rng), paragraphs) for name in ("a", "b", "c")]
    groups = [row.bulletin for row in paragraphs]
    found = compare(models, labels, groups, resamples=200, seed=0)
    assert len(found) == 3
    assert all("cannot be told apart on these labels" in one.sentence for one in found)
    same = compare([models[0], models[0]], labels, groups, resamples=200, seed=0)[0]
    assert same.overall.p_randomisation == same.overall.p_bootstrap == 1.0


def test_undefined_figures_and_single_bulletins_are_not_compared() -> None:
    nothing = np.zeros((4, 2), dtype=np.int64)
    paragraphs = [LabelledParagraph(str(n), "text", (), bulletin=str(n)) for n in range(4)]
    silent = judge(Answers("a", TOPICS, (0.5, 0.5), np.zeros((4, 2)), nothing), paragraphs)
    (found,) = compare([silent, silent], nothing, list("wxyz"), resamples=50, seed=0)
    assert found.overall.difference is None
    assert "cannot be compared: a macro-F1 is undefined" in found.sentence
    rng = np.random.default_rng(2)
    _, labels = rows(6, rng)
    together = [
        LabelledParagraph(str(n), "text", ("drugs",) if has else (), bulletin="b") for n, (has, _) in enumerate(labels)
    ]
    models = [judge(answers(name, labels, right, rng), together) for name, right in (("a", 0.5), ("b", 1.0))]
    (found,) = compare(models, labels, ["b"] * 6, resamples=50, seed=0)
    assert found.overall.p_randomisation is None
    assert "were not tested, which takes resamples and two bulletins" in found.sentence


def test_the_tests_reject_a_true_null_no_more_often_than_their_level() -> None:
    """Both models err alike, and alike within a bulletin, which a test of single texts would take for evidence."""
    trials, rejected = 300, 0
    groups = [str(n // 5) for n in range(100)]
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        labels = (rng.random((100, 2)) < 0.4).astype(np.int64)
        first, second = (
            np.where(np.repeat(rng.random((20, 2)) < 0.25, 5, axis=0), 1 - labels, labels) for _ in range(2)
        )
        p = randomisation_test(labels, first, second, groups, resamples=99, seed=trial)[0]
        rejected += p is not None and p <= ALPHA
    assert rejected / trials <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / trials)


def test_randomisation_equals_all_swaps_where_they_can_be_counted() -> None:
    labels = np.array([[1], [1], [1], [0]])
    first, second = labels, np.array([[0], [0], [1], [1]])
    (p, _) = randomisation_test(labels, first, second, list("abcd"), resamples=4000, seed=0)
    assert p == pytest.approx(2 / 8, abs=0.03)  # of the 8 ways to swap what differs, 2 are as extreme


def test_bootstrap_p_of_known_cases() -> None:
    assert bootstrap_p(np.full(999, 0.1)) == pytest.approx(2 / 1000)
    assert bootstrap_p(np.linspace(-1, 1, 1000)) == pytest.approx(1.0, abs=0.01)


@given(P_VALUES)
def test_holm_never_lowers_a_p_value_and_keeps_their_order(values: list[float | None]) -> None:
    corrected = holm(values)
    defined = sorted((p, q) for p, q in zip(values, corrected, strict=True) if p is not None and q is not None)
    assert [q is None for q in corrected] == [p is None for p in values]
    assert all(p <= q <= 1 for p, q in defined)
    assert [q for _, q in defined] == sorted(q for _, q in defined)


@pytest.mark.parametrize("tests", [1, 3, 18])
def test_the_smallest_p_rejects_with_enough_resamples_and_no_fewer(tests: int) -> None:
    for fewer, rejects in ((0, True), (1, False)):
        (p, *_) = holm([bootstrap_p(np.ones(enough_resamples(tests) - fewer))] * tests)
        assert p is not None
        assert (p <= ALPHA) == rejects
