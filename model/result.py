"""What tagging gives: immutable, typed results that turn into plain dictionaries."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Tagging:
    """The result for one text.

    Attributes
    ----------
    topics : tuple of str
        Topics whose score reaches their threshold, in the bundle's order; the likeliest alone where topics exclude
        each other.
    scores : mapping of str to float
        Calibrated probability, 0 to 1, of every topic of the bundle.
    thresholds : mapping of str to float
        Of every topic of the bundle.

    Examples
    --------
    >>> Tagging(("drugs",), {"drugs": 0.93, "maritime": 0.02}, {"drugs": 0.4, "maritime": 0.5}).to_dict()
    {'topics': ['drugs'], 'scores': {'drugs': 0.93, 'maritime': 0.02}}
    """

    topics: tuple[str, ...]
    scores: Mapping[str, float]
    thresholds: Mapping[str, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", MappingProxyType(dict(self.scores)))
        object.__setattr__(self, "thresholds", MappingProxyType(dict(self.thresholds)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by value: a mapping proxy cannot be pickled itself."""
        return Tagging, (self.topics, dict(self.scores), dict(self.thresholds))

    def to_dict(self) -> dict[str, Any]:
        """Return topics and scores (rounded to six decimals) as JSON types."""
        return {
            "topics": list(self.topics),
            "scores": {topic: round(score, 6) for topic, score in self.scores.items()},
        }


@dataclass(frozen=True)
class Word:
    """A word of an explained text.

    Attributes
    ----------
    text : str
        As it stands between two spaces.
    start, end : int
        Where it stands in `Explanation.text`.
    contributions : mapping of str to float
        What it adds to the logit of each topic.
    """

    text: str
    start: int
    end: int
    contributions: Mapping[str, float]


@dataclass(frozen=True)
class Explanation:
    """Which words carried each topic of a text.

    Attributes
    ----------
    text : str
        The text as the model reads it, in the normal form of `veilleur.seeds.text.normalise`.
    words : tuple of Word
        In the order of the text.
    rest : mapping of str to float
        What no word adds: the model's bias. With the words' contributions it adds up to the uncalibrated logit.
    """

    text: str
    words: tuple[Word, ...]
    rest: Mapping[str, float]

    def top(self, topic: str, count: int = 5) -> list[Word]:
        """Return the words that speak most for a topic, the first foremost."""
        return sorted(self.words, key=lambda word: -word.contributions[topic])[:count]


@dataclass(frozen=True)
class SegmentTagging:
    """A segment of a bulletin with its tagging; `kind` is that of `veilleur.seeds.reader.Segment`."""

    id: str
    kind: str
    text: str
    tagging: Tagging

    def to_dict(self) -> dict[str, Any]:
        """Return the segment and its tagging as JSON types."""
        return {"id": self.id, "kind": self.kind, "text": self.text, **self.tagging.to_dict()}


@dataclass(frozen=True)
class BulletinTagging:
    """The result for one bulletin.

    Attributes
    ----------
    slug, title, date : str
        The bulletin; title and date are None where it has none.
    segments : tuple of SegmentTagging
        Every segment that is read, in the order of the text.
    topics : tuple of str
        Topics of the whole: those of any title, paragraph or caption. Link lines announce other articles, so they
        carry their own tagging but none of the bulletin's topics.
    """

    slug: str
    title: str | None
    date: str | None
    segments: tuple[SegmentTagging, ...]
    topics: tuple[str, ...]

    @property
    def carriers(self) -> dict[str, tuple[str, ...]]:
        """For each topic of the whole, the ids of the segments that carry it."""
        return {
            topic: tuple(
                segment.id for segment in self.segments if segment.kind != "link" and topic in segment.tagging.topics
            )
            for topic in self.topics
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the bulletin, its topics with the segments that carry them, and all segments, as JSON types."""
        return {
            "slug": self.slug,
            "title": self.title,
            "date": self.date,
            "topics": list(self.topics),
            "carriers": {topic: list(ids) for topic, ids in self.carriers.items()},
            "segments": [segment.to_dict() for segment in self.segments],
        }
