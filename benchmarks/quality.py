"""How well both models do beside others that learn from the same labels.

    python -P benchmarks/quality.py WORK --labels ../shared/real/dev.jsonl --keywords ../shared/real/keyword_peer.py

Trains each peer and prints one table, on the corpus's test part and on further labels. Both models are the shipped
bundles, whose training took the same labels. A peer learns from what the fine-tune learns from, and is calibrated and
given its thresholds the same way: out of fold, or on the validation part where a training for each fold would take too
long. Its logits are kept in WORK, each under a hash of settings and texts, so what is there already is not trained
again. No peer was tuned on what it is scored on. Seconds are those of all folds and answers together. Needs the extra
`benchmarks`.
"""

import hashlib
import importlib.util
import json
import random
import re
import runpy
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, redirect_stdout
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, ClassVar

import click
import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError
from veilleur.evaluate.comparison import Difference, compare, holm
from veilleur.evaluate.run import Answers, Evaluation, ask, in_order, judge, read_labels
from veilleur.labels.rows import LabelledParagraph, label_matrix, shipped_rows, training_hash
from veilleur.labels.topics import read_topics
from veilleur.model.decision import decide
from veilleur.model.tagger import load
from veilleur.seeds.text import normalise
from veilleur.train.base import BUNDLED, RECIPE, resolve_base
from veilleur.train.folds import grouped_folds, holdout
from veilleur.train.run import VALIDATION_SHARE, check_labels, gathered

Rows = Sequence[LabelledParagraph]
Floats = npt.NDArray[np.floating]
Predict = Callable[[Rows], Floats]

SEED = 0
RESAMPLES = 1000
FINE_TUNE = "fine-tune"  # what all others are compared with
COLUMNS = (
    "labels",
    "model",
    "macro-F1",
    "precision",
    "recall",
    "mean average precision",
    f"macro-F1 against the {FINE_TUNE}",
    "p",
    "calibrated on",
    "seconds",
)


@dataclass(frozen=True)
class Peer(ABC):
    """Something else that learns topics; its fields are all that its training depends on beside the labels."""

    name: ClassVar[str]
    package: ClassVar[str]
    module: ClassVar[str]
    folds: ClassVar[int] = 3  # 1: calibrated on the validation part

    @abstractmethod
    def fit(self, rows: Rows, validation: Rows, topics: Sequence[str]) -> Predict:
        """Learn from the rows and return what gives logits of shape (rows, topics).

        The validation part may choose between models, but is not learnt from.
        """


@dataclass(frozen=True)
class Embeddings(Peer):
    """One logistic regression a topic over the frozen base; the validation part chooses its strength."""

    name = "embeddings"
    package = "sentence-transformers"
    module = "sentence_transformers"
    strengths: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    recipe: int = RECIPE  # of the base
    known: dict[str, Floats] = field(default_factory=dict, repr=False)

    def fit(self, rows: Rows, validation: Rows, topics: Sequence[str]) -> Predict:
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import average_precision_score
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        features, labels = self.vectors(rows), label_matrix(rows, topics)
        held, truth = self.vectors(validation), label_matrix(validation, topics)
        fitted = []
        for strength in self.strengths:
            regression = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
            model = make_pipeline(StandardScaler(), OneVsRestClassifier(regression)).fit(features, labels)
            reached = average_precision_score(truth, model.decision_function(held), average="macro")
            fitted.append((reached, model))
        _, best = max(fitted, key=lambda pair: pair[0])
        return lambda asked: best.decision_function(self.vectors(asked))

    def vectors(self, rows: Rows) -> Floats:
        """Return the embedding of each row; no text is embedded twice."""
        texts = queries(rows)
        new = sorted(set(texts) - self.known.keys())
        if new:
            encoder = sentence_encoder()
            with bfloat16(encoder):
                self.known.update(zip(new, encoder.encode(new), strict=True))
        return np.array([self.known[text] for text in texts])


