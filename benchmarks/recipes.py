"""What was tried for the models, each line repeatable by its name: learnt on some portions, scored on others.

    python -P benchmarks/recipes.py WORK baseline fine-tune pool-max     # without names, all: hours
    python -P benchmarks/recipes.py --list

A portion of the corpus is what one writer wrote. Those of `HELD_OUT` are held out whole, so every score is on writers
who were never read; the test portions are not touched. The logits of each recipe are kept in WORK, where what is there
already is not run again (after a change of code, name another folder), and all that is there is shown in one table:
mean average precision and the mean of the topics' best F1 (at the threshold that suits each best), with 95 % intervals
of a bootstrap that draws bulletins, and how far the first is above that of the recipe it is held against, with the
interval of the paired difference.

Unlike `veilleur train`, this takes the last epoch instead of the best, so it needs no validation part and learns
from it too, and scores one network instead of the soup; `soup` and `soup-sum` are the shipped ones.
"""

import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any
from unittest.mock import patch

import click
import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from sklearn.feature_extraction.text import strip_accents_unicode
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import get_linear_schedule_with_warmup, set_seed
from transformers.trainer_pt_utils import LengthGroupedSampler

from veilleur.evaluate.bootstrap import RESAMPLES, Floats, Interval, Labels, draw_weights, interval, macro, rates
from veilleur.evaluate.run import Answers, Evaluation, judge
from veilleur.labels.rows import LabelledParagraph, label_matrix, shipped_rows, training_hash
from veilleur.labels.topics import read_topics
from veilleur.model.calibration import sigmoid
from veilleur.model.tfidf import plain
from veilleur.seeds.text import normalise
from veilleur.train import encoder
from veilleur.train.base import resolve_base
from veilleur.train.camembert import (
    CamembertSettings,
    Collate,
    Example,
    FittedCamembert,
    encode,
    has_bf16,
    new_network,
    new_optimizer,
    soup,
    window,
)
from veilleur.train.encoder import NEGATIVE
from veilleur.train.folds import grouped_folds
from veilleur.train.tfidf import TfidfSettings, build_pipeline, fit_pipeline, log_count_ratios

HELD_OUT = ("P06", "P11", "P16", "P20")
HEADLINE = "mean_average_precision"
SENTENCE_END = re.compile(r"(?<=[.!?»])\s+(?=[A-ZÀ-Ü«])")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

Rows = Sequence[LabelledParagraph]
Pooling = Callable[[Tensor, Tensor], Tensor]
Change = Callable[[LabelledParagraph, Rows, Random], LabelledParagraph]


@dataclass(frozen=True)
class Task:
    """What every recipe learns from and answers."""

    learnt: Rows
    held: Rows
    topics: tuple[str, ...]
    epochs: int


@dataclass(frozen=True)
class Baseline:
    """The product's pipeline, some parameters of which are set otherwise, as scikit-learn names them.

    Attributes
    ----------
    averaged : bool
        Whether each regression is averaged with one over features weighed by log-count ratios.
    """

    about: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    averaged: bool = True
    against: str = "baseline"

    def logits(self, task: Task) -> Floats:
        pipeline = build_pipeline(TfidfSettings()).set_params(**self.parameters)
        texts = [plain(normalise(row.text)) for row in task.learnt]
        labels = label_matrix(task.learnt, task.topics)
        pipeline = fit_pipeline(pipeline, texts, labels) if self.averaged else pipeline.fit(texts, labels)
        logits: Floats = pipeline.decision_function([plain(normalise(row.text)) for row in task.held])
        return logits


class LogCountRegression(LogisticRegression):  # type: ignore[misc]  # scikit-learn is not typed
    """A logistic regression over features weighed by their log-count ratios."""

    def fit(self, X: Any, y: Any) -> "LogCountRegression":
        self.ratios_ = log_count_ratios(X, y)
        super().fit(X.multiply(self.ratios_).tocsr(), y)
        return self

    def decision_function(self, X: Any) -> Floats:
        logits: Floats = super().decision_function(X.multiply(self.ratios_).tocsr())
        return logits


