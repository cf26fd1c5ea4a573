"""The report's pictures: vector drawings by matplotlib, each with a text alternative.

They are drawn on a transparent ground, their text in the colour of the page's, so that they read in light and dark.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import precision_recall_curve

from veilleur.evaluate.bootstrap import Floats, Labels, interval, macro, rates, resampled_sums
from veilleur.evaluate.metrics import BINS
from veilleur.evaluate.run import Answers, Evaluation
from veilleur.evaluate.slices import Slice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OPENING = '<svg style="'  # of every picture
INK = "#010203"  # becomes the page's text colour
COLOURS = ("#3b78d8", "#c2611a", "#2f8f5b", "#9a5fc0", "#a8743a", "#c4497e")  # 3:1 on white and on near-black
LINES = ("-", "--", "-.", ":")
MARKS = ("o", "s", "^", "D", "v", "P")
POINTS = 200  # of a curve; more cannot be seen
CUTS = np.linspace(0.02, 0.98, 49)
SHARES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
ACROSS = 3  # small pictures side by side


@dataclass(frozen=True)
class Picture:
    """A drawing as SVG, with a title, a caption that says how to read it, and what it shows in words."""

    name: str
    title: str
    caption: str
    alternative: str
    svg: str

    @property
    def standalone(self) -> str:
        """The SVG for a file, which does not know its page's colours and brings those of the light scheme."""
        return self.svg.replace(OPENING, f"{OPENING}color: #1b1e22; background: #ffffff; ", 1)


def pictures(
    labels: Labels,
    groups: Sequence[str],
    evaluations: Sequence[Evaluation],
    slices: Sequence[Slice],
    *,
    resamples: int,
    seed: int,
) -> list[Picture]:
    """Draw all pictures of a report.

    Parameters
    ----------
    labels : array of shape (texts, topics), 0 or 1
    groups : sequence of str
        The bulletin of each text.
    evaluations : sequence of Evaluation
    slices : sequence of Slice
        Among them those by length.
    resamples, seed : int
        Of the intervals over the share of labels seen.
    """
    answers = [one.answers for one in evaluations]
    return [
        _f1_by_topic(evaluations),
        _precision_recall(labels, answers),
        _thresholds(labels, answers),
        _reliability(labels, answers),
        *(_confusion(labels, one, place) for place, one in enumerate(answers, 1)),
        _together(labels, answers),
        *_by_length(slices, answers),
        *_labels_seen(labels, groups, answers, resamples, seed),
    ]


def _f1_by_topic(evaluations: Sequence[Evaluation]) -> Picture:
    topics = evaluations[0].answers.topics
    words = []
    with _drawing(1, 1, (7.2, 0.8 + 0.22 * len(topics) * (1 + len(evaluations)))) as (figure, (axes,)):
        for place, one in enumerate(evaluations):
            said = []
            for row, topic in enumerate(topics):
                value, between = one.scores.topics[topic].f1, one.scores.intervals.get(f"{topic}.f1")
                said.append(f"{topic} {_words(value, between)}")
                if value is None:
                    continue
                height = row + (place - (len(evaluations) - 1) / 2) * 0.7 / len(evaluations)
                if between:
                    axes.plot(between, [height, height], color=_colour(place), linewidth=1.5)
                axes.plot([value], [height], MARKS[place % len(MARKS)], color=_colour(place), markersize=5)
            axes.plot([], [], MARKS[place % len(MARKS)] + "-", color=_colour(place), label=_label(one.answers.name))
            words.append(f"{one.answers.name}: {', '.join(said)}.")
        axes.set(xlim=(0, 1.01), xlabel="F1", yticks=range(len(topics)), yticklabels=topics)
        axes.set_ylim(len(topics) - 0.5, -0.5)
        _legend(figure, axes)
        svg = _svg(figure, "f1")
    return Picture(
        "f1",
        "F1 of each topic",
        "A mark is the F1 of a model, the line through it its 95 % interval.",
        " ".join(words),
        svg,
    )