@dataclass(frozen=True)
class SetFit(Peer):
    """Contrastive learning on pairs, then logistic regression (L. Tunstall et al., "Efficient few-shot learning without
    prompts", 2022).

    It was made for a few labels and takes all pairs of them; of these labels it can only be given a few pairs.
    """

    name = "setfit"
    package = "setfit"
    module = "setfit"
    folds = 1
    pairs: int = 3200
    batch_size: int = 16
    recipe: int = RECIPE  # of the base

    def fit(self, rows: Rows, validation: Rows, topics: Sequence[str]) -> Predict:
        from datasets import Dataset
        from setfit import SetFitModel, Trainer, TrainingArguments
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier

        encoder = sentence_encoder()
        head = OneVsRestClassifier(LogisticRegression(max_iter=1000))
        model = SetFitModel(model_body=encoder, model_head=head, multi_target_strategy="one-vs-rest")
        data = Dataset.from_dict({"text": queries(rows), "label": label_matrix(rows, topics).tolist()})
        with TemporaryDirectory() as folder, redirect_stdout(sys.stderr), bfloat16(encoder):
            arguments = TrainingArguments(
                output_dir=folder,
                batch_size=self.batch_size,
                max_steps=-(-self.pairs // self.batch_size),
                seed=SEED,
                report_to="none",
                save_strategy="no",
            )
            Trainer(model=model, args=arguments, train_dataset=data).train()

        def predict(asked: Rows) -> Floats:
            with bfloat16(encoder):
                return logits_of(model.predict_proba(queries(asked), as_numpy=True))

        return predict


@dataclass(frozen=True)
class SpaCy(Peer):
    """The ensemble that spaCy's `textcat_multilabel` is by default; its best pass on the validation part is kept."""

    name = "spacy"
    package = "spacy"
    module = "spacy"
    passes: int = 10
    batch_size: int = 32
    dropout: float = 0.1

    def fit(self, rows: Rows, validation: Rows, topics: Sequence[str]) -> Predict:
        import spacy
        from spacy.training import Example
        from spacy.util import fix_random_seed, minibatch

        fix_random_seed(SEED)
        nlp = spacy.blank("fr")
        nlp.add_pipe("textcat_multilabel")

        def examples(rows: Rows) -> list[Any]:
            return [
                Example.from_dict(nlp.make_doc(text), {"cats": {topic: float(topic in row.topics) for topic in topics}})
                for text, row in zip(clean(rows), rows, strict=True)
            ]

        learnt, held = examples(rows), examples(validation)
        optimizer = nlp.initialize(lambda: learnt)
        order = random.Random(SEED)
        best, kept = -1.0, b""
        for _ in range(self.passes):
            order.shuffle(learnt)
            for batch in minibatch(learnt, self.batch_size):
                nlp.update(batch, sgd=optimizer, drop=self.dropout)
            reached = nlp.evaluate(held)["cats_score"]
            if reached > best:
                best, kept = reached, nlp.to_bytes()
        nlp.from_bytes(kept)
        return lambda asked: logits_of([[doc.cats[topic] for topic in topics] for doc in nlp.pipe(clean(asked))])


@dataclass(frozen=True)
class FastText(Peer):
    """Bags of words, pairs of words and parts of words; the best of some settings on folds of the training part."""

    name = "fasttext"
    package = "fasttext-wheel"
    module = "fasttext"
    passes: int = 25
    rate: float = 2.0
    size: int = 50
    words: int = 2
    characters: tuple[int, int] = (3, 5)
    buckets: int = 500_000

    def fit(self, rows: Rows, validation: Rows, topics: Sequence[str]) -> Predict:
        import fasttext

        with TemporaryDirectory() as folder:
            source = Path(folder) / "rows.txt"
            labels = (" ".join(f"__label__{topic}" for topic in row.topics or ["none"]) for row in rows)
            lines = (f"{label} {line}" for label, line in zip(labels, self.lines(rows), strict=True))
            source.write_text("".join(lines), encoding="utf-8")
            model = fasttext.train_supervised(
                str(source),
                loss="ova",
                epoch=self.passes,
                lr=self.rate,
                dim=self.size,
                wordNgrams=self.words,
                minn=self.characters[0],
                maxn=self.characters[1],
                bucket=self.buckets,
                thread=1,  # with more of them no two trainings are alike
                seed=SEED,
                verbose=0,
            )

        def predict(asked: Rows) -> Floats:
            # Its own wrapper of `predict` fails with numpy 2.
            found = [model.f.predict(line, len(topics) + 1, 0.0, "strict") for line in self.lines(asked)]
            by_label = [{label: probability for probability, label in one} for one in found]
            return logits_of([[one.get(f"__label__{topic}", 0.0) for topic in topics] for one in by_label])

        return predict

    def lines(self, rows: Rows) -> list[str]:
        """Return one line a row, in small letters, with spaces around punctuation, as fastText's guide has it."""
        return [" ".join(re.findall(r"\w+|[^\w\s]", text.lower())) + "\n" for text in clean(rows)]


PEERS: dict[str, type[Peer]] = {peer.name: peer for peer in (SetFit, Embeddings, SpaCy, FastText)}
NAMES = ("keywords", "baseline", *PEERS)


def clean(rows: Rows) -> list[str]:
    return [normalise(row.text) for row in rows]


def queries(rows: Rows) -> list[str]:
    """Return texts with the words that the makers of the base put before a text whose embedding is a feature."""
    return [f"query: {text}" for text in clean(rows)]


def logits_of(probabilities: Any) -> Floats:
    """Return logits of probabilities, of which some are so sure that their logit would be infinite."""
    clipped = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-6, 1 - 1e-6)
    logits: Floats = np.log(clipped) - np.log1p(-clipped)
    return logits


