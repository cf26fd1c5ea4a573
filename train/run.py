"""From labelled paragraphs to a bundle: folds, decision, final fit, files, card."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from veilleur.errors import VeilleurError
from veilleur.evaluate.metrics import expected_calibration_error, score
from veilleur.evaluate.run import evaluate
from veilleur.labels.rows import LabelledParagraph, label_matrix, training_hash
from veilleur.model.bundle import BASELINE, CARD, KINDS, MANIFEST, Manifest, write_manifest
from veilleur.model.cascade import Cascade
from veilleur.model.decision import decide
from veilleur.model.tagger import load
from veilleur.train.card import card
from veilleur.train.cascade import fit_cascade
from veilleur.train.decision import Decision, fit_decision, natural_weights
from veilleur.train.folds import Indices, grouped_folds, holdout
from veilleur.train.tfidf import TfidfSettings, fit_tfidf, inference_model, save_tfidf, tfidf_logits

if TYPE_CHECKING:  # they bring torch, which the baseline does without
    from veilleur.train.camembert import CamembertSettings, EpochReport, FittedCamembert

Rows = Sequence[LabelledParagraph]
Logits = npt.NDArray[np.floating]
VALIDATION_SHARE = 0.1
SPLITS = ("train", "validation", "test")
LIBRARIES = (
    "veilleur",
    "numpy",
    "scikit-learn",
    "skops",
    "torch",
    "transformers",
    "tokenizers",
    "onnx",
    "onnxruntime",
)


@dataclass(frozen=True)
class Job:
    """What a training is asked for.

    Attributes
    ----------
    rows : sequence of LabelledParagraph
        Those of split ``test`` are only scored on.
    topics : tuple of str
    out : Path
        The bundle to write.
    command : str
        That repeats the training, for the card.
    tests : sequence of (name, rows)
        Further labels to score the finished bundle on.
    out_of_fold : Path, optional
        Where the out-of-fold probabilities are written, as JSON Lines.
    exclusive : bool
        Whether each row has exactly one topic, and each text shall be given one.
    """

    rows: Rows
    topics: tuple[str, ...]
    out: Path
    command: str
    tests: Sequence[tuple[str, Rows]] = ()
    out_of_fold: Path | None = None
    exclusive: bool = False

    def __post_init__(self) -> None:
        """Follow links and dots, so that the folders beside the output have a name and a place."""
        object.__setattr__(self, "out", self.out.resolve())

    def check(self) -> None:
        """Refuse at once what would fail, be lost or be wrong only after hours of training.

        Raises
        ------
        VeilleurError
            If an output cannot be written, a split is none, two label sets to score on have one name, or the labels do
            not suffice.
        """
        check_replaceable(self.out)
        if self.out_of_fold and self.out_of_fold.resolve().is_relative_to(self.out):
            raise VeilleurError(f"{self.out_of_fold} lies in the bundle's own folder: choose another place")
        for path in filter(None, (self.out, self.out_of_fold)):
            parent = path.resolve().parent
            try:
                parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise VeilleurError(f"{parent} cannot be made ({error.strerror}): choose another place") from error
            if not os.access(parent, os.W_OK):
                raise VeilleurError(f"{parent} cannot be written to: choose another place")
        for row in self.rows:
            if row.split not in ("", *SPLITS):
                raise VeilleurError(f"{row.id} has the split {row.split!r}: write one of {', '.join(SPLITS)}, or none")
        for name, count in Counter(name for name, _ in self.scored).items():
            if count > 1:
                raise VeilleurError(f"{count} label sets to score on are called {name!r}: rename a file")
        check_labels(self.learnt, self.topics)

    @property
    def learnt(self) -> list[LabelledParagraph]:
        """The rows that may be learnt from."""
        return [row for row in self.rows if row.split != "test"]

    @property
    def scored(self) -> list[tuple[str, Rows]]:
        """All label sets that the finished bundle is scored on."""
        own = [row for row in self.rows if row.split == "test"]
        return [*([("test split", own)] if own else []), *self.tests]


@dataclass(frozen=True)
class OutOfFold:
    """Logits of rows, each from a model that did not see the row's bulletin.

    Attributes
    ----------
    rows : sequence of LabelledParagraph
    labels : array of shape (rows, topics), 0 or 1
    logits : array of shape (rows, topics)
    weights : array of shape (rows,)
        How much each row counts when the decision is fitted.
    folds : sequence of array of row indices
    exclusive : bool
        Whether each row has exactly one topic.
    """

    rows: Rows
    labels: npt.NDArray[np.int64]
    logits: Logits
    weights: Logits
    folds: Sequence[Indices]
    exclusive: bool = False

    @cached_property
    def decision(self) -> Decision:
        """Calibration and thresholds fitted on all rows: those of the bundle."""
        return fit_decision(self.logits, self.labels, self.weights)

    def decided(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Return probabilities and predictions of each fold, by the decision fitted on the other folds.

        So nothing is tuned on what it is scored on. A single fold has no others and decides for itself.
        """
        probabilities = np.zeros(self.logits.shape)
        predicted = np.zeros_like(self.labels)
        for held in self.folds:
            others = np.setdiff1d(np.arange(len(self.rows)), held) if len(self.folds) > 1 else held
            decision = fit_decision(self.logits[others], self.labels[others], self.weights[others])
            probabilities[held] = decision.calibration.probabilities(self.logits[held])
            predicted[held] = decide(probabilities[held], decision.thresholds, self.exclusive)
        return probabilities, predicted


