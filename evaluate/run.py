"""Scoring taggers on label files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError
from veilleur.evaluate.bootstrap import RESAMPLES, Floats, Labels, draw_samples, percentiles
from veilleur.evaluate.metrics import Scores, figures
from veilleur.labels.rows import LabelledParagraph, label_matrix, read_rows
from veilleur.labels.topics import Topic, TopicSet, read_topics
from veilleur.model.decision import decide
from veilleur.model.tagger import CHUNK, Tagger


@dataclass(frozen=True)
class Answers:
    """What a model says of labelled texts.

    Attributes
    ----------
    name : str
        Of the model.
    topics : tuple of str
    thresholds : tuple of float
        From which probability the model gives each topic.
    probabilities : array of shape (texts, topics)
    predicted : array of shape (texts, topics), 0 or 1
    """

    name: str
    topics: tuple[str, ...]
    thresholds: tuple[float, ...]
    probabilities: npt.NDArray[np.float64]
    predicted: Labels


@dataclass(frozen=True)
class Evaluation:
    """A model's answers, their scores, and the bootstrap samples that the scores' intervals come from."""

    answers: Answers
    scores: Scores
    samples: Mapping[str, Floats]


def evaluate(tagger: Tagger, rows: Sequence[LabelledParagraph], *, resamples: int = RESAMPLES, seed: int = 0) -> Scores:
    """Score a tagger, at its own thresholds, on labelled paragraphs."""
    return judge(ask("", tagger, rows), rows, resamples=resamples, seed=seed).scores


def ask(
    name: str,
    tagger: Tagger,
    rows: Sequence[LabelledParagraph],
    step: Callable[[str], None] = lambda message: None,
) -> Answers:
    """Let a tagger answer, some texts at a time, and tell `step` how far it is."""
    texts = [row.text for row in rows]
    parts = []
    for start in range(0, len(texts), CHUNK):
        step(f"{name}: {start} of {len(texts)} paragraphs answered")
        parts.append(tagger.predict_proba(texts[start : start + CHUNK]))
    probabilities = np.concatenate(parts)
    thresholds = tagger.manifest.thresholds
    predicted = decide(probabilities, thresholds, tagger.manifest.exclusive)
    return Answers(name, tagger.topics, thresholds, probabilities, predicted)


def judge(
    answers: Answers, rows: Sequence[LabelledParagraph], *, resamples: int = RESAMPLES, seed: int = 0
) -> Evaluation:
    """Score a model's answers to labelled paragraphs."""
    labels = label_matrix(rows, answers.topics)
    groups = [row.bulletin for row in rows]
    given = (labels, answers.predicted, answers.probabilities, answers.topics)
    samples = draw_samples(*given, groups, resamples, seed)
    return Evaluation(answers, replace(figures(*given), intervals=percentiles(samples)), samples)


def in_order(answers: Answers, topics: Sequence[str]) -> Answers:
    """Return a model's answers with its topics in another order."""
    order = [answers.topics.index(topic) for topic in topics]
    return replace(
        answers,
        topics=tuple(topics),
        thresholds=tuple(answers.thresholds[place] for place in order),
        probabilities=answers.probabilities[:, order],
        predicted=answers.predicted[:, order],
    )


def read_labels(paths: Sequence[Path], topics: Sequence[str], exclusive: bool = False) -> list[LabelledParagraph]:
    """Read label files that speak of a tagger's topics; each row has exactly one of them where they are exclusive.

    Raises
    ------
    VeilleurError
        Naming file and line of the first fault, or the paragraph that lacks a topic.
    """
    known = {topic.id: topic for topic in read_topics().topics}
    named = tuple(known.get(topic) or Topic(topic, topic, topic, "", "#888888") for topic in topics)
    stems = [path.stem for path in paths]
    rows = []
    for path in paths:
        # Rows without an id are named after their file, which must tell files of one name apart.
        prefix = path.stem if stems.count(path.stem) == 1 else path.as_posix()
        rows += read_rows(path, TopicSet(named, exclusive), prefix)
    bare = next((row for row in rows if exclusive and not row.topics), None)
    if bare:
        raise VeilleurError(f"the paragraph {bare.id} has no topic, but each must have one of {', '.join(topics)}")
    return rows
