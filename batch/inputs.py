"""Reading what is to be tagged: text files, folders of them, JSON Lines, standard input."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from veilleur.seeds.text import decode

Unit = Literal["text", "paragraph", "bulletin"]
TEXT_SUFFIXES = {".txt", ".md", ".text"}
JSON_SUFFIXES = {".jsonl", ".ndjson", ".json"}
STDIN = Path("-")
SNIFFED = 4096  # bytes of standard input that tell JSON Lines from text


@dataclass(frozen=True)
class Item:
    """One input.

    Attributes
    ----------
    source : str
        File, or file and line.
    name : str
        What its paragraphs' ids begin with: the file's name, or the row's own id or else its line.
    text : str
    from_json : bool
        Whether it is a row of JSON Lines.
    columns : dict
        The row's other columns, which are passed on.
    """

    source: str
    name: str
    text: str
    from_json: bool = False
    columns: dict[str, Any] = field(default_factory=dict)


def read_items(sources: Iterable[Path], fault: Callable[[str], None], output: Path | None = None) -> Iterator[Item]:
    """Read inputs one by one.

    Parameters
    ----------
    sources : iterable of Path
        Files, folders (their ``.txt``, ``.md`` and ``.jsonl`` files, by name), or ``-`` for standard input.
    fault : callable
        Told, in one sentence, of each input that cannot be read; the others are still given.
    output : Path, optional
        Where results go: never read, even if it lies in one of the folders.
    """
    for source in sources:
        if source == STDIN and sys.stdin is None:
            fault("stdin: is closed")
        elif source == STDIN:
            yield from _read_stream(sys.stdin.buffer, "stdin", fault)
        elif source.is_dir():
            known = TEXT_SUFFIXES | JSON_SUFFIXES
            files = sorted(path for path in source.rglob("*") if path.suffix.lower() in known and path != output)
            if not files:
                fault(f"{source}: holds no .txt, .md or .jsonl file")
            for path in files:
                yield from _read_file(path, fault)
        else:
            yield from _read_file(source, fault)


def _read_file(path: Path, fault: Callable[[str], None]) -> Iterator[Item]:
    try:
        if path.suffix.lower() in JSON_SUFFIXES:
            with path.open("rb") as file:
                yield from _read_rows(file, str(path), fault)
        else:
            yield from _read_text(path.read_bytes(), str(path), path.stem, fault)
    except OSError as error:
        fault(f"{path}: {error.strerror}")


def _read_stream(stream: BinaryIO, name: str, fault: Callable[[str], None]) -> Iterator[Item]:
    """Read JSON Lines where the first line is a JSON object, and one bulletin otherwise."""
    first = stream.readline()
    if first.lstrip().startswith(b"{"):
        yield from _read_rows(_chain(first, stream), name, fault)
    else:
        yield from _read_text(first + stream.read(), name, name, fault)


def _read_text(data: bytes, source: str, name: str, fault: Callable[[str], None]) -> Iterator[Item]:
    text = decode(data)
    if text.strip():
        yield Item(source, name, text)
    else:
        fault(f"{source}: is empty")


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _read_rows(lines: Iterable[bytes], name: str, fault: Callable[[str], None]) -> Iterator[Item]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        source = f"{name}, line {number}"
        try:
            row = json.loads(decode(line))
        except (ValueError, RecursionError) as error:
            fault(f"{source}: is not JSON ({error}): write one object a line")
            continue
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            fault(f'{source}: has no text: write {{"text": "…"}}')
            continue
        text = row.pop("text")
        yield Item(source, str(row.get("id", f"{Path(name).stem}-{number}")), text, True, row)
