"""Reading what is to be tagged: bulletins as text files, rows of JSON Lines, CSV, TSV and Parquet."""

import base64
import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from veilleur.batch.cells import unmarked
from veilleur.batch.files import Meter, Source, open_source, read_errors
from veilleur.batch.formats import Format, format_of, stem_of
from veilleur.errors import VeilleurError
from veilleur.seeds.text import decode

MAX_CHARS = 1_000_000  # of a text: far more than any bulletin, and what the fine-tune reads in well under a minute
RAW_LIMIT = 64 * 2**20  # bytes of one line that are held, and kept where it is rejected
BATCH = 512  # rows of Parquet that are held at a time
DELIMITERS = ",;\t|"
_LONG_LINE = f"has a line of {RAW_LIMIT:,} bytes or more: check its line ends and quotation marks"


@dataclass(frozen=True, slots=True)
class Item:
    """One input.

    Attributes
    ----------
    source : str
        File, or file and line.
    name : str
        What its paragraphs' ids begin with: the file's name, or the row's own id or else its line.
    text : str
    is_row : bool
        Whether it is a row of a table or of JSON Lines.
    columns : dict
        The row's other columns, which are passed on.
    title, date : str or None
        Those that the row names.
    schema : pyarrow.Schema or None
        The types of the columns of Parquet.
    line : int or None
        The line or row in its file.
    """

    source: str
    name: str
    text: str
    is_row: bool = False
    columns: dict[str, Any] = field(default_factory=dict)
    title: str | None = None
    date: str | None = None
    schema: Any = None
    line: int | None = None

    @property
    def file(self) -> str:
        """The file that it comes from."""
        return self.source.removesuffix(f", line {self.line}")


@dataclass(frozen=True, slots=True)
class Reject:
    """An input that could not be read or tagged.

    Attributes
    ----------
    file : str
    line : int or None
        Line of a text format, row of Parquet, both from 1; None where the whole file is meant.
    reason : str
        What is wrong with it.
    raw : bytes or None
        Its content as it came, at most `RAW_LIMIT` bytes of it; None where the file could not be read.
    """

    file: str
    line: int | None
    reason: str
    raw: bytes | None = None

    def __str__(self) -> str:
        """Say where and why."""
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{where}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        r"""Return it as JSON types; bytes that are no UTF-8 stand as ``\xNN``, and unchanged in ``raw_base64``."""
        record: dict[str, Any] = {"file": self.file, "line": self.line, "reason": self.reason, "raw": None}
        if self.raw is not None:
            record["raw"] = self.raw.decode("utf-8", errors="backslashreplace")
            if record["raw"].encode() != self.raw:
                record["raw_base64"] = base64.b64encode(self.raw).decode("ascii")
        return record


Entry = Item | Reject


@dataclass(frozen=True, slots=True)
class Reading:
    """How inputs are read.

    Attributes
    ----------
    text, id, title, date : str
        The columns of a row that hold these; all but the text may be missing.
    encoding : str
        Of JSON Lines, CSV and TSV. Text files are read as UTF-8, UTF-16 or Windows-1252, whichever they are.
    max_chars : int
        A longer text is rejected.
    form : Format, optional
        The format of all inputs; by default each file's suffix tells it.
    """

    text: str = "text"
    id: str = "id"
    title: str = "title"
    date: str = "date"
    encoding: str = "utf-8"
    max_chars: int = MAX_CHARS
    form: Format | None = None

    def __post_init__(self) -> None:
        try:
            usable = "\n{".encode(self.encoding) == b"\n{"
        except LookupError:
            usable = False
        if not usable:
            raise VeilleurError(f"the encoding {self.encoding!r} is not known here: name one such as utf-8 or cp1252")