def _precision_recall(labels: Labels, models: Sequence[Answers]) -> Picture:
    def draw(axes: "Axes", truth: Labels, column: int, place: int, model: Answers) -> str:
        precision, recall, _ = precision_recall_curve(truth, model.probabilities[:, column])
        kept = _thinned(len(recall))
        axes.step(recall[kept], precision[kept], LINES[place % 4], where="post", **_line(place, model.name))
        at = _rates(truth, model.predicted[:, column])
        if at[0] is not None and at[1] is not None:
            axes.plot([at[1]], [at[0]], MARKS[place % len(MARKS)], color=_colour(place), markersize=6)
        return f"{model.name} precision {_words(at[0])} at recall {_words(at[1])}"

    return _each_topic(
        "precision-recall",
        "Precision and recall of each topic",
        "A curve shows what every threshold would give; the mark is the shipped threshold.",
        labels,
        models,
        draw,
        {"xlim": (0, 1.02), "ylim": (0, 1.04), "xlabel": "recall", "ylabel": "precision"},
    )


def _thresholds(labels: Labels, models: Sequence[Answers]) -> Picture:
    def draw(axes: "Axes", truth: Labels, column: int, place: int, model: Answers) -> str:
        scores = model.probabilities[:, column]
        above, hits = (_count_from(values, CUTS) for values in (scores, scores[truth == 1]))
        f1 = 2 * hits / (above + truth.sum())
        axes.plot(CUTS, f1, LINES[place % 4], **_line(place, model.name))
        shipped = model.thresholds[column]
        axes.axvline(shipped, color=_colour(place), linewidth=1, linestyle=LINES[place % 4])
        best = int(np.argmax(f1))
        return f"{model.name} ships {shipped:.2f}, best here is {CUTS[best]:.2f} with F1 {f1[best]:.2f}"

    return _each_topic(
        "thresholds",
        "F1 at every threshold",
        "The vertical lines are the shipped thresholds. That another is better on these labels is no reason to ship "
        "it: it was found on the labels that it is scored on.",
        labels,
        models,
        draw,
        {"xlim": (0, 1), "ylim": (0, 1.04), "xlabel": "threshold", "ylabel": "F1"},
        between="; ",
    )


def _reliability(labels: Labels, models: Sequence[Answers]) -> Picture:
    words = []
    with _by_topic(models[0].topics) as (figure, panels):
        for column, (topic, axes) in enumerate(zip(models[0].topics, panels, strict=True)):
            axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="probability", ylabel="share with the topic")
            axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, alpha=0.6)
            truth, said = labels[:, column], []
            for place, model in enumerate(models):
                scores = model.probabilities[:, column]
                bins = np.minimum((scores * BINS).astype(int), BINS - 1)
                counts = np.bincount(bins, minlength=BINS)
                used = counts > 0
                mean = np.bincount(bins, scores, BINS)[used] / counts[used]
                share = np.bincount(bins, truth, BINS)[used] / counts[used]
                axes.plot(mean, share, MARKS[place % len(MARKS)] + "-", markersize=4, **_line(place, model.name))
                gap = float(np.abs(share - mean) @ counts[used] / counts.sum())
                said.append(f"{model.name} is off by {gap:.3f} on average")
            words.append(f"{topic}: {', '.join(said)}.")
        _legend(figure, panels[0])
        svg = _svg(figure, "reliability")
    return Picture(
        "reliability",
        "Whether probabilities are what they say",
        "On the diagonal, of the paragraphs given 0.7, seven of ten have the topic. Points far to the sides of it "
        "rest on few paragraphs.",
        " ".join(words),
        svg,
    )


