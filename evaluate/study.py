"""Everything that a report tells of some models on some labels."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from veilleur import __version__
from veilleur.errors import VeilleurError
from veilleur.evaluate.bootstrap import LEVEL, RESAMPLES
from veilleur.evaluate.comparison import Comparison, compare, enough_resamples
from veilleur.evaluate.cost import Cost, measure_cost
from veilleur.evaluate.errors import Wrong, errors
from veilleur.evaluate.gates import Gate, Requirement, no_worse
from veilleur.evaluate.metrics import check_figure
from veilleur.evaluate.notices import notices
from veilleur.evaluate.run import Answers, Evaluation, ask, in_order, judge, read_labels
from veilleur.evaluate.slices import Slice, slices
from veilleur.labels.rows import LabelledParagraph, label_matrix, shipped_rows
from veilleur.labels.topics import read_topics
from veilleur.model.bundle import bundle_folder, read_manifest
from veilleur.model.files import file_sha256
from veilleur.model.tagger import load

FORMAT = 1  # of report.json


@dataclass(frozen=True)
class Model:
    """A model of a report: its kind and base, and where its bundle is; a cross-validated recipe has none."""

    name: str
    kind: str
    topics: tuple[str, ...]
    base: str = ""
    folder: Path | None = None


@dataclass(frozen=True)
class Study:
    """Everything found, in the order in which it is reported.

    Attributes
    ----------
    files : dict of str to str
        SHA-256 of each label file.
    rows : list of LabelledParagraph
    models : list of Model
        The first is the one that gates hold.
    evaluations : list of Evaluation
        Of the models, in their order.
    comparisons, slices, wrong, gates, notices
        What the modules of these names say.
    costs : list of Cost or None
        Of the models, in their order.
    resamples, seed : int
    """

    files: dict[str, str]
    rows: list[LabelledParagraph]
    models: list[Model]
    evaluations: list[Evaluation]
    comparisons: list[Comparison]
    resamples: int
    seed: int
    slices: list[Slice] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    costs: list[Cost | None] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def cross_validated(self) -> bool:
        """Whether recipes were scored instead of bundles."""
        return self.models[0].folder is None

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics scored, in order."""
        return self.evaluations[0].answers.topics

    @property
    def names(self) -> list[str]:
        """The models' names."""
        return [model.name for model in self.models]

    @property
    def bulletins(self) -> int:
        """How many bulletins the paragraphs come from."""
        return len({row.bulletin for row in self.rows})

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as JSON types, in the form of ``report.schema.json``."""
        return {
            "format": FORMAT,
            "veilleur": __version__,
            "labels": {
                "files": [{"name": name, "sha256": digest} for name, digest in self.files.items()],
                "paragraphs": len(self.rows),
                "bulletins": self.bulletins,
                "topics": list(self.topics),
            },
            "settings": {
                "resamples": self.resamples,
                "seed": self.seed,
                "level": LEVEL,
                "cross_validated": self.cross_validated,
            },
            "models": [
                {
                    "name": model.name,
                    "kind": model.kind,
                    "base": model.base,
                    "thresholds": dict(zip(self.topics, evaluation.answers.thresholds, strict=True)),
                    "scores": evaluation.scores.to_dict(),
                    "cost": cost and dict(vars(cost)),
                }
                for model, evaluation, cost in zip(self.models, self.evaluations, self.costs, strict=True)
            ],
            "comparisons": [one.to_dict() for one in self.comparisons],
            "slices": [one.to_dict(self.names) for one in self.slices],
            "errors": [one.to_dict() for one in self.wrong],
            "gates": [dict(vars(one)) for one in self.gates],
            "notices": list(self.notices),
        }


def study(
    bundles: Sequence[str],
    labels: Sequence[Path],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    cross_validated: bool = False,
    requirements: Sequence[Requirement] = (),
    no_worse_than: str | None = None,
    step: Callable[[str], None] = lambda message: None,
) -> Study:
    """Evaluate and compare models on label files.

    Parameters
    ----------
    bundles : sequence of str
        Shipped bundles by name, or folders; recipes with `cross_validated`.
    labels : sequence of Path
    resamples, seed : int
        Of bootstrap and tests.
    cross_validated : bool
        Score recipes instead of bundles.
    requirements : sequence of Requirement
        Which the first model must meet.
    no_worse_than : str, optional
        A bundle that the first must not be worse than; it joins the report.
    step : callable
        Told what is being done.

    Raises
    ------
    VeilleurError
        If a bundle or a label file cannot be read, bundles have other topics, one is named twice, or so few resamples
        could never show that the first is worse.
    """
    if len(set(bundles)) < len(bundles):
        raise VeilleurError("one name is given twice: a model cannot be compared with itself")
    if cross_validated:
        topics = read_topics().ids
        models = [Model(recipe, recipe, topics) for recipe in bundles]
    else:
        models = find_models(bundles)
        if no_worse_than is not None:
            rival = bundle_folder(no_worse_than).resolve()
            if rival not in [model.folder for model in models[1:]]:
                models = find_models([*bundles, no_worse_than])
        topics = models[0].topics
    doubts = _too_few(resamples, len(models), len(topics), gated=no_worse_than is not None)
    for one in requirements:
        check_figure(one.figure, topics)
    rows = read_labels(labels, topics)
    evaluations = []
    for model in models:
        if model.folder is None:
            answers = _out_of_fold(model, rows, seed, step)
        else:
            answers = ask(model.name, load(model.folder), rows, step)
        step(f"{model.name}: draws {resamples} bootstrap samples")
        evaluations.append(judge(in_order(answers, topics), rows, resamples=resamples, seed=seed))
    truth = label_matrix(rows, topics)
    step("comparing")
    comparisons = compare(evaluations, truth, [row.bulletin for row in rows], resamples=resamples, seed=seed)
    gates = [one.check(models[0].name, evaluations[0].scores) for one in requirements]
    if no_worse_than is not None:
        other = next(model.name for model in models[1:] if model.folder == rival)
        gates.append(no_worse(models[0].name, other, comparisons))
    return Study(
        files={str(path): file_sha256(path) for path in labels},
        rows=rows,
        models=models,
        evaluations=evaluations,
        comparisons=comparisons,
        gates=gates,
        notices=[*doubts, *notices(rows, topics)],
        resamples=resamples,
        seed=seed,
    )


def detailed(found: Study, step: Callable[[str], None] = lambda message: None) -> Study:
    """Return a study with what only a report shows: slices, errors, and the cost of each bundle."""
    answers = [one.answers for one in found.evaluations]
    truth = label_matrix(found.rows, found.topics)
    step("scoring slices")
    parts = slices(found.rows, truth, answers, resamples=found.resamples, seed=found.seed)
    step("collecting errors")
    wrong = errors(found.rows, answers, [row for row in shipped_rows() if row.split != "test"])
    costs: list[Cost | None] = []
    for model in found.models:
        step(f"{model.name}: measuring its cost")
        costs.append(measure_cost(model.folder, [row.text for row in found.rows]) if model.folder else None)
    return replace(found, slices=parts, wrong=wrong, costs=costs)


def find_models(bundles: Sequence[str]) -> list[Model]:
    """Find bundles of the same topics and name them, as shortly as tells them apart.

    Raises
    ------
    VeilleurError
        If one is not there, is named twice, or is of other topics than the first.
    """
    folders = [bundle_folder(bundle).resolve() for bundle in bundles]
    short = [folder.name for folder in folders]
    models = []
    for bundle, folder, name in zip(bundles, folders, short, strict=True):
        if folders.count(folder) > 1:
            raise VeilleurError(f"the bundle {bundle} is named twice: a model cannot be compared with itself")
        manifest = read_manifest(folder)
        label = name if short.count(name) == 1 else bundle
        models.append(Model(label, manifest.kind, manifest.topics, manifest.base, folder))
    first = models[0]
    for model in models[1:]:
        if set(model.topics) != set(first.topics):
            raise VeilleurError(
                f"{model.name} gives the topics {', '.join(model.topics)}, {first.name} {', '.join(first.topics)}: "
                "only models of the same topics can be compared"
            )
    return models


def _too_few(resamples: int, models: int, topics: int, *, gated: bool) -> list[str]:
    """Say, or refuse if a gate rests on it, that with so few resamples no test could tell models apart."""
    pairs = math.comb(models, 2)
    if gated and resamples < enough_resamples(pairs):
        raise VeilleurError(
            f"with {resamples} resamples no test can show that a model is worse: give {enough_resamples(pairs)} or more"
        )
    for what, tests in (("models", pairs), ("topics of models", pairs * topics)):
        if 0 < resamples < enough_resamples(tests):
            return [
                f"with {resamples} resamples no test can tell any {what} apart: give {enough_resamples(tests)} or more"
            ]
    return []


def _out_of_fold(model: Model, rows: Sequence[LabelledParagraph], seed: int, step: Callable[[str], None]) -> Answers:
    """Let a recipe answer each paragraph by a model that has not seen its bulletin."""
    from veilleur.train.cross_validation import cross_validate  # which needs the extra `train`

    outcome = cross_validate(model.kind, rows, model.topics, seed=seed, report=step)
    probabilities, predicted = outcome.decided()
    return Answers(model.name, model.topics, outcome.decision.thresholds, probabilities, predicted)
