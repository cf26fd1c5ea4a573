"""Labels that a cross-validated model finds unlikely: those to read again first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from veilleur.errors import VeilleurError
from veilleur.labels.files import objects
from veilleur.labels.rows import LabelledParagraph


@dataclass(frozen=True, slots=True)
class Doubt:
    """A paragraph whose labels are unlikely.

    Attributes
    ----------
    row : LabelledParagraph
    missing, surplus : tuple of str
        Topics that the model would add, and those that it would take away.
    quality : float
        cleanlab's label quality, 0 to 1; the lowest is the most doubtful.
    """

    row: LabelledParagraph
    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    quality: float


def read_out_of_fold(path: Path) -> tuple[dict[str, list[float]], list[str]]:
    """Read out-of-fold probabilities, as ``veilleur train … --out-of-fold FILE`` writes them.

    Returns
    -------
    (probabilities by paragraph id, topics)

    Raises
    ------
    VeilleurError
        If the file is not of that form.
    """
    found: dict[str, list[float]] = {}
    topics: list[str] = []
    for number, row in objects(path):
        try:
            topics = list(row["scores"])
            found[row["id"]] = [float(value) for value in row["scores"].values()]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise VeilleurError(
                f"{path}, line {number}: is not an out-of-fold prediction: write the file by --out-of-fold"
            ) from None
    if not found:
        raise VeilleurError(f"{path}: holds no out-of-fold prediction: write the file by --out-of-fold")
    return found, topics


def doubts(rows: Sequence[LabelledParagraph], path: Path) -> list[Doubt]:
    """Find doubtful labels by confident learning, the most doubtful first.

    Source: A. Thyagarajan et al., "Identifying incorrect annotations in multi-label classification data", 2023.

    Parameters
    ----------
    rows : sequence of LabelledParagraph
    path : Path
        Their out-of-fold probabilities; rows that are not in it are left out.

    Raises
    ------
    VeilleurError
        If the file is not of that form or speaks of none of the rows, or they are too few.
    """
    from cleanlab.multilabel_classification.filter import find_label_issues
    from cleanlab.multilabel_classification.rank import get_label_quality_scores

    probabilities, topics = read_out_of_fold(path)
    known = [row for row in rows if row.id in probabilities and set(row.topics) <= set(topics)]
    if not known:
        raise VeilleurError(
            f"{path}: holds no prediction of these labels: write it by --out-of-fold from the same ones"
        )
    scores = np.array([probabilities[row.id] for row in known])
    labels = [[topics.index(topic) for topic in row.topics] for row in known]
    try:
        flagged = find_label_issues(labels, scores, n_jobs=1)
        quality = get_label_quality_scores(labels, scores)
    except ValueError as error:
        raise VeilleurError(f"{path}: {len(known)} labels are too few or too much alike to be doubted") from error
    found = []
    for index in sorted(np.flatnonzero(flagged), key=lambda index: quality[index]):
        row = known[index]
        likely = {topic for topic, score in zip(topics, scores[index], strict=True) if score >= 0.5}
        found.append(
            Doubt(
                row,
                tuple(topic for topic in topics if topic in likely - set(row.topics)),
                tuple(topic for topic in topics if topic in set(row.topics) - likely),
                float(quality[index]),
            )
        )
    return found
