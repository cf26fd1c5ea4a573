"""How far figures would move if other bulletins had been labelled.

A bootstrap draws whole bulletins with replacement, since the paragraphs of one are alike (B. Efron and R. Tibshirani,
"An introduction to the bootstrap", 1993). Most figures are made of counts, so a sample of bulletins is scored from the
counts of each bulletin; only the ranked figures look at every text again.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]
Interval = tuple[float, float]
Samples = dict[str, Floats]

RESAMPLES = 1000
LEVEL = 0.95
BLOCK = 2_000_000  # numbers held at once, whatever the number of texts


def draw_samples(
    labels: Labels,
    predicted: Labels,
    probabilities: Floats,
    topics: Sequence[str],
    groups: Sequence[str],
    resamples: int,
    seed: int,
) -> Samples:
    """Return the figures of each bootstrap sample.

    The same groups, number and seed draw the same bulletins, so the samples of two models are paired.

    Parameters
    ----------
    labels, predicted : array of shape (texts, topics), 0 or 1
    probabilities : array of shape (texts, topics)
    topics : sequence of str
    groups : sequence of str
        The bulletin of each text.
    resamples, seed : int

    Returns
    -------
    dict of str to array of shape (resamples,)
        By the names of `veilleur.evaluate.metrics.Scores.flat`; NaN where a sample leaves a figure undefined. Empty
        without resamples, or for a single bulletin, which could only be drawn again.
    """
    names, owner = np.unique(np.asarray(groups), return_inverse=True)
    if not resamples or len(names) < 2:
        return {}
    columns = contributions(labels, predicted, probabilities)
    sums = {name: group_sums(values, owner, len(names)) for name, values in columns.items()}
    rankings = [_Ranking(labels[:, column], probabilities[:, column]) for column in range(len(topics))]
    totals: dict[str, list[Floats]] = {name: [] for name in sums}
    ranked: list[list[tuple[Floats, Floats]]] = [[] for _ in topics]
    for weights in draw_weights(len(names), resamples, seed, width=len(labels)):
        for name, values in sums.items():
            totals[name].append(weights @ values)
        drawn = weights[:, owner]
        for ranking, parts in zip(rankings, ranked, strict=True):
            parts.append(ranking.figures(drawn))
    return _figures(
        {name: np.concatenate(parts) for name, parts in totals.items()},
        [tuple(np.concatenate(part) for part in zip(*parts, strict=True)) for parts in ranked],
        topics,
    )


def draw_weights(groups: int, resamples: int, seed: int, width: int | None = None) -> Iterator[Floats]:
    """Yield how often each group is drawn, in blocks of shape (some resamples, groups).

    Parameters
    ----------
    groups, resamples, seed : int
    width : int, optional
        What each resample is spread to by the caller: the wider, the fewer come at once.
    """
    generator = np.random.default_rng(seed)
    shares = np.full(groups, 1 / groups)
    size = max(1, BLOCK // max(groups, width or 0))
    for start in range(0, resamples, size):
        draws = generator.multinomial(groups, shares, size=min(size, resamples - start))
        yield draws.astype(np.float64)


def resampled_sums(values: Floats, groups: Sequence[str], resamples: int, seed: int) -> Floats:
    """Return the sums over the texts that each bootstrap sample draws: (texts, columns) to (resamples, columns).

    There are no samples of a single bulletin.
    """
    names, owner = np.unique(np.asarray(groups), return_inverse=True)
    if not resamples or len(names) < 2:
        return np.empty((0, values.shape[1]))
    sums = group_sums(values, owner, len(names))
    return np.concatenate([weights @ sums for weights in draw_weights(len(names), resamples, seed)])


def group_sums(values: Floats, owner: npt.NDArray[np.intp], groups: int) -> Floats:
    """Sum the rows of each group: (texts, columns) to (groups, columns)."""
    return np.column_stack([np.bincount(owner, column, minlength=groups) for column in values.T])


def contributions(labels: Labels, predicted: Labels, probabilities: Floats) -> dict[str, Floats]:
    """Return what each text adds to the counts that figures are made of, arrays of shape (texts, any)."""
    both = (labels & predicted).astype(np.float64)
    true, given = labels.sum(axis=1), predicted.sum(axis=1)
    hits = both.sum(axis=1)
    coverage, precision = _ranks(labels, probabilities)
    return {
        "hits": both,
        "true": labels.astype(np.float64),
        "given": predicted.astype(np.float64),
        "squares": (probabilities - labels) ** 2,
        "texts": np.column_stack(
            [
                np.ones(len(labels)),
                np.all(labels == predicted, axis=1),
                (labels != predicted).mean(axis=1),
                _ratio(hits, given, 0.0),
                given > 0,
                _ratio(hits, true, 0.0),
                true > 0,
                _ratio(2 * hits, true + given, 0.0),
                true + given > 0,
                coverage,
                precision,
            ]
        ),
    }


def rates(hits: Floats, true: Floats, given: Floats) -> tuple[Floats, Floats, Floats]:
    """Return precision, recall and F1 of counts of any shape; NaN where undefined."""
    return _ratio(hits, given), _ratio(hits, true), _ratio(2 * hits, true + given)


def macro(values: Floats) -> Floats:
    """Return the mean over the last axis of what is defined; NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's of an empty mean
        mean: Floats = np.nanmean(values, axis=-1)
    return mean