@dataclass(frozen=True)
class FineTune:
    """The product's network and optimizer, some settings of which are other.

    Attributes
    ----------
    settings : mapping
        Of `CamembertSettings`, those that differ.
    pooling : callable
        From token logits (batch, tokens, topics) and mask (batch, tokens) to text logits (batch, topics).
    smoothing : float
        How far the texts' labels are moved towards one half, as a share of the way from 0 to 1.
    averaging : float
        Decay of an exponential moving average of the weights, which answers in place of the last ones; 0 for none.
    augmentation : mapping of change to float
        Which share of the rows is changed so, drawn anew in each epoch.
    members : int
        How many networks, each learnt without one fold of the bulletins, are averaged; 1 learns from all.
    """

    about: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    pooling: Pooling = encoder.pool
    smoothing: float = 0.0
    averaging: float = 0.0
    augmentation: Mapping[Change, float] = field(default_factory=dict)
    members: int = 1
    against: str = "fine-tune"

    def logits(self, task: Task) -> Floats:
        settings = replace(CamembertSettings(epochs=task.epochs), **self.settings)
        parts = [task.learnt]
        if self.members > 1:
            folds = grouped_folds(task.learnt, task.topics, self.members, settings.seed)
            parts = [[task.learnt[index] for index in train] for train, _ in folds]
        with patch.object(encoder, "pool", self.pooling):  # the network has one pooling, and no choice
            return soup([self._fit(rows, task.topics, settings) for rows in parts]).logits(task.held)

    def _fit(self, rows: Rows, topics: Sequence[str], settings: CamembertSettings) -> FittedCamembert:
        set_seed(settings.seed)
        tokenizer, network = new_network(settings, resolve_base(settings.base), len(topics))
        network = network.to(DEVICE)
        decayed = get_ema_multi_avg_fn(self.averaging)  # type: ignore[no-untyped-call]
        average = AveragedModel(network, multi_avg_fn=decayed) if self.averaging else None
        optimizer = new_optimizer(network, settings)
        steps = settings.epochs * math.ceil(len(rows) / settings.batch_size)
        schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(settings.warmup * steps), steps)
        narrow = has_bf16()
        encoded = cache(lambda row: encode(row, topics, tokenizer, window(network.encoder.config)))
        batches = self._batches(rows, encoded, Collate(tokenizer.pad_token_id), settings)
        network.train()
        for batch in track(batches, "learning", steps, console=Console(stderr=True), disable=not sys.stderr.isatty()):
            with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=narrow):
                loss = network(**{name: tensor.to(DEVICE) for name, tensor in batch.items()})["loss"]
            loss.backward()
            clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            if average:
                average.update_parameters(network)
        if average:
            network.load_state_dict(average.module.state_dict())
        return FittedCamembert(network, tokenizer)

    def _batches(
        self, rows: Rows, encoded: Callable[[LabelledParagraph], Example], collate: Collate, settings: CamembertSettings
    ) -> Iterator[dict[str, Tensor]]:
        """Give the batches of all epochs."""
        draw = Random(settings.seed)
        for _ in range(settings.epochs):
            examples = [encoded(self._changed(row, rows, draw)) for row in rows]
            lengths = [len(example["input_ids"]) for example in examples]
            order = list(LengthGroupedSampler(settings.batch_size, lengths=lengths))
            for start in range(0, len(order), settings.batch_size):
                batch = collate([examples[place] for place in order[start : start + settings.batch_size]])
                batch["labels"] = batch["labels"] * (1 - self.smoothing) + self.smoothing / 2
                yield batch

    def _changed(self, row: LabelledParagraph, rows: Rows, draw: Random) -> LabelledParagraph:
        chance = draw.random()
        for change, share in self.augmentation.items():
            if chance < share:
                return change(row, rows, draw)
            chance -= share
        return row


@dataclass(frozen=True)
class Sum:
    """The sum of the logits of other recipes, computed from what they left."""

    about: str
    of: tuple[str, ...]
    against: str = "fine-tune"


def first_token(token_logits: Tensor, mask: Tensor) -> Tensor:
    return token_logits[:, 0]


def mean(token_logits: Tensor, mask: Tensor) -> Tensor:
    return (token_logits * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1)[:, None]


def highest(token_logits: Tensor, mask: Tensor) -> Tensor:
    return token_logits.masked_fill(mask[:, :, None] == 0, NEGATIVE).amax(dim=1)


def log_sum_exp(token_logits: Tensor, mask: Tensor) -> Tensor:
    return token_logits.masked_fill(mask[:, :, None] == 0, NEGATIVE).logsumexp(dim=1)


