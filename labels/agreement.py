"""How far two annotators agree, computed from their label files."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from veilleur.errors import VeilleurError
from veilleur.labels.files import LabelFile, read_label_file
from veilleur.labels.rows import refuse_unknown
from veilleur.labels.topics import TopicSet, read_topics


@dataclass(frozen=True, slots=True)
class TopicAgreement:
    """Agreement on one topic; a measure that is undefined (no positives, no variation) is None."""

    f1: float | None
    kappa: float | None
    alpha: float | None
    positives_a: int
    positives_b: int
    disagreements: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two passes over the same paragraphs; `macro_f1` is the mean of the defined F1."""

    n: int
    topics: dict[str, TopicAgreement]
    macro_f1: float | None
    disagreements: int

    def to_dict(self) -> dict[str, Any]:
        """Give plain dicts, ready for JSON."""
        return asdict(self)


def agreement(a: str | Path, b: str | Path, *, topics: TopicSet | None = None) -> Agreement:
    """Measure the agreement of two label files.

    Parameters
    ----------
    a, b : str or Path
        Label files of the same paragraphs.
    topics : TopicSet, optional
        The topics; the shipped ones when not given.

    Returns
    -------
    Agreement
        Per-topic F1, Cohen's kappa and Krippendorff's alpha (nominal), and the macro F1.

    Raises
    ------
    VeilleurError
        Where a file is faulty, or the two label different paragraphs.
    """
    first, second = read_label_file(Path(a)), read_label_file(Path(b))
    ids = (topics or read_topics()).ids
    labels_a, labels_b = _labels(first, ids), _labels(second, ids)
    if different := sorted(labels_a.keys() ^ labels_b.keys()):
        missing = first.path if different[0] in labels_b else second.path
        raise VeilleurError(f"{missing}: does not label the paragraph {different[0]}: label it in both passes.")
    if not labels_a:
        raise VeilleurError(f"{first.path}: labels no paragraph: there is nothing to compare.")
    found = {
        topic: _topic_agreement([(topic in labels_a[name], topic in labels_b[name]) for name in labels_a])
        for topic in ids
    }
    defined = [one.f1 for one in found.values() if one.f1 is not None]
    return Agreement(
        n=len(labels_a),
        topics=found,
        macro_f1=sum(defined) / len(defined) if defined else None,
        disagreements=sum(one.disagreements for one in found.values()),
    )


def _labels(labels: LabelFile, topics: Sequence[str]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for line in labels.lines:
        where = f"{labels.path}, line {line.number}"
        if line.id in found:
            raise VeilleurError(f"{where}: labels {line.id} again: keep one of the lines.")
        refuse_unknown(where, line.topics, topics)
        found[line.id] = frozenset(line.topics)
    return found


def _topic_agreement(pairs: Sequence[tuple[bool, bool]]) -> TopicAgreement:
    import krippendorff  # both are slow to import
    from sklearn.metrics import cohen_kappa_score

    in_a = [int(first) for first, _ in pairs]
    in_b = [int(second) for _, second in pairs]
    positives_a, positives_b = sum(in_a), sum(in_b)
    both = sum(first and second for first, second in pairs)
    # Where all 2n judgements are the same, chance agreement is 1, and kappa and alpha are 0/0.
    varies = 0 < positives_a + positives_b < 2 * len(pairs)
    alpha = krippendorff.alpha([in_a, in_b], level_of_measurement="nominal") if varies else math.nan
    return TopicAgreement(
        f1=2 * both / (positives_a + positives_b) if positives_a + positives_b else None,
        kappa=_defined(cohen_kappa_score(in_a, in_b)) if varies else None,
        alpha=_defined(alpha),
        positives_a=positives_a,
        positives_b=positives_b,
        disagreements=sum(first != second for first, second in pairs),
    )


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
