"""Writing results: each chunk as a part of its own, and all parts as one file of the format that was asked for."""

import base64
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from veilleur.batch.cells import harmless
from veilleur.batch.formats import Format
from veilleur.errors import VeilleurError

if TYPE_CHECKING:
    import pyarrow

Record = dict[str, Any]
TOPIC_SEPARATOR = "|"
SCORE = "score_"  # what the columns of scores begin with in CSV
ROW_GROUP = 16_384  # rows of Parquet that are written, and held, at once


class Encoder(Protocol):
    """A format of results."""

    def encode(self, records: Sequence[Record], schemas: Iterable[Any] = ()) -> bytes:
        """Return a part: the records of a chunk; `schemas` are those of the Parquet files that they came from."""
        ...

    def assemble(self, parts: Sequence[Path], file: BinaryIO) -> None:
        """Write all parts as one file; what comes out does not depend on where they were cut."""
        ...


def encoder(form: Format, topics: Sequence[str] = ()) -> Encoder:
    """Return the encoder of a format.

    Parameters
    ----------
    form : {"jsonl", "csv", "tsv", "parquet"}
    topics : sequence of str
        The bundle's, which are columns in Parquet.

    Raises
    ------
    VeilleurError
        If Parquet is asked for and pyarrow is missing.
    """
    if form == "parquet":
        try:
            import pyarrow  # noqa: F401
        except ModuleNotFoundError as error:
            raise VeilleurError("Parquet is written with pyarrow: pip install 'veilleur[parquet]'") from error
        return Parquet(tuple(topics))
    if form == "jsonl":
        return JsonLines()
    return Csv("\t" if form == "tsv" else ",")


@dataclass(frozen=True)
class JsonLines:
    """A JSON object a line, in UTF-8."""

    def encode(self, records: Sequence[Record], schemas: Iterable[Any] = ()) -> bytes:
        """Return one line for each record."""
        return b"".join(_json(record).encode("utf-8", "backslashreplace") + b"\n" for record in records)

    def assemble(self, parts: Sequence[Path], file: BinaryIO) -> None:
        """Put the parts one after the other."""
        for path in parts:
            with path.open("rb") as part:
                copyfileobj(part, file)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let csv read our own cells, however long; its limit is the whole process's, and that of inputs stays."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


@dataclass(frozen=True)
class Csv:
    """CSV or TSV as spreadsheets read it; a cell that they would run as a formula gets an apostrophe before it.

    Topics are joined by ``|``, scores are a column each, other lists and objects are JSON.
    """

    delimiter: str

    def encode(self, records: Sequence[Record], schemas: Iterable[Any] = ()) -> bytes:
        """Return the records with a header of their own columns."""
        rows = [_flat(record) for record in records]
        return self._write(list(dict.fromkeys(name for row in rows for name in row)), rows)

    @_long_cells()
    def assemble(self, parts: Sequence[Path], file: BinaryIO) -> None:
        """Write one header of all columns, in the order in which they turn up, and all rows."""
        headers = {path: _header(path, self.delimiter) for path in parts}
        columns = list(dict.fromkeys(name for header in headers.values() for name in header))
        file.write(self._write(columns, []))
        for path, header in headers.items():
            with path.open("r", encoding="utf-8", newline="") as part:
                rows = csv.reader(part, delimiter=self.delimiter)
                next(rows, None)
                text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
                writer = csv.writer(text, delimiter=self.delimiter, lineterminator="\r\n")
                places = [header.index(name) if name in header else None for name in columns]
                writer.writerows(["" if place is None else row[place] for place in places] for row in rows)
                text.detach()

    def _write(self, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.delimiter, lineterminator="\r\n")
        if columns:
            writer.writerow([harmless(name) for name in columns])
            writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
        return text.getvalue().encode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Parquet:
    """Parquet: topics a list, scores a struct with a field for each topic, other columns as they came."""

    topics: tuple[str, ...]

    def encode(self, records: Sequence[Record], schemas: Iterable[Any] = ()) -> bytes:
        """Return the records as a small Parquet file; columns keep the types that `schemas` agree on."""
        import pyarrow
        from pyarrow import parquet

        ours, passed = self._types(), _agreed(schemas)
        columns = {}
        for name in dict.fromkeys(name for record in records for name in record):
            types = [ours.get(name), passed.get(name), passed.get(name.removeprefix("input_"))]
            columns[name] = _array([record.get(name) for record in records], types)
        sink = io.BytesIO()
        parquet.write_table(pyarrow.table(columns), sink)
        return sink.getvalue()

    def assemble(self, parts: Sequence[Path], file: BinaryIO) -> None:
        """Write all parts with one schema; a column whose types do not go together becomes text."""
        import pyarrow
        from pyarrow import parquet

        schema = _unified(parts)
        with parquet.ParquetWriter(file, schema) as writer:
            held: list[pyarrow.Table] = []
            for path in parts:
                held.append(_conformed(parquet.read_table(path), schema))
                table = pyarrow.concat_tables(held)
                while table.num_rows >= ROW_GROUP:
                    writer.write_table(table.slice(0, ROW_GROUP).combine_chunks())
                    table = table.slice(ROW_GROUP)
                held = [table]
            if held and held[0].num_rows:
                writer.write_table(held[0].combine_chunks())

    def _types(self) -> "dict[str, pyarrow.DataType]":
        import pyarrow

        text = pyarrow.string()
        topics = pyarrow.list_(text)
        scores = pyarrow.struct([(topic, pyarrow.float64()) for topic in self.topics])
        segment = [("id", text), ("kind", text), ("text", text), ("topics", topics), ("scores", scores)]
        return {
            "topics": topics,
            "scores": scores,
            "carriers": pyarrow.map_(text, pyarrow.list_(text)),
            "segments": pyarrow.list_(pyarrow.struct(segment)),
            "paragraphs": pyarrow.list_(text),
            "title": text,
            "date": text,
        }