def _confusion(labels: Labels, model: Answers, place: int) -> Picture:
    true = labels.astype(np.float64)
    wrong = model.predicted * (1 - true)
    shares = true.T @ wrong
    np.fill_diagonal(shares, (true * model.predicted).sum(axis=0))
    support = true.sum(axis=0)[:, None]
    shares = np.divide(shares, support, out=np.full_like(shares, np.nan), where=support > 0)
    name = f"confusion-{place}"
    svg = _heat([("", shares)], model.topics, "the label given", "the true label", name)
    off = [
        (float(shares[i, j]), f"{one} read as {other}: {shares[i, j]:.2f}")
        for i, one in enumerate(model.topics)
        for j, other in enumerate(model.topics)
        if i != j and shares[i, j] > 0
    ]
    worst = [text for _, text in sorted(off, reverse=True)[:5]]
    return Picture(
        name,
        f"Topics that {model.name} confuses",
        "Of the paragraphs with the topic of the row: on the diagonal, the share in which it was found; elsewhere, the "
        "share that was wrongly given the topic of the column.",
        f"The greatest shares off the diagonal: {'; '.join(worst)}." if worst else "Nothing lies off the diagonal.",
        svg,
    )


def _together(labels: Labels, models: Sequence[Answers]) -> Picture:
    panels, words = [], []
    for name, given in (("the labels", labels), *((model.name, model.predicted) for model in models)):
        counts = (given.T @ given).astype(np.float64)
        alone = np.diag(counts)[:, None]
        panels.append((name, np.divide(counts, alone, out=np.full_like(counts, np.nan), where=alone > 0)))
        pairs = [
            (int(counts[i, j]), f"{models[0].topics[i]} with {models[0].topics[j]} {int(counts[i, j])} times")
            for i in range(len(counts))
            for j in range(i)
            if counts[i, j]
        ]
        said = "; ".join(text for _, text in sorted(pairs, reverse=True)[:3]) or "no two topics together"
        words.append(f"In {name}: {said}.")
    return Picture(
        "together",
        "Topics that occur together",
        "Of the paragraphs with the topic of the row, the share that also has the topic of the column: in the labels, "
        "and as each model gives them.",
        " ".join(words),
        _heat(panels, models[0].topics, "also has", "topic", "together"),
    )


def _by_length(slices: Sequence[Slice], models: Sequence[Answers]) -> list[Picture]:
    bands = sorted((one for one in slices if one.column == "length"), key=lambda one: _first_number(one.value))
    if not bands:
        return []
    words = []
    with _drawing(1, 1, (7.2, 3.4)) as (figure, (axes,)):
        for place, model in enumerate(models):
            at = [number + (place - (len(models) - 1) / 2) * 0.12 for number in range(len(bands))]
            scores = [band.scores[place] for band in bands]
            _with_intervals(axes, at, [one.f1 for one in scores], [one.interval for one in scores], place, model.name)
            said = (f"{band.value} {_words(one.f1, one.interval)}" for band, one in zip(bands, scores, strict=True))
            words.append(f"{model.name}: {', '.join(said)}.")
        ticks = [f"{band.value}\n({band.n})" for band in bands]
        axes.set(ylim=(0, 1.04), ylabel="micro-F1", xticks=range(len(bands)), xticklabels=ticks)
        _legend(figure, axes)
        svg = _svg(figure, "length")
    caption = "Micro-F1 with its 95 % interval, by the number of words; in brackets, how many paragraphs."
    return [Picture("length", "Score by length of paragraph", caption, " ".join(words), svg)]