def sentence_encoder() -> Any:
    """Load the base, without dropout, as the fine-tune does, with the mean of its tokens on top."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()
    set_verbosity_error()
    without_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    reader = Transformer(resolve_base(BUNDLED), config_kwargs=without_dropout)
    return SentenceTransformer(modules=[reader, Pooling(reader.get_embedding_dimension(), pooling_mode="mean")])


def bfloat16(encoder: Any) -> AbstractContextManager[Any]:
    """Let an encoder multiply in bfloat16 where the hardware does, as the fine-tune does."""
    import torch

    from veilleur.train.camembert import cpu_has_bf16

    kind = encoder.device.type
    return torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda" or cpu_has_bf16())


@dataclass(frozen=True)
class Entrant:
    """A line of the table: a model's answers to each test, what it was calibrated on, and seconds of training."""

    answers: Mapping[str, Answers]
    calibrated_on: str = "—"
    seconds: float | None = None


def keywords(path: Path, tests: Mapping[str, Rows], topics: Sequence[str]) -> Entrant:
    """Let a list of patterns answer, as it does by itself: one match gives the topic."""
    patterns = runpy.run_path(str(path)).get("PATTERNS", {})
    if missing := [topic for topic in topics if topic not in patterns]:
        raise click.ClickException(f"{path} has no pattern of {', '.join(missing)}: add it to its PATTERNS")
    compiled = [re.compile(patterns[topic], re.IGNORECASE) for topic in topics]

    def answers(rows: Rows) -> Answers:
        found = np.array([[sum(1 for _ in one.finditer(row.text)) for one in compiled] for row in rows])
        ranked = found / (found + 1)  # more matches rank higher, a first one is 0.5
        halves = (0.5,) * len(topics)
        return Answers("keywords", tuple(topics), halves, ranked, decide(ranked, halves))

    return Entrant({name: answers(rows) for name, rows in tests.items()})


def bundle(name: str, source: str, tests: Mapping[str, Rows], topics: Sequence[str], learnt: Rows) -> Entrant:
    """Let a bundle answer, and say whether it learnt from other labels than the peers."""
    tagger = load(source)
    training = tagger.manifest.training
    folds = training.get("folds", 1)
    calibrated_on = f"{folds} folds" if folds > 1 else "validation"
    if training.get("labels_sha256") != training_hash(learnt):
        calibrated_on += ", other labels"
    return Entrant({test: in_order(ask(name, tagger, rows), topics) for test, rows in tests.items()}, calibrated_on)