def beside(row: Mapping[str, Any], ours: Mapping[str, Any]) -> Record:
    """Return a row without the columns that ours say again; those that bear our names are called ``input_<name>``."""
    kept = {}
    for name, value in row.items():
        if name in ours and str(ours[name]) == str(value):
            continue
        free = name
        while free in ours or (free != name and free in row):
            free = f"input_{free}"
        kept[free] = value
    return kept


def _flat(record: Record) -> Record:
    """Put scores into columns of their own and topics into one cell."""
    row: Record = {}
    for name, value in record.items():
        if name == "scores" and isinstance(value, dict):
            ours = {f"{SCORE}{topic}": score for topic, score in value.items()}
            row = beside(row, ours) | ours
        elif name in ("topics", "paragraphs") and isinstance(value, list):
            row[name] = TOPIC_SEPARATOR.join(map(str, value))
        else:
            row[name] = value
    return row


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if value is None or isinstance(value, int | float | Decimal):
        return value
    return harmless(_json(value) if isinstance(value, dict | list) else _plain(value))


def _header(path: Path, delimiter: str) -> list[str]:
    with path.open("r", encoding="utf-8", newline="") as part:
        return next(csv.reader(part, delimiter=delimiter), [])


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:  # NaN and infinity, which JSON does not have
        return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, default=_plain)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and value - value != 0 else value


def _plain(value: Any) -> str:
    """Write what Parquet has and JSON has not."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def _agreed(schemas: Iterable[Any]) -> "dict[str, pyarrow.DataType]":
    """Return the types of the columns that bear the same one in all schemas."""
    types: dict[str, Any] = {}
    for schema in schemas:
        for one in schema:
            types[one.name] = one.type if types.get(one.name, one.type) == one.type else None
    return {name: type_ for name, type_ in types.items() if type_ is not None}


def _array(values: list[Any], types: Iterable[Any]) -> "pyarrow.Array":
    """Make a column of the first type that holds all values, else of the one that fits, else of text."""
    import pyarrow

    for type_ in (*(type_ for type_ in types if type_ is not None), None):
        try:
            rows = [list(one.items()) if isinstance(one, dict) else one for one in values]
            array = pyarrow.array(rows if type_ is not None and pyarrow.types.is_map(type_) else values, type_)
            if _storable(array.type):
                return array
        except (pyarrow.ArrowException, TypeError, ValueError, OverflowError):
            continue
    return pyarrow.array([None if value is None else _text(value) for value in values], pyarrow.string())


def _storable(type_: "pyarrow.DataType") -> bool:
    """Tell whether Parquet has the type: it has no objects without keys."""
    from pyarrow import types

    inner = [type_.field(index).type for index in range(type_.num_fields)]
    return all(map(_storable, inner)) and not (types.is_struct(type_) and not inner)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else _json(value)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _unified(parts: Sequence[Path]) -> "pyarrow.Schema":
    """Return the schema of all columns; those whose types or values cannot be reconciled are text."""
    import pyarrow
    from pyarrow import parquet

    schemas = [parquet.read_schema(path) for path in parts]
    fields: dict[str, Any] = {}
    for schema in schemas:
        for one in schema:
            pair = [pyarrow.schema([fields.get(one.name, one)]), pyarrow.schema([one])]
            try:
                fields[one.name] = pyarrow.unify_schemas(pair, promote_options="permissive").field(0)
            except pyarrow.ArrowException:
                fields[one.name] = pyarrow.field(one.name, pyarrow.string())
    for path, schema in zip(parts, schemas, strict=True):
        names = [one.name for one in schema if one.type != fields[one.name].type]
        columns = parquet.read_table(path, columns=names).columns if names else []
        for column, name in zip(columns, names, strict=True):
            try:
                column.cast(fields[name].type)
            except pyarrow.ArrowException:  # such as a whole number that no fraction of 64 bits holds
                fields[name] = pyarrow.field(name, pyarrow.string())
    return pyarrow.schema(list(fields.values()))


def _conformed(table: "pyarrow.Table", schema: "pyarrow.Schema") -> "pyarrow.Table":
    """Give a part the columns and types of the whole."""
    import pyarrow

    columns = []
    for one in schema:
        if one.name not in table.column_names:
            columns.append(pyarrow.nulls(table.num_rows, one.type))
        elif (column := table[one.name]).type == one.type:
            columns.append(column)
        elif pyarrow.types.is_string(one.type):
            columns.append(pyarrow.array([None if v is None else _text(v) for v in column.to_pylist()], one.type))
        else:
            columns.append(column.cast(one.type))
    return pyarrow.Table.from_arrays(columns, schema=schema)
