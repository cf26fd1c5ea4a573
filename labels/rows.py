"""Labelled paragraphs as plain Python rows, from this project's label files or from anyone's JSON Lines."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError
from veilleur.labels.files import (
    SETS,
    file_name,
    is_label_file,
    objects,
    read_label_file,
    segments_by_id,
    set_bulletins,
    shipped_folder,
)
from veilleur.labels.topics import TopicSet, read_topics

DEFAULT_SPLIT = "train"  # of shipped bulletins that name none: the articles are never the test
COLUMNS = ("kind", "origin", "genre", "region", "split", "source")


@dataclass(frozen=True, slots=True)
class LabelledParagraph:
    """A paragraph and the topics that a reader found in it.

    Attributes
    ----------
    id, text : str
        The paragraph.
    topics : tuple of str
        Its topics, in the topic set's order.
    evidence : mapping of str to tuple of str
        The words that carry each topic, where they were recorded.
    bulletin : str
        The group that it belongs to, never to be torn between folds or splits.
    kind, origin, genre, region, split, source : str
        What is known of it; empty where nothing is.
    extra : mapping of str to str
        Any other column of a user's file.
    """

    id: str
    text: str
    topics: tuple[str, ...]
    evidence: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    bulletin: str = ""
    kind: str = ""
    origin: str = ""
    genre: str = ""
    region: str = ""
    split: str = ""
    source: str = ""
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)


def read_rows(path: str | Path, topics: TopicSet, prefix: str | None = None) -> list[LabelledParagraph]:
    """Read labelled paragraphs from a file of either form.

    Parameters
    ----------
    path : str or Path
        One of this project's label files, whose texts are looked up in the seeds; or JSON Lines with
        ``text`` and ``topics`` (a list of ids, or an object of ids with their evidence), and optionally
        ``id``, ``document`` or ``bulletin`` (the group), ``evidence``, ``kind``, ``origin``, ``genre``,
        ``region``, ``split``, ``source``.
    topics : TopicSet
        The topics that may occur.
    prefix : str, optional
        What the ids of rows without one begin with, before their line; the file's name without its suffix by default.

    Raises
    ------
    VeilleurError
        Where the file is missing or empty, or a line is not JSON, lacks text or topics, or names an
        unknown topic.
    """
    path = Path(path)
    rows = _own_rows(path, topics) if is_label_file(path) else _user_rows(path, topics, prefix or path.stem)
    if not rows:
        raise VeilleurError(f'{path}: holds no labelled paragraph: add lines such as {{"text": "…", "topics": []}}.')
    return rows


def shipped_rows(*, split: str | None = None) -> list[LabelledParagraph]:
    """Give the adjudicated paragraphs that come with the package: the articles and, if there, the composed.

    Parameters
    ----------
    split : str, optional
        Only those of this split (``train``, ``validation`` or ``test``); the articles are ``train``.
    """
    topics = read_topics()
    paths = [shipped_folder() / file_name(label_set, "adjudicated") for label_set in SETS]
    rows = [row for path in paths if path.is_file() for row in read_rows(path, topics)]
    return [row for row in rows if split in (None, row.split)]


def training_hash(rows: Iterable[LabelledParagraph]) -> str:
    """Hash what a model is fitted on, whatever the order: texts, topics, evidence, and what decides on folds.

    Examples
    --------
    >>> first, second = LabelledParagraph("1", "a", ("drugs",)), LabelledParagraph("2", "b", ())
    >>> training_hash([first, second]) == training_hash([second, first])
    True
    """
    content = sorted(
        (
            row.id,
            row.text,
            sorted(row.topics),
            sorted((topic, sorted(words)) for topic, words in row.evidence.items()),
            row.bulletin,
            row.origin,
            row.split,
        )
        for row in rows
    )
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def label_matrix(rows: Sequence[LabelledParagraph], topics: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the rows' topics as a 0/1 array of shape (rows, topics)."""
    return np.array([[topic in row.topics for topic in topics] for row in rows], dtype=np.int64)