def drop_sentences(row: LabelledParagraph, rows: Rows, draw: Random) -> LabelledParagraph:
    """Drop about two of five sentences without evidence; a text whose evidence would not survive stays as it is."""
    passages = [passage for found in row.evidence.values() for passage in found]
    sentences = SENTENCE_END.split(row.text)
    kept = [one for one in sentences if any(passage in one for passage in passages) or draw.random() < 0.6]
    text = " ".join(kept or sentences[:1])
    return replace(row, text=text) if all(passage in text for passage in passages) else row


def paste_sentence(row: LabelledParagraph, rows: Rows, draw: Random) -> LabelledParagraph:
    """Put a sentence of any paragraph between two of this one; it brings the topics whose evidence it holds."""
    other = draw.choice(rows)
    sentence = draw.choice(SENTENCE_END.split(other.text))
    brought = {
        topic: tuple(passage for passage in found if passage in sentence) for topic, found in other.evidence.items()
    }
    topics = tuple(dict.fromkeys([*row.topics, *(topic for topic, found in brought.items() if found)]))
    evidence = {topic: (*row.evidence.get(topic, ()), *brought.get(topic, ())) for topic in topics}
    sentences = SENTENCE_END.split(row.text)
    sentences.insert(draw.randrange(len(sentences) + 1), sentence)
    return replace(row, text=" ".join(sentences), topics=topics, evidence=evidence)


def retype(row: LabelledParagraph, rows: Rows, draw: Random) -> LabelledParagraph:
    """Write a text in capitals, in small letters or without accents."""
    form: Callable[[str], str] = draw.choice([str.upper, str.lower, strip_accents_unicode])
    evidence = {topic: tuple(map(form, found)) for topic, found in row.evidence.items()}
    return replace(row, text=form(row.text), evidence=evidence)


WORDS, CHARACTERS, REGRESSION = "features__words", "features__characters", "topics__estimator"
RATE, HEAD_RATE = CamembertSettings.learning_rate, CamembertSettings.head_learning_rate
RECIPES: dict[str, Baseline | FineTune | Sum] = {
    "baseline": Baseline("the baseline as shipped", against="fine-tune"),
    "baseline-words": Baseline("n-grams of words only", {CHARACTERS: "drop"}),
    "baseline-characters": Baseline("n-grams of characters only", {WORDS: "drop"}),
    "baseline-unigrams": Baseline("single words, no pairs, beside the characters", {f"{WORDS}__ngram_range": (1, 1)}),
    "baseline-c1": Baseline("C 1: a stronger penalty", {f"{REGRESSION}__C": 1.0}),
    "baseline-c100": Baseline("C 100: a weaker penalty", {f"{REGRESSION}__C": 100.0}),
    "baseline-unbalanced": Baseline("positives weigh no more than negatives", {f"{REGRESSION}__class_weight": None}),
    "baseline-plain": Baseline("the regression over the features as they are, alone", averaged=False),
    "baseline-log-counts": Baseline(
        "the regression over features weighed by log-count ratios, alone",
        {REGRESSION: LogCountRegression(C=TfidfSettings.c, class_weight="balanced", max_iter=1000)},
        averaged=False,
    ),
    "fine-tune": FineTune("one network as shipped: soft votes, evidence loss, half frozen, layer decay 0.9, batch 8"),
    "seed-1": FineTune("another seed, which tells how much is chance", {"seed": 1}),
    "no-evidence": FineTune("without the loss over evidence", {"evidence_weight": 0.0}),
    # Without evidence, which would tell the first token, and most others, that they speak of no topic.
    "pool-first": FineTune(
        "the first token alone, no evidence", {"evidence_weight": 0.0}, first_token, against="no-evidence"
    ),
    "pool-mean": FineTune("the mean of all votes, no evidence", {"evidence_weight": 0.0}, mean, against="no-evidence"),
    "pool-max": FineTune("the highest vote of the tokens", pooling=highest),
    "pool-lse": FineTune("the log-sum-exp of the tokens' votes", pooling=log_sum_exp),
    "frozen-none": FineTune("all layers learn", {"frozen": 0.0}),
    "frozen-two-thirds": FineTune("the lower two thirds of the layers stay", {"frozen": 2 / 3}),
    "frozen-all": FineTune("all layers stay: the head alone learns", {"frozen": 1.0}),
    "no-layer-decay": FineTune("all layers learn at the same rate", {"layer_decay": 1.0}),
    "dropout": FineTune("dropout 0.1", {"dropout": 0.1}),
    "smoothing": FineTune("label smoothing 0.1", smoothing=0.1),
    "averaging": FineTune("an exponential moving average of the weights, decay 0.998", averaging=0.998),
    "augment-drop": FineTune("a third of the texts lose some sentences", augmentation={drop_sentences: 1 / 3}),
    "augment-paste": FineTune("a third of the texts gain a sentence of another", augmentation={paste_sentence: 1 / 3}),
    "augment-retype": FineTune("a tenth of the texts in other case or without accents", augmentation={retype: 0.1}),
    "augment-all": FineTune(
        "all three together, on two fifths", augmentation={drop_sentences: 0.175, paste_sentence: 0.175, retype: 0.05}
    ),
    "batch-16": FineTune("batches of 16", {"batch_size": 16}),
    "rate-half": FineTune("half the learning rates", {"learning_rate": RATE / 2, "head_learning_rate": HEAD_RATE / 2}),
    "rate-double": FineTune(
        "twice the learning rates", {"learning_rate": 2 * RATE, "head_learning_rate": 2 * HEAD_RATE}
    ),
    "soup": FineTune("mean weights of three networks, each without a third of the bulletins", members=3),
    "sum": Sum("logits of baseline and one network added", ("baseline", "fine-tune")),
    "soup-sum": Sum("logits of baseline and soup added, as shipped", ("baseline", "soup")),
}