def _labels_seen(
    labels: Labels, groups: Sequence[str], models: Sequence[Answers], resamples: int, seed: int
) -> list[Picture]:
    """Show how the macro-F1 settles as more of the labelled bulletins are looked at, in a random order."""
    names, owner = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2 / SHARES[0]:
        return []
    rank = np.random.default_rng(seed).permutation(len(names))[owner]
    words = []
    with _drawing(1, 1, (7.2, 3.4)) as (figure, (axes,)):
        for place, model in enumerate(models):
            values, intervals = [], []
            for share in SHARES:
                seen = np.flatnonzero(rank < share * len(names))
                value, between = _macro_f1(labels[seen], model.predicted[seen], owner[seen], resamples, seed)
                values.append(value)
                intervals.append(between)
            at = [100 * share + (place - (len(models) - 1) / 2) for share in SHARES]
            _with_intervals(axes, at, values, intervals, place, model.name)
            said = (
                f"{share:.0%} {_words(value, between)}"
                for share, value, between in zip(SHARES, values, intervals, strict=True)
            )
            words.append(f"{model.name}: {', '.join(said)}.")
        axes.set(ylim=(0, 1.04), xlim=(0, 105), ylabel="macro-F1", xlabel="% of the labelled bulletins seen")
        _legend(figure, axes)
        svg = _svg(figure, "labels-seen")
    caption = (
        "Macro-F1 with its 95 % interval on the first bulletins of a random order. Where it still moves, more labels "
        "would change the picture; where intervals stay apart, they would not."
    )
    return [Picture("labels-seen", "Score by share of the labels seen", caption, " ".join(words), svg)]


def _macro_f1(
    labels: Labels, predicted: Labels, owner: Any, resamples: int, seed: int
) -> tuple[float | None, tuple[float, float] | None]:
    counts = np.column_stack([labels & predicted, labels, predicted])

    def f1(sums: Floats) -> Floats:
        return macro(rates(*np.split(sums, 3, axis=-1))[2])

    value = float(f1(counts.sum(axis=0, dtype=float)))
    samples = f1(resampled_sums(counts, owner, resamples, seed))
    return None if np.isnan(value) else value, None if np.isnan(samples).all() else interval(samples)


def _heat(panels: Sequence[tuple[str, Floats]], topics: Sequence[str], across: str, down: str, name: str) -> str:
    """Draw shares as shaded cells with their numbers."""
    n = len(topics)
    side = 1.6 + 0.55 * n
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    with _drawing(lines, columns, (side * columns, (side - 0.3) * lines), len(panels)) as (figure, axes):
        for (title, shares), one in zip(panels, axes, strict=True):
            one.pcolormesh(np.nan_to_num(shares), cmap="Blues", vmin=0, vmax=1, edgecolor="#888888", linewidth=0.3)
            for i, j in np.ndindex(n, n):
                text = "–" if np.isnan(shares[i, j]) else f"{shares[i, j]:.2f}"
                ink = "#ffffff" if shares[i, j] > 0.7 else "#111111"
                one.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=8, color=ink)
            one.set(xticks=np.arange(n) + 0.5, yticks=np.arange(n) + 0.5, yticklabels=topics, xlabel=across)
            one.set_xticklabels(topics, rotation=40, ha="right")
            one.set_ylabel(down)
            one.set_title(title)
            one.invert_yaxis()
            one.grid(False)
        return _svg(figure, name)


def _each_topic(
    name: str,
    title: str,
    caption: str,
    labels: Labels,
    models: Sequence[Answers],
    draw: "Callable[[Axes, Labels, int, int, Answers], str]",
    frame: Mapping[str, Any],
    between: str = ", ",
) -> Picture:
    """Draw each model into a panel for each topic that a paragraph has; `draw` also says what it drew."""
    words = []
    with _by_topic(models[0].topics) as (figure, panels):
        for column, (topic, axes) in enumerate(zip(models[0].topics, panels, strict=True)):
            axes.set(**frame)
            truth = labels[:, column]
            if not truth.any():
                _undefined(axes, "no paragraph has it")
                words.append(f"{topic}: undefined.")
                continue
            said = [draw(axes, truth, column, place, model) for place, model in enumerate(models)]
            words.append(f"{topic}: {between.join(said)}.")
        _legend(figure, panels[0])
        svg = _svg(figure, name)
    return Picture(name, title, caption, " ".join(words), svg)