def percentiles(samples: Mapping[str, Floats]) -> dict[str, Interval]:
    """Return the percentile interval of each figure that is defined in any sample."""
    return {name: interval(values) for name, values in samples.items() if not np.isnan(values).all()}


def interval(values: Floats) -> Interval:
    """Return the central 95 % of samples, undefined ones left out; at least one must be defined."""
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _figures(totals: Mapping[str, Floats], ranked: Sequence[tuple[Floats, ...]], topics: Sequence[str]) -> Samples:
    hits, true, given = totals["hits"], totals["true"], totals["given"]
    by_topic = dict(zip(("precision", "recall", "f1"), rates(hits, true, given), strict=True))
    micro = rates(hits.sum(axis=1), true.sum(axis=1), given.sum(axis=1))
    n, exact, wrong, *texts = totals["texts"].T
    samples: Samples = {}
    for place, (name, values) in enumerate(by_topic.items()):
        defined = ~np.isnan(values)
        samples[f"macro_{name}"] = macro(values)
        samples[f"micro_{name}"] = micro[place]
        samples[f"weighted_{name}"] = _ratio((true * np.nan_to_num(values)).sum(axis=1), (true * defined).sum(axis=1))
        samples[f"sample_{name}"] = _ratio(texts[2 * place], texts[2 * place + 1])
    with_topics, coverage, precision = texts[3], texts[6], texts[7]
    squares = totals["squares"] / n[:, None]
    average, area = (np.column_stack([pair[part] for pair in ranked]) for part in (0, 1))
    samples |= {
        "exact_match": exact / n,
        "hamming_loss": wrong / n,
        "mean_average_precision": macro(average),
        "roc_auc": macro(area),
        "coverage_error": _ratio(coverage, with_topics),
        "ranking_average_precision": _ratio(precision, with_topics),
        "brier_score": squares.mean(axis=1),
    }
    by_topic |= {"average_precision": average, "roc_auc": area, "brier_score": squares}
    for column, topic in enumerate(topics):
        samples |= {f"{topic}.{name}": values[:, column] for name, values in by_topic.items()}
    return samples


def _ranks(labels: Labels, scores: Floats) -> tuple[Floats, Floats]:
    """Return each text's coverage and label-ranking precision, 0 where it has no topic."""
    coverage, precision = np.zeros(len(labels)), np.zeros(len(labels))
    for column in range(labels.shape[1]):
        has = labels[:, column] == 1
        above = scores[has] >= scores[has, column, None]
        depth = above.sum(axis=1)
        coverage[has] = np.maximum(coverage[has], depth)
        precision[has] += (above & (labels[has] == 1)).sum(axis=1) / depth
    return coverage, _ratio(precision, labels.sum(axis=1), 0.0)


class _Ranking:
    """The texts of one topic in the order of their scores; equal scores enter together."""

    def __init__(self, labels: Labels, scores: Floats) -> None:
        self.order = np.argsort(-scores, kind="stable")
        self.labels = labels[self.order]
        ranked = scores[self.order]
        self.last = np.append(ranked[1:] != ranked[:-1], True)

    def figures(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return average precision and ROC-AUC, as scikit-learn defines them, under weights (resamples, texts)."""
        drawn = weights[:, self.order]
        seen = np.cumsum(drawn, axis=1)[:, self.last]
        hits = np.cumsum(drawn * self.labels, axis=1)[:, self.last]
        gains = np.diff(hits, axis=1, prepend=0.0)
        losses = np.diff(seen - hits, axis=1, prepend=0.0)
        positives, negatives = hits[:, -1], seen[:, -1] - hits[:, -1]
        average = _ratio((gains * _ratio(hits, seen, 0.0)).sum(axis=1), positives)
        area = _ratio((losses * (hits - gains / 2)).sum(axis=1), positives * negatives)
        return average, area


def _ratio(part: Floats, whole: Floats, otherwise: float = np.nan) -> Floats:
    """Divide, giving `otherwise` where the whole is 0."""
    result: Floats = np.divide(part, whole, out=np.full(np.shape(part), otherwise), where=np.asarray(whole) > 0)
    return result