@dataclass(frozen=True)
class Outcome:
    """What a recipe says of the held-out rows, logits of shape (rows, topics), and the seconds that it took."""

    logits: Floats
    seconds: float


@dataclass(frozen=True)
class Store:
    """The folder in which outcomes are kept."""

    folder: Path

    def check(self, task: Task) -> None:
        """Refuse a folder whose outcomes are of another task."""
        note = self.folder / "task.json"
        content = json.dumps([task.epochs, training_hash(task.learnt), training_hash(task.held)])
        if note.is_file() and note.read_text(encoding="utf-8") != content:
            raise click.ClickException(f"{self.folder} is of other labels or options: repeat those, or name another")
        self.folder.mkdir(parents=True, exist_ok=True)
        note.write_text(content, encoding="utf-8")

    def find(self, name: str) -> Outcome | None:
        """Return what was kept of a recipe; a sum is there when its parts are."""
        recipe = RECIPES[name]
        if isinstance(recipe, Sum):
            parts = [part for part in map(self.find, recipe.of) if part]
            if len(parts) < len(recipe.of):
                return None
            return Outcome(np.sum([part.logits for part in parts], axis=0), sum(part.seconds for part in parts))
        path = self.folder / f"{name}.npz"
        if not path.is_file():
            return None
        with np.load(path) as arrays:
            return Outcome(arrays["logits"].astype(np.float64), float(arrays["seconds"]))

    def run(self, name: str, task: Task) -> None:
        """Keep a recipe's outcome, unless it is there already; the file appears when it is complete."""
        if self.find(name):
            return
        recipe = RECIPES[name]
        if isinstance(recipe, Sum):
            for part in recipe.of:
                self.run(part, task)
            return
        click.echo(f"{name}: {recipe.about}", err=True)
        began = perf_counter()
        logits = recipe.logits(task)
        path = self.folder / f"{name}.npz"
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, logits=logits, seconds=perf_counter() - began)
        partial.rename(path)


def best_f1(labels: Labels, logits: Floats, weights: Floats) -> Floats:
    """Return the mean of the topics' best F1 under weights (resamples, rows), of shape (resamples,)."""
    best = []
    for truth, scores in zip(labels.T, logits.T, strict=True):
        order = np.argsort(-scores, kind="stable")
        last = np.append(np.diff(scores[order]) != 0, True)  # equal scores are given together
        given = np.cumsum(weights[:, order], axis=1)[:, last]
        hits = np.cumsum(weights[:, order] * truth[order], axis=1)[:, last]
        best.append(rates(hits, np.broadcast_to(hits[:, -1:], hits.shape), given)[2].max(axis=1))
    return macro(np.column_stack(best))


