"""Scoring a tagger on label files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from veilleur.evaluate.bootstrap import RESAMPLES
from veilleur.evaluate.metrics import Scores, score
from veilleur.labels.rows import LabelledParagraph, label_matrix, read_rows
from veilleur.labels.topics import Topic, TopicSet, read_topics
from veilleur.model.tagger import Tagger


def evaluate(tagger: Tagger, rows: Sequence[LabelledParagraph], *, resamples: int = RESAMPLES, seed: int = 0) -> Scores:
    """Score a tagger, at its own thresholds, on labelled paragraphs."""
    probabilities = tagger.predict_proba([row.text for row in rows])
    labels = label_matrix(rows, tagger.topics)
    return score(
        labels,
        (probabilities >= np.array(tagger.manifest.thresholds)).astype(np.int64),
        probabilities,
        tagger.topics,
        [row.bulletin for row in rows],
        resamples=resamples,
        seed=seed,
    )


def read_labels(paths: Sequence[Path], topics: Sequence[str]) -> list[LabelledParagraph]:
    """Read label files that speak of a tagger's topics.

    Raises
    ------
    VeilleurError
        Naming file and line of the first fault.
    """
    known = {topic.id: topic for topic in read_topics().topics}
    wanted = TopicSet(tuple(known.get(topic) or Topic(topic, topic, topic, "", "#888888") for topic in topics))
    return [row for path in paths for row in read_rows(path, wanted)]
