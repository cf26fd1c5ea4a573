"""The topics that labels and models speak of."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from veilleur.errors import VeilleurError

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_KEYS = ("id", "name_fr", "name_en", "definition", "colour")


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its id, its names, a one-line definition in French, and a colour (``#rrggbb``)."""

    id: str
    name_fr: str
    name_en: str
    definition: str
    colour: str


@dataclass(frozen=True)
class TopicSet:
    """Topics in their fixed order; `exclusive` allows a paragraph at most one of them."""

    topics: tuple[Topic, ...]
    exclusive: bool = False

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The topics' ids, in order."""
        return tuple(topic.id for topic in self.topics)


def read_topics(path: Path | None = None) -> TopicSet:
    """Read a topics file; without a path, the one that comes with the package.

    Raises
    ------
    VeilleurError
        Where the file cannot be read, or a topic lacks a key, or has a bad or repeated id or a bad colour.

    Examples
    --------
    >>> read_topics().ids
    ('cybercrime', 'migration', 'drugs', 'trafficking', 'fire-rescue', 'maritime')
    """
    source = path or files("veilleur.labels").joinpath("topics.toml")
    try:
        content = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise VeilleurError(f"{source}: cannot be read: give the path of a topics file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise VeilleurError(f"{source}: is not valid TOML ({error}): mend it there.") from error
    tables = content.get("topic")
    if not isinstance(tables, list) or not tables:
        raise VeilleurError(f"{source}: holds no topic: add a [[topic]] table with {', '.join(_KEYS)}.")
    exclusive = content.get("exclusive", False)
    if not isinstance(exclusive, bool):
        raise VeilleurError(f"{source}: exclusive is {exclusive!r}: make it true or false.")
    topics = [_topic(f"{source}: topic {number}", table) for number, table in enumerate(tables, start=1)]
    ids = [topic.id for topic in topics]
    for number, name in enumerate(ids, start=1):
        if name in ids[: number - 1]:
            raise VeilleurError(f"{source}: topic {number} repeats the id {name!r}: give each topic its own.")
    return TopicSet(tuple(topics), exclusive)


def _topic(where: str, table: Any) -> Topic:
    if not isinstance(table, Mapping):
        raise VeilleurError(f"{where} is {table!r}: make it a table with {', '.join(_KEYS)}.")
    for key in _KEYS:
        if not isinstance(table.get(key), str) or not table[key].strip():
            raise VeilleurError(f"{where} lacks the key {key!r}: add it, as a text.")
    if not _ID.fullmatch(table["id"]):
        raise VeilleurError(f"{where} has the id {table['id']!r}: use lower-case letters, digits and hyphens.")
    if not _COLOUR.fullmatch(table["colour"]):
        raise VeilleurError(f"{where} has the colour {table['colour']!r}: write it as #rrggbb.")
    return Topic(**{key: table[key].strip() for key in _KEYS})