def table(store: Store, task: Task) -> list[list[str]]:
    """Return head and lines of all recipes in the store."""
    labels, groups = label_matrix(task.held, task.topics), [row.bulletin for row in task.held]
    names, owner = np.unique(groups, return_inverse=True)
    drawn = np.concatenate(list(draw_weights(len(names), RESAMPLES, seed=0, width=len(groups))))[:, owner]
    outcomes = {name: found for name in RECIPES if (found := store.find(name))}
    judged = {name: _judged(name, found.logits, task) for name, found in outcomes.items()}
    lines = [["recipe", "mean average precision", "mean best F1", "difference", "to", "seconds", "what it is"]]
    for name, found in outcomes.items():
        recipe, scores = RECIPES[name], judged[name].scores
        f1 = float(best_f1(labels, found.logits, np.ones((1, len(labels))))[0])
        lines.append(
            [
                name,
                _figure(scores.mean_average_precision or 0.0, scores.intervals[HEADLINE]),
                _figure(f1, interval(best_f1(labels, found.logits, drawn))),
                *_difference(judged[name], judged.get(recipe.against)),
                f"{found.seconds:.0f}",
                recipe.about,
            ]
        )
    return lines


def _judged(name: str, logits: Floats, task: Task) -> Evaluation:
    thresholds = (0.5,) * len(task.topics)  # which none of the figures shown reads
    return judge(Answers(name, task.topics, thresholds, sigmoid(logits), (logits > 0).astype(np.int64)), task.held)


def _difference(one: Evaluation, other: Evaluation | None) -> tuple[str, str]:
    if other is None or one is other:
        return "", ""
    difference = (one.scores.mean_average_precision or 0.0) - (other.scores.mean_average_precision or 0.0)
    return _figure(difference, interval(one.samples[HEADLINE] - other.samples[HEADLINE]), "+"), other.answers.name


def _figure(value: float, ends: Interval, sign: str = "") -> str:
    low, high = (f"{end:{sign}.3f}" for end in ends)
    return f"{value:{sign}.3f} ({low} to {high})".replace("-", "−")


def read_task(learn_from: str, limit: int | None, epochs: int) -> Task:
    rows = [row for row in shipped_rows() if row.split != "test"]
    if learn_from not in {row.source for row in rows}:
        raise click.ClickException(f"there is no portion {learn_from!r} to learn from: name one, such as P20")
    learnt = [row for row in rows if row.source <= learn_from and row.source not in HELD_OUT]
    if limit and limit < len(learnt):  # from everywhere alike
        learnt = [learnt[place] for place in np.linspace(0, len(learnt) - 1, limit, dtype=int)]
    return Task(learnt, [row for row in rows if row.source in HELD_OUT], read_topics().ids, epochs)


def list_recipes(context: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked:
        for name, recipe in RECIPES.items():
            click.echo(f"{name:20} {recipe.about}")
        context.exit()


@click.command()
@click.argument("work", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", metavar="[RECIPE]...", nargs=-1, type=click.Choice(tuple(RECIPES)))
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=list_recipes, help="List all recipes."
)
@click.option("--epochs", type=click.IntRange(1), default=4, show_default=True, help="Of the fine-tunes.")
@click.option("--learn-from", metavar="PORTION", default="P20", show_default=True, help="The last one learnt from.")
@click.option("--limit", type=click.IntRange(1), help="Learn from so many paragraphs only.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Write the table here as well.")
def main(
    work: Path, names: tuple[str, ...], epochs: int, learn_from: str, limit: int | None, markdown: Path | None
) -> None:
    """Run recipes, all of them where none is named, and show all outcomes in WORK."""
    task, store = read_task(learn_from, limit, epochs), Store(work)
    store.check(task)
    for name in names or RECIPES:
        store.run(name, task)
    sizes = [
        f"{len(rows):,} paragraphs of {len({row.bulletin for row in rows})} bulletins"
        for rows in (task.learnt, task.held)
    ]
    head = f"learnt from {sizes[0]} in {epochs} epochs, scored on {sizes[1]} ({', '.join(HELD_OUT)}), never read"
    lines = table(store, task)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    click.echo(f"{head}\n")
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    if markdown:
        lines.insert(1, ["---"] * len(widths))
        markdown.write_text(f"{head}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
