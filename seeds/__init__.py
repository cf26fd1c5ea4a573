"""Bulletins as text: the five articles, the composed ones, and the reader that makes segments of them."""

from functools import cache
from importlib.resources import files

from veilleur.seeds.reader import (
    Bulletin,
    Segment,
    SegmentKind,
    read_bulletin,
    read_bulletin_file,
    read_folder,
)

__all__ = [
    "Bulletin",
    "Segment",
    "SegmentKind",
    "articles",
    "composed",
    "read_bulletin",
    "read_bulletin_file",
    "read_folder",
]


def articles() -> tuple[Bulletin, ...]:
    """Give the five seed articles, sorted by name.

    Examples
    --------
    >>> [bulletin.slug for bulletin in articles()][:2]
    ['vietnam-etats-unis-2025-09', 'vietnam-france-2021-11']
    """
    return _shipped("articles")


def composed() -> tuple[Bulletin, ...]:
    """Give the bulletins composed for training, sorted by name; none where they are not installed."""
    return _shipped("composed")


@cache
def _shipped(folder: str) -> tuple[Bulletin, ...]:
    root = files("veilleur.seeds").joinpath(folder)
    if not root.is_dir():
        return ()
    found = sorted((item for item in root.iterdir() if item.name.endswith(".md")), key=lambda item: item.name)
    return tuple(read_bulletin(item.read_bytes(), slug=item.name.removesuffix(".md")) for item in found)