def read_source(source: Source, reading: Reading, skip: int = 0, meter: Meter | None = None) -> Iterator[Entry]:
    """Read one file as inputs and rejects.

    Parameters
    ----------
    source : Source
    reading : Reading
    skip : int
        How many entries were read before; they are passed over, quickly where the format allows.
    meter : Meter, optional
        Told how far the file was read.

    Yields
    ------
    Item or Reject
        One for each bulletin of a text file and each row of the other formats, blank lines aside. A damaged file gives
        what can be read of it and then one reject.

    Raises
    ------
    VeilleurError
        If a package is missing that its format needs.
    """
    meter = meter or Meter()
    form = reading.form or format_of(source.name)
    count = 0
    try:
        with open_source(source, meter, seekable=form == "parquet") as stream:
            for entry in _READERS[form or _sniffed(stream)](stream, source, reading, skip):
                count += 1
                if entry is not None and count > skip:
                    yield entry
    except read_errors() as error:
        if count >= skip:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            how = "cannot be read on" if count else "cannot be read"
            yield Reject(source.shown, None, f"{how} ({reason})")
    if source.size is not None:
        meter.bytes = source.size


def _sniffed(stream: Any) -> Format:
    """Tell JSON Lines from text by the first character, for standard input and files of unknown suffix."""
    return "jsonl" if stream.peek(1).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else "text"


# Each reader gives one entry for each input; of one that is passed over, it may give None instead.
Entries = Iterator[Entry | None]


def _read_text(stream: BinaryIO, source: Source, reading: Reading, skip: int) -> Entries:
    data = stream.read(RAW_LIMIT)
    text = decode(data)
    reject = partial(Reject, source.shown, None, raw=data)
    if "\0" in text or ("\ufffd" in text and b"\xef\xbf\xbd" not in data):
        yield reject("is no text in UTF-8, UTF-16 or Windows-1252: save it as UTF-8")
    elif len(data) == RAW_LIMIT:
        yield reject(f"has {RAW_LIMIT:,} bytes or more: divide it")
    elif len(text) > reading.max_chars:
        yield reject(_too_long(len(text), reading))
    elif not text.strip():
        yield reject("is empty")
    else:
        yield Item(source.shown, stem_of(source.shown), text)


def _read_jsonl(stream: BinaryIO, source: Source, reading: Reading, skip: int) -> Entries:
    count = 0
    for number, line in enumerate(_lines(stream), 1):
        if not line.strip():
            continue
        count += 1
        yield None if count <= skip else _json_entry(line, number, source, reading)


def _json_entry(line: bytes, number: int, source: Source, reading: Reading) -> Entry:
    reject = partial(Reject, source.shown, number, raw=line.rstrip(b"\r\n"))
    try:
        row = json.loads(_decoded(line, number, reading.encoding))
    except UnicodeDecodeError as error:
        return reject(_wrong_encoding(error, reading.encoding))
    except (ValueError, RecursionError) as error:
        if len(line) == RAW_LIMIT:
            return reject(_LONG_LINE)
        return reject(f"is not JSON ({error}): write one object a line")
    if not isinstance(row, dict):
        return reject(f'is not a JSON object: write {{"{reading.text}": "…"}}')
    return _row_entry(row, source.shown, number, reading) or reject(_without_text(row, reading))


def _read_csv(stream: BinaryIO, source: Source, reading: Reading, skip: int, delimiter: str | None = None) -> Entries:
    csv.field_size_limit(max(csv.field_size_limit(), RAW_LIMIT))
    lines = _Lines(stream, reading.encoding)
    head = next(lines, "")
    delimiter = delimiter or max(DELIMITERS, key=head.count)
    try:
        header = [unmarked(name) for name in next(csv.reader(chain([head], lines), delimiter=delimiter), [])]
    except csv.Error:
        header = []
    _, raw, fault = lines.take()
    if problem := fault or _header_problem(header, reading):
        yield Reject(source.shown, 1, problem, raw)
        return
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    count = 0
    while True:
        problem = None
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            cells, problem = [], f"is no row of the table ({error}): check its quotation marks"
        number, raw, fault = lines.take()
        if not cells and not problem:
            continue
        count += 1
        if count <= skip:
            yield None
            continue
        if fault:
            problem = fault
        elif cells and len(cells) != len(header):
            problem = f"has {len(cells)} cells where the header has {len(header)}: check commas and quotation marks"
        row = dict(zip(header, map(unmarked, cells), strict=False))
        reject = partial(Reject, source.shown, number, raw=raw.rstrip(b"\r\n"))
        if problem:
            yield reject(problem)
        else:
            yield _row_entry(row, source.shown, number, reading) or reject(_without_text(row, reading))


