"""How far more labels carry: both models trained on the articles alone and on growing shares of the corpus.

    python -P benchmarks/learning_curve.py WORK --labels ../shared/real/dev.jsonl

Trains into WORK (what is there already is not trained again), prints a table, and writes docs/learning-curve.svg and
docs/learning-curve.json. Shares are drawn by bulletin, each within the next; the articles and the validation part are
always there. Thresholds and calibration of the fine-tune come from the validation part, which the models do not learn
from, those of the baseline from out-of-fold predictions.
"""

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import matplotlib.pyplot as plt
import numpy as np

from veilleur.errors import VeilleurError
from veilleur.evaluate.run import evaluate, read_labels
from veilleur.labels.rows import LabelledParagraph, shipped_rows
from veilleur.labels.topics import read_topics
from veilleur.model.bundle import MANIFEST
from veilleur.model.tagger import load
from veilleur.train.camembert import CamembertSettings
from veilleur.train.run import Job, train_camembert, train_tfidf
from veilleur.train.tfidf import TfidfSettings

SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)
DOCS = Path(__file__).parent.parent / "docs"


def drawn(rows: list[LabelledParagraph], share: float, seed: int) -> list[LabelledParagraph]:
    """Return the rows of the articles and of this share of the bulletins to learn from, and the validation part."""
    names = sorted({row.bulletin for row in rows if row.origin == "composed" and row.split == "train"})
    order = np.random.default_rng(seed).permutation(names)
    kept = set(order[: round(share * len(names))])
    return [row for row in rows if row.origin != "composed" or row.split == "validation" or row.bulletin in kept]


def train(kind: str, rows: list[LabelledParagraph], out: Path, seed: int) -> None:
    job = Job(rows, read_topics().ids, out, "benchmarks/learning_curve.py")
    if kind == "tfidf":
        train_tfidf(replace(job, rows=[row for row in rows if row.split != "validation"]), TfidfSettings(seed=seed))
        return
    settings = CamembertSettings(seed=seed, folds=1)
    # A small share gets more passes, so that every model takes enough steps to converge.
    passes = max(settings.epochs, min(15, round(5000 / len(job.learnt))))
    train_camembert(job, replace(settings, epochs=passes), lambda part, progress: None, resume=True)


@dataclass(frozen=True)
class Point:
    """A bundle's scores on each label set."""

    kind: str
    share: float
    paragraphs: int
    macro_f1: dict[str, float | None]
    intervals: dict[str, tuple[float, float]]


def picture(points: list[Point], path: Path) -> None:
    plt.rcParams["svg.hashsalt"] = "veilleur"  # the same figures give the same file
    figure, axes = plt.subplots(figsize=(7, 4))
    styles = {"camembert": ("#1f4e79", "o"), "tfidf": ("#b5651d", "s")}
    for kind, (colour, marker) in styles.items():
        mine = [point for point in points if point.kind == kind]
        for name, dash in zip(points[0].macro_f1, ("--", "-", ":"), strict=False):
            axes.plot(
                [point.paragraphs for point in mine],
                [point.macro_f1[name] or 0.0 for point in mine],
                dash,
                color=colour,
                marker=marker,
                label=f"{kind}, {name}",
            )
    axes.set_xlabel("labelled paragraphs learnt from")
    axes.set_ylabel("macro-F1")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


@click.command()
@click.argument("work", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--labels", type=click.Path(exists=True, path_type=Path), multiple=True, help="Further labels to score on."
)
@click.option("--seed", default=0, show_default=True)
@click.option("--only-train", is_flag=True, help="Train, but score and draw nothing yet.")
def main(work: Path, labels: tuple[Path, ...], seed: int, only_train: bool) -> None:
    """Train both models on growing shares of the corpus into WORK, score and draw."""
    rows = [row for row in shipped_rows() if row.split != "test"]
    topics = read_topics().ids
    if len({path.name for path in labels}) < len(labels):
        raise click.UsageError("two --labels have the same name: rename one, or score them one at a time")
    tests = {"corpus test": shipped_rows(split="test"), **{path.name: read_labels([path], topics) for path in labels}}
    points: list[Point] = []
    for share in SHARES:
        for kind in ("tfidf", "camembert"):
            out = work / f"{kind}-{round(100 * share)}"
            learnt = drawn(rows, share, seed)
            if not (out / MANIFEST).is_file():
                train(kind, learnt, out, seed)
            if only_train:
                continue
            tagger = load(out)
            scores = {name: evaluate(tagger, test) for name, test in tests.items()}
            point = Point(
                kind,
                share,
                sum(row.split != "validation" for row in learnt),
                {name: score.macro_f1 for name, score in scores.items()},
                {name: score.intervals["macro_f1"] for name, score in scores.items()},
            )
            points.append(point)
            figures = "  ".join(
                f"{name} {score.macro_f1:.3f} ({' to '.join(f'{end:.3f}' for end in score.intervals['macro_f1'])})"
                for name, score in scores.items()
            )
            click.echo(f"{kind:9} {round(100 * share):3} %  {point.paragraphs:5} paragraphs  {figures}")
    if not only_train:
        content = json.dumps([asdict(point) for point in points], indent=1)
        (DOCS / "learning-curve.json").write_text(content + "\n", encoding="utf-8")
        picture(points, DOCS / "learning-curve.svg")


if __name__ == "__main__":
    try:
        main()
    except VeilleurError as error:
        sys.exit(f"Error: {error}")
