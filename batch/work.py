"""What an unfinished run leaves beside its output: committed parts, a journal, and a lock.

A chunk is committed in two steps, each durable before the next begins: its parts appear by atomic rename, then the
journal that counts them does. A run that breaks anywhere leaves the journal of the last whole chunk; parts that it does
not count are written anew.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from veilleur.batch.chunks import START, Position
from veilleur.batch.files import compressed
from veilleur.batch.formats import compression_of
from veilleur.batch.outputs import Encoder, JsonLines
from veilleur.batch.tagging import TaggedChunk
from veilleur.errors import VeilleurError

JOURNAL = "journal.json"
LOCK = "lock"
REJECTS = JsonLines()


@dataclass(frozen=True, slots=True)
class Journal:
    """How far a run has come.

    Attributes
    ----------
    chunks : int
        How many are committed.
    inputs, records, rejects : int
        What they hold.
    end : Position
        Where the next begins.
    bytes, digest
        Those of the last chunk.
    """

    chunks: int = 0
    inputs: int = 0
    records: int = 0
    rejects: int = 0
    end: Position = START
    bytes: int = 0
    digest: str = ""

    def after(self, tagged: TaggedChunk) -> "Journal":
        """Return the journal with one more chunk."""
        return Journal(
            chunks=self.chunks + 1,
            inputs=self.inputs + tagged.inputs,
            records=self.records + tagged.records,
            rejects=self.rejects + len(tagged.rejects),
            end=tagged.end,
            bytes=tagged.bytes,
            digest=tagged.digest,
        )


class Work:
    """The folder of an unfinished run; made by `open_work`."""

    def __init__(self, folder: Path, identity: Mapping[str, Any], journal: Journal) -> None:
        self.folder = folder
        self.identity = identity
        self.journal = journal

    def commit(self, tagged: TaggedChunk) -> None:
        """Make a chunk's results durable."""
        number = self.journal.chunks
        _write(self._part(number), tagged.data)
        if tagged.rejects:
            _write(self._rejects(number), REJECTS.encode([reject.to_dict() for reject in tagged.rejects]))
        else:
            self._rejects(number).unlink(missing_ok=True)  # of a chunk that was cut otherwise before a break
        _sync_folder(self.folder)
        self._save(self.journal.after(tagged))

    def finish(self, output: Path, encoder: Encoder, rejects: Path) -> None:
        """Write the output and the rejects, each by atomic rename, and remove the folder."""
        self.write_rejects(rejects)
        parts = [self._part(number) for number in range(self.journal.chunks)]
        with (
            _replacing(output, self.folder / "output") as file,
            compressed(file, compression_of(output.name)) as packed,
        ):
            encoder.assemble(parts, packed)
        _sync_folder(output.parent)
        (self.folder / JOURNAL).unlink()  # from here on there is nothing to go on with
        _sync_folder(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_rejects(self, path: Path) -> None:
        """Write the rejects so far; where there are none, remove those of an earlier run."""
        parts = [part for number in range(self.journal.chunks) if (part := self._rejects(number)).exists()]
        if not parts:
            path.unlink(missing_ok=True)
            return
        # Not beside the output, which may be on another disk.
        try:
            with _replacing(path, path.with_name(f"{path.name}.partial")) as file:
                REJECTS.assemble(parts, file)
            _sync_folder(path.parent)
        except OSError as error:
            reason = error.strerror or error
            raise VeilleurError(
                f"{path} cannot be written ({reason}): name other --rejects, and the same command goes on"
            ) from error

    def _save(self, journal: Journal) -> None:
        content = {"job": self.identity, **asdict(journal)}
        _write(self.folder / JOURNAL, json.dumps(content, ensure_ascii=False, indent=1).encode())
        _sync_folder(self.folder)
        self.journal = journal

    def _part(self, number: int) -> Path:
        return self.folder / f"{number:09d}.part"

    def _rejects(self, number: int) -> Path:
        return self.folder / f"{number:09d}.rejects"


@contextmanager
def open_work(folder: Path, identity: Mapping[str, Any]) -> Iterator[Work]:
    """Open the folder of a run, alone.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    identity : mapping
        What decides on the results, as JSON types: a run with another identity does not go on with this one's parts.

    Raises
    ------
    VeilleurError
        If another run has it open, or an unfinished run was another one.
    """
    folder.mkdir(exist_ok=True)
    with _lock(folder):
        yield Work(folder, identity, _read_journal(folder, identity))


def _read_journal(folder: Path, identity: Mapping[str, Any]) -> Journal:
    try:
        content = json.loads((folder / JOURNAL).read_bytes())
        found = content.pop("job")
        journal = Journal(**content)
    except FileNotFoundError:
        return Journal()
    except (ValueError, KeyError, TypeError) as error:
        raise VeilleurError(f"{folder / JOURNAL} is damaged ({error}): delete {folder} to start anew") from error
    if found != identity:
        keys = [key for key in identity if found.get(key) != identity[key]]
        raise VeilleurError(
            f"{folder} holds an unfinished run with other {' and '.join(keys) or 'settings'}: run its command again to "
            "go on with it, or delete the folder to start anew"
        )
    return replace(journal, end=Position(*journal.end))


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system drops when its holder ends, however that comes about."""
    path = folder / LOCK
    while True:
        with path.open("wb") as file:
            if not _try_lock(file):
                name = folder.name.removesuffix(".work")
                raise VeilleurError(f"{name} is being written by another run: wait for it, or name another output")
            try:
                is_current = os.fstat(file.fileno()).st_ino == path.stat().st_ino
            except FileNotFoundError:
                is_current = False
            if not is_current:  # the run that held it has just finished and removed the folder
                folder.mkdir(exist_ok=True)
                continue
            yield
            return


def _try_lock(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def _replacing(path: Path, partial: Path) -> Iterator[BinaryIO]:
    """Write a file that appears when it is complete; its folder is still to be synced."""
    with partial.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _write(path: Path, data: bytes) -> None:
    with _replacing(path, path.with_name(f"{path.name}.new")) as file:
        file.write(data)


def _sync_folder(folder: Path) -> None:
    """Put a folder's renames on the disk, where the system can."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
