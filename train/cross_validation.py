"""Scoring a recipe instead of a model: every row is answered by a model that has not seen its bulletin."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from veilleur.errors import VeilleurError
from veilleur.labels.rows import LabelledParagraph
from veilleur.train.folds import grouped_folds, holdout
from veilleur.train.run import VALIDATION_SHARE, OutOfFold, check_labels, gathered, tfidf_out_of_fold
from veilleur.train.tfidf import TfidfSettings, fit_tfidf, tfidf_logits

if TYPE_CHECKING:
    from veilleur.train.camembert import CamembertSettings

RECIPES = ("tfidf", "camembert")


def cross_validate(
    recipe: str,
    rows: Sequence[LabelledParagraph],
    topics: Sequence[str],
    *,
    seed: int = 0,
    report: Callable[[str], None] = lambda message: None,
) -> OutOfFold:
    """Score a recipe at its usual settings by grouped cross-validation over all rows.

    Parameters
    ----------
    recipe : {"tfidf", "camembert"}
    rows : sequence of LabelledParagraph
    topics : sequence of str
    seed : int
    report : callable
        Told which fold runs.

    Raises
    ------
    VeilleurError
        If there is no such recipe, or the rows do not suffice.
    """
    if recipe not in RECIPES:
        raise VeilleurError(f"there is no recipe {recipe!r} to cross-validate: name one of {', '.join(RECIPES)}")
    check_labels(rows, topics)
    if recipe == "tfidf":
        report("tfidf: all folds at once")
        logits, folds = tfidf_out_of_fold(rows, topics, TfidfSettings(seed=seed))
        return gathered(rows, topics, logits, folds, learnt=rows)
    from veilleur.train.camembert import CamembertSettings

    return cross_validate_camembert(rows, topics, CamembertSettings(seed=seed), report)


def cross_validate_camembert(
    rows: Sequence[LabelledParagraph],
    topics: Sequence[str],
    settings: "CamembertSettings",
    report: Callable[[str], None] = lambda message: None,
) -> OutOfFold:
    """Cross-validate the fine-tune; what its best epoch is chosen by is held out of each fold's training rows."""
    from veilleur.train.base import resolve_base
    from veilleur.train.camembert import fit_camembert

    base = resolve_base(settings.base)
    # Which rows are validation is drawn anew in each fold, since all of them are to be answered.
    unsplit = [replace(row, split="") for row in rows]
    logits = np.zeros((len(rows), len(topics)))
    folds = []
    for number, (train, held) in enumerate(grouped_folds(rows, topics, settings.folds, settings.seed), 1):
        report(f"camembert: fold {number} of {settings.folds}")
        learnt, validation = holdout([unsplit[index] for index in train], topics, VALIDATION_SHARE, settings.seed)
        with TemporaryDirectory() as work:
            fitted = fit_camembert(learnt, validation, topics, settings, base, Path(work), lambda progress: None)
        asked = [rows[index] for index in held]
        logits[held] = fitted.logits(asked)
        if settings.baseline:
            logits[held] += tfidf_logits(fit_tfidf(learnt, topics, TfidfSettings()), asked)
        folds.append(held)
    return gathered(rows, topics, logits, folds, learnt=rows)