def _with_intervals(
    axes: "Axes",
    at: Sequence[float],
    values: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    place: int,
    name: str,
) -> None:
    drawn = [(x, value, between) for x, value, between in zip(at, values, intervals, strict=True) if value is not None]
    mark = MARKS[place % len(MARKS)]
    axes.plot([x for x, *_ in drawn], [value for _, value, _ in drawn], mark + LINES[place % 4], **_line(place, name))
    for x, _, between in drawn:
        if between:
            axes.plot([x, x], between, color=_colour(place), linewidth=1.2)


@contextmanager
def _by_topic(topics: Sequence[str]) -> "Iterator[tuple[Figure, list[Axes]]]":
    """Give a small picture for each topic."""
    lines = -(-len(topics) // ACROSS)
    columns = min(ACROSS, len(topics))
    with _drawing(lines, columns, (2.9 * columns, 2.6 * lines + 0.3), len(topics)) as (figure, panels):
        for topic, axes in zip(topics, panels, strict=True):
            axes.set_title(topic)
        yield figure, panels


@contextmanager
def _drawing(
    lines: int, columns: int, size: tuple[float, float], used: int | None = None
) -> "Iterator[tuple[Figure, list[Axes]]]":
    """Give a figure of some axes, those beyond `used` left out, in the report's style."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "axes.edgecolor": INK,
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.labelcolor": INK,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 10,
        "figure.facecolor": "none",
        "font.family": "sans-serif",
        "font.size": 9,
        "grid.alpha": 0.35,
        "grid.color": "#888888",
        "legend.frameon": False,
        "legend.labelcolor": INK,
        "savefig.facecolor": "none",
        "svg.fonttype": "none",
        "svg.hashsalt": "veilleur",
        "text.color": INK,
        "text.parse_math": False,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False).ravel().tolist()
        for extra in panels[used:] if used else ():
            extra.remove()
        yield figure, panels[:used]


def _svg(figure: "Figure", name: str) -> str:
    """Return a figure as an SVG element whose ids are its own, so that several can stand in one page."""
    file = StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    wide = 1.25 * 72 * float(figure.get_figwidth())
    size = f'{OPENING}max-width: {wide:.0f}pt" '
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', rf"{size}\1", svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", svg, count=1)
    return svg.replace(INK, "currentColor")


def _legend(figure: "Figure", axes: "Axes") -> None:
    handles, names = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside lower center", ncols=min(4, len(handles)))


def _undefined(axes: "Axes", why: str) -> None:
    axes.text(0.5, 0.5, f"undefined:\n{why}", ha="center", va="center", transform=axes.transAxes)


def _line(place: int, name: str) -> Mapping[str, Any]:
    return {"color": _colour(place), "linewidth": 1.5, "label": _label(name)}


def _label(name: str) -> str:
    """Return a name for the legend, from which matplotlib leaves out those that begin with an underscore."""
    return f"\u200b{name}" if name.startswith("_") else name


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _thinned(count: int) -> Any:
    """Return which points of a curve are drawn."""
    return np.unique(np.linspace(0, count - 1, min(count, POINTS)).astype(int))


def _count_from(scores: Floats, cuts: Floats) -> Floats:
    """Count the scores that reach each cut."""
    return (len(scores) - np.searchsorted(np.sort(scores), cuts, side="left")).astype(np.float64)


def _rates(truth: Labels, given: Labels) -> tuple[float | None, float | None]:
    hits = float((truth & given).sum())
    return hits / given.sum() if given.any() else None, hits / truth.sum() if truth.any() else None


def _words(value: float | None, between: tuple[float, float] | None = None) -> str:
    if value is None:
        return "undefined"
    return f"{value:.2f}" + (f" ({between[0]:.2f} to {between[1]:.2f})" if between else "")


def _first_number(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found[0]) + text.startswith("over") if found else 0
