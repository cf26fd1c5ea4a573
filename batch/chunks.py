"""Inputs cut into chunks, each of which is tagged, encoded and committed as one."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from veilleur.batch.files import Meter, Source
from veilleur.batch.inputs import Item, Reading, Reject, read_source

ENTRIES = 512  # inputs of a chunk: what a break costs at most
CHARS = 2_000_000  # of its texts together, which bounds the memory that it takes


class Position(NamedTuple):
    """A place between two inputs: the index of a file and how many of its entries lie before."""

    file: int = 0
    entry: int = 0


START = Position()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring inputs.

    Attributes
    ----------
    items : tuple of Item
    rejects : tuple of Reject
        Entries that could not be read.
    end : Position
        Where the next chunk begins.
    bytes : int
        How much of all files was read up to here.
    """

    items: tuple[Item, ...]
    rejects: tuple[Reject, ...]
    end: Position
    bytes: int

    def digest(self, before: str) -> str:
        """Return a hash of this chunk and, through the hash `before`, of all chunks before it."""
        items = (repr((one.name, one.text, one.title, one.date, one.columns)) for one in self.items)
        parts = [before, *items, *(repr((one.reason, one.raw)) for one in self.rejects)]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def read_chunks(sources: Sequence[Source], reading: Reading, start: Position = START) -> Iterator[Chunk]:
    """Read files in chunks; the same files and start give the same chunks.

    Parameters
    ----------
    sources : sequence of Source
    reading : Reading
    start : Position, optional
        Where to begin.
    """
    before = [0, *accumulate(source.size or 0 for source in sources)]
    entries: list[Item | Reject] = []
    chars = 0

    def chunk(end: Position, done: int) -> Chunk:
        items = tuple(entry for entry in entries if isinstance(entry, Item))
        rejects = tuple(entry for entry in entries if isinstance(entry, Reject))
        return Chunk(items, rejects, end, done)

    for index in range(start.file, len(sources)):
        meter = Meter()
        position = start.entry if index == start.file else 0
        for entry in read_source(sources[index], reading, position, meter):
            position += 1
            entries.append(entry)
            chars += len(entry.text) if isinstance(entry, Item) else len(entry.raw or b"")
            if len(entries) >= ENTRIES or chars >= CHARS:
                yield chunk(Position(index, position), before[index] + meter.bytes)
                entries, chars = [], 0
        end = Position(index + 1), before[index + 1]
    if entries:
        yield chunk(*end)