def trained(peer: Peer, tests: Mapping[str, Rows], topics: Sequence[str], learnt: Rows, work: Path) -> Entrant:
    """Train a peer and decide as the fine-tune does, or read from `work` what it answered before."""
    rows, validation = holdout(learnt, topics, VALIDATION_SHARE, SEED)
    parts = [validation, *tests.values()]
    asked = [row for part in parts for row in part]
    final, seconds = answered(peer, "on all labels", rows, validation, asked, topics, work)
    held, *scored = np.split(final, np.cumsum([len(part) for part in parts])[:-1])
    if peer.folds == 1:
        calibrated_on = "validation"
        outcome = gathered(validation, topics, held, [np.arange(len(validation))], learnt=learnt)
    else:
        calibrated_on = f"{peer.folds} folds"
        logits = np.zeros((len(rows), len(topics)))
        pieces = list(grouped_folds(rows, topics, peer.folds, SEED))
        for number, (train, own) in enumerate(pieces, 1):
            others, answering = [rows[index] for index in train], [rows[index] for index in own]
            step = f"fold {number} of {peer.folds}"
            logits[own], more = answered(peer, step, others, validation, answering, topics, work)
            seconds += more
        outcome = gathered(rows, topics, logits, [own for _, own in pieces], learnt=learnt)
    calibration, thresholds = outcome.decision.calibration, outcome.decision.thresholds
    answers = {}
    for name, part in zip(tests, scored, strict=True):
        probabilities = calibration.probabilities(part)
        answers[name] = Answers(peer.name, tuple(topics), thresholds, probabilities, decide(probabilities, thresholds))
    return Entrant(answers, calibrated_on, seconds)


def answered(
    peer: Peer, step: str, learnt: Rows, validation: Rows, asked: Rows, topics: Sequence[str], work: Path
) -> tuple[Floats, float]:
    """Return a peer's logits and how many seconds it took, from `work` where they are there."""
    texts = [[(row.id, row.text, row.topics) for row in rows] for rows in (learnt, validation, asked)]
    content = json.dumps([repr(peer), version(peer.package), list(topics), texts])
    path = work / f"{peer.name}-{hashlib.sha256(content.encode()).hexdigest()[:16]}.npz"
    if not path.is_file():
        click.echo(f"{peer.name}: learns {step}, {len(learnt):,} paragraphs", err=True)
        began = perf_counter()
        logits = peer.fit(learnt, validation, topics)(asked)
        unfinished = path.with_suffix(".partial")
        with unfinished.open("wb") as file:
            np.savez(file, logits=logits, seconds=perf_counter() - began)
        unfinished.rename(path)
    with np.load(path) as kept:
        return kept["logits"], float(kept["seconds"])


def lines(entrants: Mapping[str, Entrant], tests: Mapping[str, Rows], topics: Sequence[str]) -> list[list[str]]:
    """Score each entrant on each test, and write a line of the table for each."""
    written = []
    for test, rows in tests.items():
        evaluations = [judge(one.answers[test], rows, resamples=RESAMPLES, seed=SEED) for one in entrants.values()]
        others = differences(evaluations, rows, topics)
        for (name, entrant), evaluation in zip(entrants.items(), evaluations, strict=True):
            scores = evaluation.scores
            difference, p = others.get(name, (None, None))
            written.append(
                [
                    test,
                    name,
                    figure(scores.macro_f1, scores.intervals.get("macro_f1")),
                    figure(scores.macro_precision),
                    figure(scores.macro_recall),
                    figure(scores.mean_average_precision),
                    figure(difference.difference, difference.interval, "+") if difference else "—",
                    figure(p),
                    entrant.calibrated_on,
                    "—" if entrant.seconds is None else f"{entrant.seconds:.0f}",
                ]
            )
    return written


def differences(
    evaluations: Sequence[Evaluation], rows: Rows, topics: Sequence[str]
) -> dict[str, tuple[Difference, float | None]]:
    """Return how far each other model's macro-F1 is above the fine-tune's, and the p on which both tests agree.

    That is the larger p of the two tests, each corrected for the number of models.
    """
    labels, groups = label_matrix(rows, topics), [row.bulletin for row in rows]
    reference = next(one for one in evaluations if one.answers.name == FINE_TUNE)
    found = {}
    for one in evaluations:
        if one is not reference:
            [pair] = compare([one, reference], labels, groups, resamples=RESAMPLES, seed=SEED)
            found[one.answers.name] = pair.overall if pair.second == FINE_TUNE else turned(pair.overall)
    bootstrap = holm([one.p_bootstrap for one in found.values()])
    randomisation = holm([one.p_randomisation for one in found.values()])
    larger = [None if p is None or q is None else max(p, q) for p, q in zip(bootstrap, randomisation, strict=True)]
    return {name: (one, p) for (name, one), p in zip(found.items(), larger, strict=True)}


