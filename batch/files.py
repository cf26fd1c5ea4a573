"""Finding and opening files: local ones, standard input, anything that fsspec reaches; gzip and zstd undone."""

import gzip
import io
import os
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from glob import glob, has_magic
from importlib import import_module
from pathlib import Path
from shutil import copyfileobj
from types import ModuleType
from typing import Any, BinaryIO, cast

from veilleur.batch.formats import SUFFIXES, Compression, format_of
from veilleur.errors import VeilleurError

STDIN = "-"
MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
READABLE = ", ".join(SUFFIXES)
ZSTD = ("compression.zstd", "backports.zstd")


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read.

    Attributes
    ----------
    name : str
        Its path or URL; ``-`` is standard input.
    size : int or None
        Its bytes; None of a stream, whose content cannot be told from another's before it is read.
    stamp : str
        What changes when the file does: its time of change or its tag in a remote store.
    """

    name: str
    size: int | None = None
    stamp: str = ""

    @property
    def shown(self) -> str:
        """The name in messages."""
        return "stdin" if self.name == STDIN else self.name


class Meter:
    """Counts the bytes that were read of one file, as stored."""

    def __init__(self) -> None:
        self.bytes = 0


def find_sources(names: Iterable[str], *, any_suffix: bool = False, excluded: Iterable[Path] = ()) -> list[Source]:
    """Find the files that are meant, in a stable order.

    Parameters
    ----------
    names : iterable of str
        Files, folders (all files in them whose suffix is known), globs, URLs of files, folders or globs that fsspec
        reads, and ``-`` for standard input.
    any_suffix : bool
        Take all files of a folder, since the format was named.
    excluded : iterable of Path
        Files, and folders with all that they hold, that are left out: what this run itself writes.

    Raises
    ------
    VeilleurError
        If a name stands for no file.
    """
    out = [path.resolve() for path in excluded]
    found: list[Source] = []
    for name in names:
        if name == STDIN:
            found.append(Source(STDIN))
            continue
        sources = _remote(name, any_suffix) if "://" in name else _local(name, any_suffix)
        kept = [
            source
            for source in sources
            if "://" in source.name or not any(Path(source.name).resolve().is_relative_to(path) for path in out)
        ]
        if sources and not kept:
            raise VeilleurError(f"{name}: is what this run writes: name another output")
        if not kept:
            raise VeilleurError(f"{name}: holds no file that can be read ({READABLE}, or these with .gz or .zst)")
        found.extend(kept)
    return found


def _local(name: str, any_suffix: bool) -> list[Source]:
    path = Path(name)
    try:
        is_folder = path.is_dir()
    except OSError as error:  # of a name too long to be one: most likely the text itself
        reason = f"{name[:60]}…: is no file ({error.strerror})"
        raise VeilleurError(f"{reason}: give a text through standard input") from error
    if is_folder:
        paths = sorted(one for one in path.rglob("*") if one.is_file())
        return [_local_source(one) for one in paths if any_suffix or format_of(one.name)]
    if not path.exists():
        if not has_magic(name):
            raise VeilleurError(f"{name}: there is no such file or folder")
        found = sorted(glob(name, recursive=True))  # noqa: PTH207 (pathlib's takes no absolute pattern)
        return [_local_source(Path(one)) for one in found if Path(one).is_file()]
    return [_local_source(path)]


def _local_source(path: Path) -> Source:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return Source(str(path))
    return Source(str(path), status.st_size, str(status.st_mtime_ns))


def _remote(url: str, any_suffix: bool) -> list[Source]:
    fsspec = _fsspec(url)
    try:
        system, path = fsspec.core.url_to_fs(url)
        if has_magic(path):
            paths = sorted(one for one in system.glob(path) if not system.isdir(one))
        elif system.isdir(path):
            paths = [one for one in sorted(system.find(path)) if any_suffix or format_of(one)]
        else:
            return [replace(_remote_source(system, path), name=url)]  # a chain of file systems has no other name
        return [_remote_source(system, one) for one in paths]
    except (OSError, ImportError, ValueError) as error:
        raise VeilleurError(f"{url}: cannot be read ({error})") from error


def _remote_source(system: Any, path: str) -> Source:
    info = system.info(path)
    stamp = next((str(info[key]) for key in ("ETag", "etag", "mtime", "LastModified", "created") if key in info), "")
    return Source(system.unstrip_protocol(path), info.get("size"), stamp)


def _fsspec(url: str) -> Any:
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise VeilleurError(f"{url}: URLs are read with fsspec: pip install 'veilleur[remote]'") from error
    return fsspec


@contextmanager
def open_source(source: Source, meter: Meter, *, seekable: bool = False) -> Iterator[io.BufferedReader]:
    """Open a file to read its bytes, decompressed where it is compressed, whatever its name.

    Parameters
    ----------
    source : Source
    meter : Meter
        Told how many of the stored bytes were read.
    seekable : bool
        Whether the reader must be able to jump; what cannot is copied to a temporary file first.

    Raises
    ------
    VeilleurError
        If the file is compressed with zstd and no package reads that, or standard input is closed.
    OSError, EOFError, zlib.error, ValueError
        If it cannot be read or decompressed; of zstd, see `read_errors`.
    """
    with ExitStack() as stack:
        raw = _open_raw(source, stack)
        metered: io.BufferedReader = io.BufferedReader(cast(Any, _Metered(raw, meter)))
        head = metered.peek(4)
        kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
        stream = metered
        if kind == "gzip":
            stream = io.BufferedReader(cast(Any, stack.enter_context(gzip.GzipFile(fileobj=metered))))
        elif kind == "zstd":
            stream = io.BufferedReader(stack.enter_context(_zstd(source.shown).ZstdFile(metered)))
        if seekable and not (kind is None and raw.seekable()):
            copy = stack.enter_context(tempfile.TemporaryFile())
            copyfileobj(stream, copy)
            copy.seek(0)
            stream = cast(io.BufferedReader, copy)
        yield stream


def _open_raw(source: Source, stack: ExitStack) -> BinaryIO:
    if source.name == STDIN:
        if sys.stdin is None:
            raise VeilleurError("standard input is closed: name a file")
        return sys.stdin.buffer
    if "://" in source.name:
        return cast(BinaryIO, stack.enter_context(_fsspec(source.name).open(source.name, "rb")))
    return stack.enter_context(Path(source.name).open("rb", buffering=0))


class _Metered(io.RawIOBase):
    """Passes reading on and counts it."""

    def __init__(self, raw: BinaryIO, meter: Meter) -> None:
        self.raw = raw
        self.meter = meter
        # A pipe's `read` waits until the buffer is full; `read1` gives what has come.
        self.take = getattr(raw, "read1", raw.read)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.raw.seekable()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.raw.seek(offset, whence)

    def tell(self) -> int:
        return self.raw.tell()

    def readinto(self, buffer: Any) -> int:
        data = self.take(len(buffer))
        buffer[: len(data)] = data
        self.meter.bytes += len(data)
        return len(data)


@contextmanager
def compressed(file: BinaryIO, compression: Compression | None) -> Iterator[BinaryIO]:
    """Compress what is written to `file`; the same content gives the same bytes."""
    if compression == "gzip":
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            yield cast(BinaryIO, packed)
    elif compression == "zstd":
        with _zstd("the output").ZstdFile(file, "w") as packed:
            yield packed
    else:
        yield file


def check_compression(name: str, compression: Compression | None) -> None:
    """Refuse an output that could not be written at the end of the run.

    Raises
    ------
    VeilleurError
        If it is to be compressed with zstd and no package does that.
    """
    if compression == "zstd":
        _zstd(name)


def read_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that tell that a file is damaged or cannot be read."""
    zstd = [sys.modules[name].ZstdError for name in ZSTD if name in sys.modules]
    return (OSError, EOFError, ValueError, zlib.error, *zstd)


def _zstd(name: str) -> ModuleType:
    """Return the standard library's module for zstd, or what stands for it before Python 3.14."""
    for module in ZSTD:
        try:
            return import_module(module)
        except ModuleNotFoundError:
            continue
    raise VeilleurError(f"{name}: is compressed with zstd: pip install 'veilleur[zstd]'")