def train_tfidf(job: Job, settings: TfidfSettings) -> Manifest:
    """Train the baseline and write its bundle.

    Raises
    ------
    VeilleurError
        If the output is in the way or the labels do not suffice.
    """
    job.check()
    rows = job.learnt
    logits, folds = tfidf_out_of_fold(rows, job.topics, settings)
    model = fit_tfidf(rows, job.topics, settings)
    with new_folder(job.out) as folder:
        save_tfidf(model, folder / KINDS["tfidf"])
        outcome = _out_of_fold(job, rows, logits, folds)
        return _finish(job, folder, "tfidf", asdict(settings), outcome)


def tfidf_out_of_fold(
    rows: Rows, topics: Sequence[str], settings: TfidfSettings
) -> tuple[npt.NDArray[np.float64], list[Indices]]:
    """Return the baseline's logits of each row, from a model that did not see the row's bulletin, and the folds."""
    pieces = list(grouped_folds(rows, topics, settings.folds, settings.seed))

    def predicted(train: Indices, held: Indices) -> Logits:
        model = fit_tfidf([rows[index] for index in train], topics, settings)
        return tfidf_logits(model, [rows[index] for index in held])

    logits = np.zeros((len(rows), len(topics)))
    parts = Parallel(n_jobs=-1)(delayed(predicted)(train, held) for train, held in pieces)
    for (_, held), part in zip(pieces, parts, strict=True):
        logits[held] = part
    return logits, [held for _, held in pieces]


def gathered(
    rows: Rows,
    topics: Sequence[str],
    logits: Logits,
    folds: Sequence[Indices],
    *,
    learnt: Rows,
    exclusive: bool = False,
) -> OutOfFold:
    """Put the rows' labels, and their weights in the natural mix of `learnt`, beside their logits."""
    return OutOfFold(rows, label_matrix(rows, topics), logits, natural_weights(rows, learnt), folds, exclusive)


