"""Labelled paragraphs for other tools: JSON Lines, Parquet, and a ``datasets.Dataset``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veilleur.errors import VeilleurError
from veilleur.labels.rows import COLUMNS, LabelledParagraph

if TYPE_CHECKING:
    import datasets

_COLUMNS = ("bulletin", *COLUMNS)
_OWN = {"id", "text", "topics", "evidence", *_COLUMNS}


def export(rows: Iterable[LabelledParagraph], path: str | Path) -> None:
    """Write rows to a ``.jsonl`` or ``.parquet`` file, which `datasets.load_dataset` reads.

    Raises
    ------
    VeilleurError
        Where the suffix is another one, the file cannot be written, or Parquet is asked for without the extra
        ``train``.
    """
    path = Path(path)
    if path.suffix not in {".jsonl", ".parquet"}:
        raise VeilleurError(f"{path}: is of no known kind: end the name in .jsonl or .parquet.")
    if not path.parent.is_dir():
        raise VeilleurError(f"{path}: cannot be written, for its folder is missing: make the folder first.")
    try:
        if path.suffix == ".parquet":
            to_dataset(rows).to_parquet(path)
            return
        lines = (json.dumps(_record(row), ensure_ascii=False) for row in rows)
        # Half of a surrogate pair, which JSON may hold and UTF-8 may not, becomes JSON's escape again.
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise VeilleurError(f"{path}: cannot be written ({error.strerror or error}): choose another place.") from error


def to_dataset(rows: Iterable[LabelledParagraph]) -> datasets.Dataset:
    """Give rows as a ``datasets.Dataset``; topics are lists of ids, evidence is lists of topic and text.

    Raises
    ------
    VeilleurError
        Where the package ``datasets`` is not installed.
    """
    try:
        from datasets import Dataset, Features, List, Value
    except ImportError as error:
        raise VeilleurError("The package datasets is missing: pip install 'veilleur[train]'.") from error
    records = [_record(row) for row in rows]
    text = Value("string")
    # Stated, not inferred: a corpus without evidence would else have a column of nulls.
    features = Features(
        {
            "id": text,
            "text": text,
            "topics": List(text),
            "evidence": List({"topic": text, "text": text}),
            **dict.fromkeys(_COLUMNS, text),
            **dict.fromkeys((name for record in records for name in record if name not in _OWN), text),
        }
    )
    # By column, for from_list fails on an empty list.
    return Dataset.from_dict({name: [one.get(name, "") for one in records] for name in features}, features=features)


def _record(row: LabelledParagraph) -> dict[str, Any]:
    own = {
        "id": row.id,
        "text": row.text,
        "topics": list(row.topics),
        "evidence": [{"topic": topic, "text": word} for topic, words in row.evidence.items() for word in words],
        **{column: getattr(row, column) for column in _COLUMNS},
    }
    return own | {name: value for name, value in row.extra.items() if name not in own}
