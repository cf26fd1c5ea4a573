"""Folds that never tear a bulletin apart and give each its share of every topic."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError
from veilleur.labels.rows import LabelledParagraph, label_matrix

Indices = npt.NDArray[np.intp]


def grouped_folds(
    rows: Sequence[LabelledParagraph], topics: Sequence[str], folds: int, seed: int
) -> Iterator[tuple[Indices, Indices]]:
    """Split rows into folds, grouped by bulletin and stratified by topics.

    The bulletins are stratified by which topics occur in them, with iterative stratification (K. Sechidis et al.,
    "On the stratification of multi-label data", 2011).

    Parameters
    ----------
    rows : sequence of LabelledParagraph
    topics : sequence of str
    folds : int
        At least 2; as many as there are bulletins leaves one out at a time.
    seed : int

    Yields
    ------
    (train, held_out) : pair of arrays of row indices

    Raises
    ------
    VeilleurError
        If there are fewer bulletins than folds.
    """
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
    from sklearn.model_selection import LeaveOneOut

    groups = np.array([row.bulletin for row in rows])
    names, owner = np.unique(groups, return_inverse=True)
    if len(names) < max(2, folds):
        raise VeilleurError(
            f"{len(names)} bulletins cannot be split into {max(2, folds)} folds: "
            'add labelled bulletins (rows say theirs by "bulletin"); a training may do with fewer --folds'
        )
    labels = label_matrix(rows, topics)
    present = np.zeros((len(names), labels.shape[1] + 1), dtype=np.int64)
    np.maximum.at(present, owner, np.column_stack([labels, labels.sum(axis=1) == 0]))
    if folds == len(names):  # each bulletin is a fold, and stratification has nothing to choose
        splitter = LeaveOneOut()
    else:
        splitter = MultilabelStratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    for _, held_names in splitter.split(names, present):
        held = np.isin(owner, held_names)
        yield np.flatnonzero(~held), np.flatnonzero(held)


def holdout(
    rows: Sequence[LabelledParagraph], topics: Sequence[str], share: float, seed: int
) -> tuple[list[LabelledParagraph], list[LabelledParagraph]]:
    """Split rows into a training and a validation part.

    Rows that say which split they are of keep it; otherwise about `share` of the bulletins are held out.
    """
    validation = [row for row in rows if row.split == "validation"]
    if validation:
        return [row for row in rows if row.split != "validation"], validation
    bulletins = len({row.bulletin for row in rows})
    folds = min(bulletins, round(1 / share))
    train, held = next(grouped_folds(rows, topics, folds, seed))
    return [rows[index] for index in train], [rows[index] for index in held]