def _read_parquet(stream: BinaryIO, source: Source, reading: Reading, skip: int) -> Entries:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise VeilleurError(f"{source.shown}: Parquet is read with pyarrow: pip install 'veilleur[parquet]'") from error
    table = parquet.ParquetFile(stream)
    if problem := _header_problem(table.schema_arrow.names, reading):
        yield Reject(source.shown, None, problem)
        return
    sizes = [table.metadata.row_group(group).num_rows for group in range(table.num_row_groups)]
    first = count = 0
    while first < len(sizes) and count + sizes[first] <= skip:
        count += sizes[first]
        first += 1
    yield from (None for _ in range(count))
    for batch in table.iter_batches(BATCH, row_groups=range(first, len(sizes))):
        for row in batch.to_pylist():
            count += 1
            if count <= skip:
                yield None
                continue
            raw = json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")
            reject = partial(Reject, source.shown, count, raw=raw)
            entry = _row_entry(row, source.shown, count, reading, table.schema_arrow)
            yield entry or reject(_without_text(row, reading))


_READERS: dict[Format, Callable[[Any, Source, Reading, int], Entries]] = {
    "text": _read_text,
    "jsonl": _read_jsonl,
    "csv": _read_csv,
    "tsv": partial(_read_csv, delimiter="\t"),
    "parquet": _read_parquet,
}


def _row_entry(row: dict[str, Any], file: str, number: int, reading: Reading, schema: Any = None) -> Item | None:
    """Make an input of a row; None if its text is missing or too long."""
    text = row.get(reading.text)
    if not isinstance(text, str) or len(text) > reading.max_chars:
        return None
    columns = {name: value for name, value in row.items() if name != reading.text}
    name = row.get(reading.id)
    return Item(
        source=f"{file}, line {number}",
        name=f"{stem_of(file)}-{number}" if name is None or name == "" else str(name),
        text=text,
        is_row=True,
        columns=columns,
        title=_known(row.get(reading.title)),
        date=_known(row.get(reading.date)),
        schema=schema,
        line=number,
    )


def _known(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _without_text(row: dict[str, Any], reading: Reading) -> str:
    if reading.text not in row:
        return f"has no {reading.text!r}: add it, or name the column that holds the text"
    text = row[reading.text]
    if not isinstance(text, str):
        return f"its {reading.text!r} is no text: put it in quotation marks"
    return _too_long(len(text), reading)


def _too_long(length: int, reading: Reading) -> str:
    return f"is {length:,} characters long, more than {reading.max_chars:,}: divide it, or raise the limit"


def _wrong_encoding(error: UnicodeDecodeError, encoding: str) -> str:
    return f"is not {encoding} (byte {error.object[error.start]:#04x}): name its encoding, or save it as UTF-8"


def _header_problem(header: list[str], reading: Reading) -> str | None:
    if not header:
        return "has no header: name the columns in the first line"
    if reading.text not in header:
        return f"has no column {reading.text!r}, only {', '.join(header)}: name the column that holds the text"
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        return f"has the column {twice!r} more than once: rename one"
    return None


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Give lines, of which no more than `RAW_LIMIT` bytes are held."""
    while line := stream.readline(RAW_LIMIT):
        yield line
        while len(line) == RAW_LIMIT and not line.endswith(b"\n"):  # the rest of a line that is too long
            line = stream.readline(RAW_LIMIT)


def _decoded(line: bytes, number: int, encoding: str) -> str:
    text = line.decode(encoding)
    return text.removeprefix("\ufeff") if number == 1 else text


class _Lines:
    """Lines as text for `csv`, which may take several for one row; keeps what it took."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self.lines = enumerate(_lines(stream), 1)
        self.encoding = encoding
        self.taken: list[bytes] = []
        self.first = 0
        self.fault: str | None = None

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        number, line = next(self.lines)
        if not self.taken:
            self.first = number
        self.taken.append(line)
        if len(line) == RAW_LIMIT:
            self.fault = _LONG_LINE
        try:
            return _decoded(line, number, self.encoding)
        except UnicodeDecodeError as error:
            self.fault = _wrong_encoding(error, self.encoding)
            return line.decode(self.encoding, errors="replace")

    def take(self) -> tuple[int, bytes, str | None]:
        """Return the number of the first line since the last call, all bytes since then, and what was wrong."""
        taken = self.first, b"".join(self.taken), self.fault
        self.taken, self.fault = [], None
        return taken
