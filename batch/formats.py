"""The formats of inputs and outputs, told by the names of files."""

from pathlib import PurePath
from typing import Literal

from veilleur.errors import VeilleurError

Format = Literal["text", "jsonl", "csv", "tsv", "parquet"]
Compression = Literal["gzip", "zstd"]

SUFFIXES: dict[str, Format] = {
    ".txt": "text",
    ".md": "text",
    ".text": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}


def compression_of(name: str) -> Compression | None:
    """Tell how a file of this name is compressed, or None.

    Examples
    --------
    >>> compression_of("news.jsonl.gz"), compression_of("news.jsonl")
    ('gzip', None)
    """
    return COMPRESSIONS.get(PurePath(name).suffix.lower())


def format_of(name: str) -> Format | None:
    """Tell the format of a file of this name, compressed or not, or None.

    Examples
    --------
    >>> format_of("s3://desk/news.CSV.zst"), format_of("a.txt"), format_of("picture.png")
    ('csv', 'text', None)
    """
    path = PurePath(name)
    if compression_of(name):
        path = path.with_suffix("")
    return SUFFIXES.get(path.suffix.lower())


def stem_of(name: str) -> str:
    """Return the name of a file without its folder and suffixes.

    Examples
    --------
    >>> stem_of("news/2025-11.morning.jsonl.gz")
    '2025-11.morning'
    """
    path = PurePath(name)
    return path.with_suffix("").stem if compression_of(name) else path.stem


def output_format(name: str) -> Format:
    """Tell the format that results are written in to a file of this name: JSON Lines unless its suffix says otherwise.

    Raises
    ------
    VeilleurError
        If the suffix is that of plain text.
    """
    form = format_of(name) or "jsonl"
    if form == "text":
        raise VeilleurError(f"{name}: results are no plain text: end the name in .jsonl, .csv, .tsv or .parquet")
    return form
