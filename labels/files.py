"""Label files on disk: JSON Lines, a header first, then one line for each paragraph.

A label set is three files: two independent passes and the adjudicated one (`file_name`). The paragraphs'
texts are not in them but in the seeds, found by id.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from veilleur.errors import VeilleurError
from veilleur.seeds import Bulletin, Segment, articles, composed

SETS = ("articles", "composed")
PASSES = ("a", "b", "adjudicated")
_HEADER_KEYS = ("set", "pass", "annotator", "date")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault in a label file; line 0 is the file as a whole."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        """Give the problem as ``path:line: message``."""
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class LabelLine:
    """What one line says: the paragraph's id, and for each of its topics the words that carry it."""

    number: int
    id: str
    topics: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A label file as far as it could be read, and what was wrong with it."""

    path: Path
    header: Mapping[str, str]
    lines: tuple[LabelLine, ...]
    problems: tuple[Problem, ...]


def file_name(label_set: str, label_pass: str) -> str:
    """Name the file that holds a pass of a set.

    Examples
    --------
    >>> file_name("articles", "a"), file_name("articles", "adjudicated")
    ('articles.pass-a.jsonl', 'articles.jsonl')
    """
    return f"{label_set}.jsonl" if label_pass == "adjudicated" else f"{label_set}.pass-{label_pass}.jsonl"


def shipped_folder() -> Path:
    """Give the folder of the label files that come with the package."""
    with as_file(files("veilleur.labels")) as folder:  # an installed package is a real folder
        return Path(folder)


def set_bulletins(label_set: str) -> list[Bulletin]:
    """Give the bulletins that a set labels, related items among them."""
    bulletins = articles() if label_set == "articles" else composed()
    return [one for bulletin in bulletins for one in (bulletin, *bulletin.related)]


def segments_by_id(bulletins: Sequence[Bulletin]) -> dict[str, tuple[Segment, Bulletin]]:
    """Index the readable segments of some bulletins."""
    return {segment.id: (segment, bulletin) for bulletin in bulletins for segment in bulletin.readable}


def is_label_file(path: Path) -> bool:
    """Tell a label file from other JSON Lines by its header."""
    first = next(objects(path), None)
    return first is not None and isinstance(first[1], dict) and {"set", "pass"} <= first[1].keys()


def objects(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the number and the value of each line of a JSON Lines file that is not blank.

    Raises
    ------
    VeilleurError
        Where the file cannot be read or a line is not JSON.
    """
    for number, line in numbered_lines(path):
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise VeilleurError(f"{path}, line {number}: is not JSON ({error}): mend or delete it.") from error


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line of a file in UTF-8 that is not blank.

    Raises
    ------
    VeilleurError
        Where the file cannot be read or is not UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise VeilleurError(f"{path}, line {number}: is not UTF-8: convert the file.") from error
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise VeilleurError(f"{path}: cannot be read ({reason}): give a JSON Lines file.") from error
    for number, line in enumerate(text.split("\n"), start=1):  # splitlines would cut at U+2028 inside a string
        if line.strip():
            yield number, line


def scan_label_file(path: Path) -> LabelFile:
    """Read a label file, noting all its faults of form instead of stopping at the first."""
    header: dict[str, str] = {}
    lines: list[LabelLine] = []
    problems: list[Problem] = []
    for position, (number, text) in enumerate(numbered_lines(path)):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            problems.append(Problem(path, number, f"the line is not JSON ({error}): mend or delete it"))
            continue
        if position == 0:
            header, faults = _header(value)
            problems.extend(Problem(path, number, fault) for fault in faults)
            if not isinstance(value, dict) or "id" not in value:
                continue  # else the header is missing, and the line is a label like the others
        line = _label_line(number, value)
        if isinstance(line, LabelLine):
            lines.append(line)
        else:
            problems.append(Problem(path, number, line))
    if not (header or lines or problems):
        keys = ", ".join(_HEADER_KEYS)
        problems.append(Problem(path, 0, f"the file is empty: begin it with a header of {keys}"))
    return LabelFile(path, header, tuple(lines), tuple(problems))


def read_label_file(path: Path) -> LabelFile:
    """Read a label file, and raise `VeilleurError` at its first fault of form."""
    found = scan_label_file(path)
    if found.problems:
        first = found.problems[0]
        raise VeilleurError(f"{path}, line {first.line}: {first.message}.")
    return found


def _header(value: Any) -> tuple[dict[str, str], list[str]]:
    """Give the header and what is wrong with it."""
    if not isinstance(value, dict) or "set" not in value:
        return {}, [f"the header is missing: begin the file with an object of {', '.join(_HEADER_KEYS)}"]
    header = {key: value[key] for key in _HEADER_KEYS if isinstance(value.get(key), str) and value[key].strip()}
    faults = [f"the header lacks {key!r}: add it, as a text" for key in _HEADER_KEYS if key not in header]
    for key, allowed in (("set", SETS), ("pass", PASSES)):
        if key in header and header[key] not in allowed:
            faults.append(f"the header's {key} is {header[key]!r}: make it one of {', '.join(allowed)}")
    if "date" in header and not _ISO_DATE.fullmatch(header["date"]):
        faults.append(f"the header's date is {header['date']!r}: write it as 2026-11-22")
    return header, faults


def _label_line(number: int, value: Any) -> LabelLine | str:
    """Give what a line says, or what is wrong with its form."""
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        return 'the line has no id: write {"id": …, "topics": {…}}'
    topics = value.get("topics")
    if not isinstance(topics, dict):
        return 'topics is not an object: write {"drugs": ["the words"]}, or {} for none'
    for topic, words in topics.items():
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            return f'the evidence of {topic!r} is not a list of texts: write ["the words"]'
    return LabelLine(number, value["id"], {topic: tuple(words) for topic, words in topics.items()})
