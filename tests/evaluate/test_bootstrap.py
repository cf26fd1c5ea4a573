import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veilleur.evaluate import bootstrap
from veilleur.evaluate.bootstrap import draw_samples, draw_weights, percentiles
from veilleur.evaluate.metrics import figures, score

TOPICS = ("a", "b", "c")


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.sampled_from([0.05, 0.4]))
def test_a_sample_has_the_figures_of_the_texts_that_it_draws(seed: int, n: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, 3)) < density).astype(np.int64)
    scores = rng.random((n, 3)).round(1)
    predicted = (scores >= 0.6).astype(np.int64)
    groups = [f"g{number:02}" for number in range(n)]
    groups[1::3] = groups[::3][: len(groups[1::3])]
    samples = draw_samples(labels, predicted, scores, TOPICS, groups, 4, seed)
    names, owner = np.unique(groups, return_inverse=True)
    for sample, weight in enumerate(np.concatenate(list(draw_weights(len(names), 4, seed)))):
        drawn = np.repeat(np.arange(n), weight[owner].astype(int))
        wanted = figures(labels[drawn], predicted[drawn], scores[drawn], TOPICS)
        for name, values in samples.items():
            value = wanted.figure(name)
            assert np.isnan(values[sample]) if value is None else values[sample] == pytest.approx(value), name


def test_blocks_draw_what_one_draw_would(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(draw_weights(7, 50, seed=3)))
    monkeypatch.setattr(bootstrap, "BLOCK", 30)
    blocks = list(draw_weights(7, 50, seed=3, width=10))
    assert {len(block) for block in blocks} == {3, 2}
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Bulletins of three alike paragraphs; the truth is what very many of them would give."""
    trials, covered = 150, dict.fromkeys(("macro_f1", "exact_match", "micro_recall", "brier_score"), 0)

    def bulletins(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        ease = np.repeat(rng.random(count), 3)[:, None]
        labels = (rng.random((3 * count, 3)) < 0.3).astype(np.int64)
        found = rng.random((3 * count, 3)) < np.where(labels, 0.4 + 0.5 * ease, 0.15 * (1 - ease))
        return labels, found.astype(np.int64), np.where(found, 0.8, 0.1)

    truth = figures(*bulletins(40_000, np.random.default_rng(0)), TOPICS)
    for trial in range(trials):
        groups = [str(number // 3) for number in range(360)]
        samples = draw_samples(*bulletins(120, np.random.default_rng(trial + 1)), TOPICS, groups, 200, trial)
        intervals = percentiles(samples)
        for name in covered:
            low, high = intervals[name]
            covered[name] += low <= truth.figure(name) <= high  # type: ignore[operator]
    for name, times in covered.items():
        assert 0.89 <= times / trials <= 0.995, name


def test_rows_of_one_bulletin_widen_the_interval() -> None:
    labels = np.ones((100, 1), dtype=np.int64)
    predicted = np.repeat(np.arange(20) % 4 != 0, 5).astype(np.int64)[:, None]
    alone = score(labels, predicted, predicted * 1.0, ["a"], [str(n) for n in range(100)])
    grouped = score(labels, predicted, predicted * 1.0, ["a"], [str(n // 5) for n in range(100)])
    width = [high - low for low, high in (alone.intervals["exact_match"], grouped.intervals["exact_match"])]
    assert width[1] > 1.5 * width[0]


def test_one_bulletin_has_no_interval() -> None:
    truth = np.ones((3, 1), dtype=np.int64)
    assert score(truth, truth, truth * 1.0, ["a"], ["x", "x", "x"]).intervals == {}