def _own_rows(path: Path, topics: TopicSet) -> list[LabelledParagraph]:
    labels = read_label_file(path)
    known = segments_by_id(set_bulletins(labels.header["set"]))
    rows = []
    for line in labels.lines:
        where = f"{path}, line {line.number}"
        if line.id not in known:
            raise VeilleurError(f"{where}: no paragraph has the id {line.id!r}: run `veilleur labels check`.")
        segment, bulletin = known[line.id]
        rows.append(
            LabelledParagraph(
                id=line.id,
                text=segment.text,
                topics=_ordered(where, line.topics, topics),
                evidence=line.topics,
                bulletin=bulletin.slug,
                kind=segment.kind,
                origin=bulletin.metadata.get("origin", ""),
                genre=bulletin.metadata.get("genre", ""),
                region=bulletin.metadata.get("region", ""),
                split=bulletin.metadata.get("split", DEFAULT_SPLIT),
                source=bulletin.metadata.get("source", ""),
            )
        )
    return rows


def _user_rows(path: Path, topics: TopicSet, prefix: str) -> list[LabelledParagraph]:
    return [_user_row(f"{path}, line {number}", f"{prefix}:{number}", value, topics) for number, value in objects(path)]


def _user_row(where: str, default_id: str, value: Any, topics: TopicSet) -> LabelledParagraph:
    if not isinstance(value, dict):
        raise VeilleurError(f'{where}: is not an object: write {{"text": "…", "topics": []}}.')
    for key in ("text", "topics"):
        if key not in value:
            raise VeilleurError(f"{where}: has no {key!r}: add it.")
    text, labels = value["text"], value["topics"]
    if not isinstance(text, str):
        raise VeilleurError(f"{where}: the text is not a string: put it in quotation marks.")
    if not text.strip():
        raise VeilleurError(f"{where}: the text is empty: fill or delete the line.")
    if not isinstance(labels, list | dict) or not all(isinstance(label, str) for label in labels):
        raise VeilleurError(f"{where}: topics is not a list of topic ids: write [] for none.")
    name = _text(value["id"]) if value.get("id") is not None else default_id
    group = next((value[key] for key in ("bulletin", "document") if value.get(key) not in (None, "")), name)
    used = {"id", "text", "topics", "evidence", "bulletin", "document", *COLUMNS}
    return LabelledParagraph(
        id=name,
        text=text,
        topics=_ordered(where, labels, topics),
        evidence=_evidence(where, labels, value.get("evidence")),
        bulletin=_text(group),
        **{column: _text(value.get(column, "")) for column in COLUMNS},
        extra={key: _text(item) for key, item in value.items() if key not in used},
    )


def refuse_unknown(where: str, found: Iterable[str], topics: Sequence[str]) -> None:
    """Raise `VeilleurError` if any topic found is none of these."""
    if unknown := sorted(set(found).difference(topics)):
        raise VeilleurError(f"{where}: the topic {unknown[0]!r} is unknown: use {', '.join(topics)}.")


def _ordered(where: str, found: Iterable[str], topics: TopicSet) -> tuple[str, ...]:
    """Give the topics once each, in the topic set's order, and refuse those that it does not have."""
    names = set(found)
    refuse_unknown(where, names, topics.ids)
    if topics.exclusive and len(names) > 1:
        raise VeilleurError(f"{where}: has {len(names)} topics, but they exclude each other: keep one.")
    return tuple(name for name in topics.ids if name in names)


def _evidence(where: str, labels: Any, evidence: Any) -> dict[str, tuple[str, ...]]:
    """Read evidence in either of its forms: topics as an object, or the exported list of topic and text."""
    found: dict[str, list[str]] = {}
    if isinstance(labels, dict):
        for topic, words in labels.items():
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise VeilleurError(f'{where}: has no list of words for {topic!r}: write {{"{topic}": ["…"]}}.')
            found[topic] = list(words)
    try:
        for item in evidence or ():
            if not isinstance(item["text"], str):
                raise TypeError
            found.setdefault(item["topic"], []).append(item["text"])
    except (KeyError, TypeError) as error:
        raise VeilleurError(f'{where}: evidence is not a list of {{"topic": "…", "text": "…"}}: mend it.') from error
    return {topic: tuple(words) for topic, words in found.items()}


def _text(value: Any) -> str:
    """Give a column's value as text; None is empty."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