def train_camembert(
    job: Job,
    settings: "CamembertSettings",
    report: Callable[[str, "EpochReport"], None],
    *,
    resume: bool = False,
    quantise: bool = False,
) -> Manifest:
    """Fine-tune an encoder and write its bundle.

    Checkpoints and finished folds are kept beside the output, in ``<out>.work``, until the bundle is written.

    Parameters
    ----------
    job : Job
    settings : CamembertSettings
    report : callable
        Told which part is running and its `EpochReport`.
    resume : bool
        Go on from what an interrupted run of the same job left.
    quantise : bool
        Write the ONNX graph in 8 bits and leave the transformers weights out.

    Raises
    ------
    VeilleurError
        If the output is in the way, the labels do not suffice, the base cannot be loaded, or `resume` finds the
        remains of another job.
    """
    from veilleur.train.base import BUNDLED, resolve_base
    from veilleur.train.camembert import FittedCamembert, fit_camembert, load_base, soup

    job.check()
    rows, validation = holdout(job.learnt, job.topics, VALIDATION_SHARE, settings.seed)
    base = resolve_base(settings.base)
    load_base(base, len(job.topics), settings.dropout)  # before anything of an interrupted run is touched
    work = job.out.with_name(f"{job.out.name}.work")
    _prepare_work(work, {**asdict(settings), "labels": training_hash(job.learnt), "topics": job.topics}, resume)

    pieces = list(grouped_folds(rows, job.topics, settings.folds, settings.seed)) if settings.folds > 1 else []
    if pieces:
        logits: Logits = np.zeros((len(rows), len(job.topics)))
        members = []
        for number, (train, held) in enumerate(pieces, 1):
            name = f"fold {number} of {len(pieces)}"
            saved = work / f"fold-{number}.safetensors"
            if not saved.is_file():
                learnt = [rows[index] for index in train]
                part = work / f"fold-{number}"
                member = fit_camembert(learnt, validation, job.topics, settings, base, part, partial(report, name))
                member.save(saved)
                shutil.rmtree(part, ignore_errors=True)
            # Read back even when just trained, so that an interrupted run and a whole one compute the same logits.
            members.append(FittedCamembert.load(saved, base, len(job.topics)))
            logits[held] = members[-1].logits([rows[index] for index in held])
        final = soup(members)
        alone = _out_of_fold(job, rows, logits, [held for _, held in pieces])
    else:
        final = fit_camembert(rows, validation, job.topics, settings, base, work / "final", partial(report, "final"))
        alone = _out_of_fold(job, validation, final.logits(validation), [np.arange(len(validation))])
    with new_folder(job.out) as folder:
        _save_camembert(final, alone.decision, job.topics, folder, quantise)
        if settings.base == BUNDLED:
            shutil.copy(Path(base) / "NOTICE", folder)
        outcome, cascade = _with_baseline(rows, alone, job, settings, folder) if settings.baseline else (alone, None)
        manifest = _finish(job, folder, "camembert", asdict(settings), outcome, cascade)
    shutil.rmtree(work, ignore_errors=True)
    return manifest


def _with_baseline(
    rows: Rows, alone: OutOfFold, job: Job, settings: "CamembertSettings", folder: Path
) -> tuple[OutOfFold, Cascade]:
    """Put a baseline beside a fine-tune: write it into the bundle, and add its out-of-fold logits."""
    tfidf = TfidfSettings(seed=settings.seed, folds=settings.folds)
    model = fit_tfidf(rows, job.topics, tfidf)
    inference_model(model).save(folder / BASELINE)
    if settings.folds > 1:  # the same folds as those of the fine-tune
        logits, _ = tfidf_out_of_fold(rows, job.topics, tfidf)
    else:
        logits = tfidf_logits(model, alone.rows)
    both = replace(alone, logits=alone.logits + logits)
    _, given = both.decided()
    return both, fit_cascade(logits, alone.logits, both.labels, given, both.decision)


def check_labels(rows: Rows, topics: Sequence[str]) -> None:
    """Refuse labels that no model could learn from.

    Raises
    ------
    VeilleurError
        If a topic has no positive paragraph, or no negative one.
    """
    labels = label_matrix(rows, topics)
    for topic, positives in zip(topics, labels.sum(axis=0), strict=True):
        if positives == 0 or positives == len(rows):
            which = "no" if positives == 0 else "every"
            raise VeilleurError(
                f"{which} paragraph to learn from has the topic {topic!r}: label some that "
                f"{'have' if positives == 0 else 'lack'} it, or leave the topic out"
            )


