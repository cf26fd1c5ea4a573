"""Counts of a labelled corpus, and how varied its wording is."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from veilleur.labels.borders import border_counts
from veilleur.labels.rows import LabelledParagraph
from veilleur.labels.topics import TopicSet, read_topics

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of a corpus.

    Shares are of all rows, `cooccurrence` has the positives on its diagonal, and `by_border` says how many paragraphs
    meet each border of the guide with the topic (``+``) and without it (``-``).
    """

    rows: int
    bulletins: int
    mean_words: float
    share_without_topic: float
    share_with_two_or_more: float
    positives: dict[str, int]
    cooccurrence: dict[str, dict[str, int]]
    by_split: dict[str, int]
    by_origin: dict[str, int]
    by_genre: dict[str, int]
    by_region: dict[str, int]
    by_border: dict[str, dict[str, int]]
    near_duplicates: int
    repeated_openings: int
    distinct_share: float

    def to_dict(self) -> dict[str, Any]:
        """Give plain dicts, ready for JSON."""
        return asdict(self)


def stats(rows: Sequence[LabelledParagraph], *, topics: TopicSet | None = None) -> Stats:
    """Count a corpus and measure its variety; an empty one gives zeros.

    Parameters
    ----------
    rows : sequence of LabelledParagraph
        The corpus.
    topics : TopicSet, optional
        The topics to count; the shipped ones when not given.
    """
    ids = (topics or read_topics()).ids
    pairs = Counter((one, other) for row in rows for one in row.topics for other in row.topics)
    total = max(len(rows), 1)
    return Stats(
        rows=len(rows),
        bulletins=len({row.bulletin for row in rows}),
        mean_words=sum(len(row.text.split()) for row in rows) / total,
        share_without_topic=sum(not row.topics for row in rows) / total,
        share_with_two_or_more=sum(len(row.topics) > 1 for row in rows) / total,
        positives={topic: pairs[topic, topic] for topic in ids},
        cooccurrence={one: {other: pairs[one, other] for other in ids} for one in ids},
        by_split=_counts(row.split for row in rows),
        by_origin=_counts(row.origin for row in rows),
        by_genre=_counts(row.genre for row in rows),
        by_region=_counts(row.region for row in rows),
        by_border={border: {"+": here, "-": there} for border, (here, there) in border_counts(rows).items()},
        near_duplicates=len(near_duplicates(rows)),
        repeated_openings=len(repeated_openings(rows)),
        distinct_share=distinct_share(rows),
    )


def near_duplicates(rows: Sequence[LabelledParagraph], n: int = 5, limit: float = 0.2) -> list[tuple[str, str, float]]:
    """Find the pairs of paragraphs whose word n-grams overlap: Jaccard index above `limit`.

    Returns
    -------
    list of (str, str, float)
        Both ids and the index, the likest pair first.

    Examples
    --------
    >>> texts = ["la police a saisi dix kilos", "la police a saisi dix kilos", "rien à dire en mer ce soir"]
    >>> near_duplicates([LabelledParagraph(str(i), text, ()) for i, text in enumerate(texts)])
    [('0', '1', 1.0)]
    """
    grams = [frozenset(_grams(row.text, n)) for row in rows]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    found = []
    for position, own in enumerate(grams):
        # Only pairs that share a gram can overlap, and in varied text these are few.
        for other, common in Counter(other for gram in own for other in holders[gram]).items():
            share = common / (len(grams[other]) + len(own) - common)
            if share > limit:
                found.append((rows[other].id, rows[position].id, share))
        for gram in own:
            holders[gram].append(position)
    return sorted(found, key=lambda pair: (-pair[2], pair[:2]))


def repeated_openings(rows: Sequence[LabelledParagraph], words: int = 4, more_than: int = 5) -> dict[str, int]:
    """Count the first `words` words that begin more than `more_than` paragraphs, the most frequent first."""
    openings = Counter(" ".join(found) for row in rows if len(found := _words(row.text)[:words]) == words)
    return {opening: count for opening, count in openings.most_common() if count > more_than}


def distinct_share(rows: Sequence[LabelledParagraph], n: int = 4) -> float:
    """Give the share of different ones among all word n-grams: 1 where nothing is said twice.

    Examples
    --------
    >>> distinct_share([LabelledParagraph("1", "a b c a b c", ())], n=3)
    0.75
    """
    grams = Counter(gram for row in rows for gram in _grams(row.text, n))
    return len(grams) / grams.total() if grams else 1.0


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _grams(text: str, n: int) -> Iterable[tuple[str, ...]]:
    words = _words(text)
    return zip(*(words[start:] for start in range(n)), strict=False)


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