def turned(one: Difference) -> Difference:
    """Return the second model's difference to the first."""
    change = None if one.difference is None else -one.difference
    interval = one.interval and (-one.interval[1], -one.interval[0])
    return replace(one, first=one.second, second=one.first, difference=change, interval=interval)


def figure(value: float | None, interval: tuple[float, float] | None = None, sign: str = "") -> str:
    """Write a figure, and its interval where there is one."""
    if value is None:
        return "—"
    one, *ends = (f"{number:{sign}.3f}".replace("-", "−") for number in (value, *(interval or ())))
    return f"{one} ({' to '.join(ends)})" if ends else one


def markdown(table: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown, its columns as wide as their longest cell."""
    cells = [COLUMNS, *table]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    padded = ((cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "".join(f"| {' | '.join(line)} |\n" for line in padded)


def drawn(rows: Rows, limit: int) -> list[LabelledParagraph]:
    """Return whole bulletins of at most so many paragraphs, and the validation part."""
    sizes = Counter(row.bulletin for row in rows if row.split != "validation")
    order = np.random.default_rng(SEED).permutation(sorted(sizes)).tolist()
    kept = {
        name for name, total in zip(order, np.cumsum([sizes[name] for name in order]), strict=True) if total <= limit
    }
    return [row for row in rows if row.split == "validation" or row.bulletin in kept]


@click.command()
@click.argument("work", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--labels", type=click.Path(exists=True, path_type=Path), multiple=True, help="Further labels to score on."
)
@click.option(
    "--keywords", "patterns", type=click.Path(exists=True, path_type=Path), help="Python file with PATTERNS by topic."
)
@click.option("--peer", "chosen", type=click.Choice(NAMES), multiple=True, help="Only these; all by default.")
@click.option("--baseline", default="tfidf", show_default=True, help="Bundle.")
@click.option("--fine-tune", default="camembert", show_default=True, help="Bundle.")
@click.option("--pairs", default=SetFit.pairs, show_default=True, help="That SetFit learns from.")
@click.option("--limit", type=int, help="Learn from so many paragraphs only, to try the command.")
@click.option(
    "--markdown", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write the table there too."
)
def main(
    work: Path,
    labels: tuple[Path, ...],
    patterns: Path | None,
    chosen: tuple[str, ...],
    baseline: str,
    fine_tune: str,
    pairs: int,
    limit: int | None,
    target: Path | None,
) -> None:
    """Train the peers into WORK and score all models."""
    if "keywords" in chosen and patterns is None:
        raise click.UsageError("the peer keywords needs --keywords")
    names = [name for name in NAMES if name in (chosen or NAMES) and (name != "keywords" or patterns)]
    peers = {name: SetFit(pairs) if name == SetFit.name else PEERS[name]() for name in names if name in PEERS}
    for peer in peers.values():
        if not importlib.util.find_spec(peer.module):
            raise click.ClickException(
                f"{peer.name} is not installed: pip install '.[benchmarks]', or name other --peer"
            )
    topics = read_topics().ids
    learnt = [row for row in shipped_rows() if row.split != "test"]
    learnt = learnt if limit is None else drawn(learnt, limit)
    check_labels(learnt, topics)
    if len({path.name for path in labels}) < len(labels):
        raise click.UsageError("two --labels have the same name: rename one, or score them one at a time")
    tests = {"corpus test": shipped_rows(split="test"), **{path.name: read_labels([path], topics) for path in labels}}
    work.mkdir(parents=True, exist_ok=True)
    entrants = {FINE_TUNE: bundle(FINE_TUNE, fine_tune, tests, topics, learnt)}
    for name in names:
        if name == "keywords" and patterns:
            entrants[name] = keywords(patterns, tests, topics)
        elif name == "baseline":
            entrants[name] = bundle(name, baseline, tests, topics, learnt)
        else:
            entrants[name] = trained(peers[name], tests, topics, learnt, work)
    table = markdown(lines(entrants, tests, topics))
    click.echo(table, nl=False)
    if target:
        target.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except VeilleurError as error:
        sys.exit(f"Error: {error}")