def check_replaceable(out: Path) -> None:
    """Refuse to write a bundle where something else is."""
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise VeilleurError(f"{out} exists and is not a bundle: choose another -o, or remove it")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a folder to write a bundle in, which becomes `out` when all went well.

    An older bundle at `out` is replaced at the end; anything else there is left alone.

    Raises
    ------
    VeilleurError
        If `out` exists and is not a bundle.
    """
    check_replaceable(out)
    unfinished = out.with_name(f"{out.name}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        if out.exists():
            shutil.rmtree(out)
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _out_of_fold(job: Job, rows: Rows, logits: Logits, folds: Sequence[Indices]) -> OutOfFold:
    return gathered(rows, job.topics, logits, folds, learnt=job.learnt, exclusive=job.exclusive)


def _finish(
    job: Job,
    folder: Path,
    kind: str,
    settings: dict[str, Any],
    outcome: OutOfFold,
    cascade: Cascade | None = None,
) -> Manifest:
    """Score what was fitted, and write manifest and card."""
    probabilities, predicted = outcome.decided()
    groups = [row.bulletin for row in outcome.rows]
    out_of_fold = score(outcome.labels, predicted, probabilities, job.topics, groups).to_dict()
    errors = expected_calibration_error(outcome.labels, probabilities, outcome.weights)
    out_of_fold["calibration_error"] = dict(zip(job.topics, errors, strict=True))
    if job.out_of_fold:
        _write_out_of_fold(job.out_of_fold, outcome.rows, job.topics, probabilities)
    learnt = job.learnt
    manifest = write_manifest(
        folder,
        Manifest(
            kind=kind,
            topics=job.topics,
            thresholds=outcome.decision.thresholds,
            calibration=outcome.decision.calibration,
            base=settings.get("base", ""),
            training={
                "labels_sha256": training_hash(learnt),
                "rows": len(learnt),
                "bulletins": len({row.bulletin for row in learnt}),
                "composed": sum(row.origin == "composed" for row in learnt),
                "command": job.command,
                **settings,
            },
            versions=library_versions(),
            exclusive=job.exclusive,
            cascade=cascade,
        ),
    )
    tagger = load(folder)
    tests = [(name, evaluate(tagger, scored).to_dict()) for name, scored in job.scored]
    # A single fold decided for itself, which is no fair score and does not get the name of one.
    named = ("out of fold" if len(outcome.folds) > 1 else "validation, tuned on", out_of_fold)
    manifest = replace(manifest, scores=dict([named, *tests]))
    (folder / CARD).write_text(card(manifest, job.command), encoding="utf-8")
    return write_manifest(folder, manifest)


def _write_out_of_fold(path: Path, rows: Rows, topics: Sequence[str], probabilities: Logits) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row, values in zip(rows, probabilities.tolist(), strict=True):
            scores = {topic: round(value, 6) for topic, value in zip(topics, values, strict=True)}
            file.write(json.dumps({"id": row.id, "topics": row.topics, "scores": scores}, ensure_ascii=False) + "\n")


def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that a bundle depends on."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _prepare_work(work: Path, fingerprint: dict[str, Any], resume: bool) -> None:
    """Make the folder of checkpoints, or check that the one to be resumed is of the same job.

    Raises
    ------
    VeilleurError
        If the folder is of another job, or of none.
    """
    note = work / "job.json"
    content = json.dumps(fingerprint, sort_keys=True)
    if note.is_file():
        if not resume:
            raise VeilleurError(f"{work} holds an interrupted run: go on with it by --resume, or remove it")
        if note.read_text(encoding="utf-8") != content:
            raise VeilleurError(f"{work} holds a run with other labels or settings: repeat its options, or remove it")
        return
    if work.exists() and (not work.is_dir() or any(work.iterdir())):
        raise VeilleurError(f"{work} is in the way, and no interrupted training: choose another -o, or remove it")
    work.mkdir(parents=True, exist_ok=True)
    note.write_text(content, encoding="utf-8")


def _save_camembert(
    fitted: "FittedCamembert", decision: Decision, topics: tuple[str, ...], folder: Path, quantise: bool
) -> None:
    """Write the transformers files and the ONNX graph, or with `quantise` the graph in 8 bits alone."""
    from veilleur.train.camembert import window
    from veilleur.train.export import export_onnx, quantise_onnx
    from veilleur.train.standard_form import standard_form

    model = standard_form(fitted.network, decision.calibration, topics)
    fitted.tokenizer.save_pretrained(folder)
    graph = folder / "model.onnx"
    length = window(fitted.network.encoder.config)
    if not quantise:
        model.save_pretrained(folder)
        export_onnx(fitted.network, graph, length)
        return
    model.config.save_pretrained(folder)
    full = folder / "full.onnx"
    export_onnx(fitted.network, full, length)
    quantise_onnx(full, graph)
    full.unlink()
