"""Every wrong answer, with what helps to see why: the words that carry the topic, and the nearest training text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn import config_context
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from veilleur.evaluate.run import Answers
from veilleur.labels.rows import LabelledParagraph, label_matrix

MEMORY = 64  # MiB that distances to training paragraphs may take at once


class Piece(NamedTuple):
    """A stretch of a text, and the topic whose evidence it is, if any."""

    text: str
    topic: str


@dataclass(frozen=True)
class Neighbour:
    """A training paragraph, and the cosine of its TF-IDF with the text that it is nearest to."""

    row: LabelledParagraph
    similarity: float


@dataclass(frozen=True)
class Wrong:
    """One topic of one paragraph that at least one model has wrong.

    Attributes
    ----------
    row : LabelledParagraph
    topic : str
    kind : {"missed", "false alarm"}
    scores : mapping of str to float
        Each model's probability.
    models : tuple of str
        Which have it wrong.
    nearest : Neighbour, optional
        None where no training paragraph shares a word.
    """

    row: LabelledParagraph
    topic: str
    kind: Literal["missed", "false alarm"]
    scores: Mapping[str, float]
    models: tuple[str, ...]
    nearest: Neighbour | None

    @property
    def differ(self) -> bool:
        """Whether another model has it right."""
        return len(self.models) < len(self.scores)

    @property
    def pieces(self) -> list[Piece]:
        """The text, cut where evidence begins and ends."""
        return highlighted(self.row.text, self.row.evidence, self.topic)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        near = self.nearest
        return {
            "id": self.row.id,
            "bulletin": self.row.bulletin,
            "text": self.row.text,
            "labels": list(self.row.topics),
            "evidence": {topic: list(words) for topic, words in self.row.evidence.items()},
            "topic": self.topic,
            "kind": self.kind,
            "scores": {model: round(score, 6) for model, score in self.scores.items()},
            "wrong": list(self.models),
            "nearest": near
            and {
                "id": near.row.id,
                "text": near.row.text,
                "labels": list(near.row.topics),
                "similarity": round(near.similarity, 6),
            },
        }


def errors(
    rows: Sequence[LabelledParagraph], models: Sequence[Answers], training: Sequence[LabelledParagraph]
) -> list[Wrong]:
    """Return every false positive and false negative, those furthest from the truth first.

    Parameters
    ----------
    rows : sequence of LabelledParagraph
    models : sequence of Answers
        Of the same topics, in one order.
    training : sequence of LabelledParagraph
        Among which the nearest paragraph is looked for; see `nearest`.
    """
    topics = models[0].topics
    labels = label_matrix(rows, topics)
    wrong = np.stack([model.predicted != labels for model in models])
    distance = np.max([np.abs(model.probabilities - labels) for model in models], axis=0)
    places = np.argwhere(wrong.any(axis=0))
    places = places[np.argsort(-distance[tuple(places.T)], kind="stable")]
    texts = sorted(set(places[:, 0].tolist()))
    near = dict(zip(texts, nearest([rows[place].text for place in texts], training), strict=True))
    return [
        Wrong(
            rows[place],
            topics[column],
            "missed" if labels[place, column] else "false alarm",
            {model.name: float(model.probabilities[place, column]) for model in models},
            tuple(model.name for model, row in zip(models, wrong, strict=True) if row[place, column]),
            near[place],
        )
        for place, column in places.tolist()
    ]


def nearest(texts: Sequence[str], training: Sequence[LabelledParagraph]) -> list[Neighbour | None]:
    """Return the training paragraph with the nearest words for each text; None where none shares a word.

    Examples
    --------
    >>> rows = [LabelledParagraph("1", "Un feu de forêt.", ()), LabelledParagraph("2", "Saisie de cocaïne.", ())]
    >>> [found and found.row.id for found in nearest(["La cocaïne saisie", "Rien"], rows)]
    ['2', None]
    """
    if not texts or not training:
        return [None] * len(texts)
    vectorizer = TfidfVectorizer(sublinear_tf=True, strip_accents="unicode")
    known = vectorizer.fit_transform([row.text for row in training])
    index = NearestNeighbors(n_neighbors=1, metric="cosine", algorithm="brute").fit(known)
    with config_context(working_memory=MEMORY):
        distances, places = index.kneighbors(vectorizer.transform(texts))
    return [
        Neighbour(training[place], 1 - distance) if distance < 1 else None
        for distance, place in zip(distances[:, 0].tolist(), places[:, 0].tolist(), strict=True)
    ]


def highlighted(text: str, evidence: Mapping[str, Sequence[str]], own: str = "") -> list[Piece]:
    """Cut a text where evidence begins and ends.

    Of evidence that overlaps, that of the topic `own` is marked, else the first and longest.

    Examples
    --------
    >>> [tuple(piece) for piece in highlighted("Saisie de drogue en mer", {"drugs": ["drogue"]})]
    [('Saisie de ', ''), ('drogue', 'drugs'), (' en mer', '')]
    """
    spans = sorted(
        (start, -len(words), topic)
        for topic, quotes in evidence.items()
        for words in quotes
        if words and (start := text.find(words)) >= 0
    )
    mine = [span for span in spans if span[2] == own]
    others = [
        (start, length, topic)
        for start, length, topic in spans
        if topic != own and not any(start < first - size and first < start - length for first, size, _ in mine)
    ]
    pieces, end = [], 0
    for start, length, topic in sorted(mine + others):
        if start < end:
            continue
        pieces += [Piece(text[end:start], ""), Piece(text[start : start - length], topic)]
        end = start - length
    return [piece for piece in (*pieces, Piece(text[end:], "")) if piece.text]
