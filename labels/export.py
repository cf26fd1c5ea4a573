"""Labelled paragraphs for other tools: JSON Lines, Parquet, and a ``datasets.Dataset``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veilleur.errors import VeilleurError
from veilleur.labels.rows import LabelledParagraph

if TYPE_CHECKING:
    import datasets

_COLUMNS = ("bulletin", "kind", "origin", "genre", "region", "split")


def export(rows: Iterable[LabelledParagraph], path: str | Path) -> None:
    """Write rows to a ``.jsonl`` or ``.parquet`` file, which `datasets.load_dataset` reads.

    Raises
    ------
    VeilleurError
        Where the suffix is another one, the folder is missing, or Parquet is asked for without the
        extra ``train``.
    """
    path = Path(path)
    if path.suffix not in {".jsonl", ".parquet"}:
        raise VeilleurError(f"{path}: is of no known kind: end the name in .jsonl or .parquet.")
    if not path.parent.is_dir():
        raise VeilleurError(f"{path}: cannot be written, for its folder is missing: make the folder first.")
    if path.suffix == ".parquet":
        to_dataset(rows).to_parquet(path)
        return
    lines = (json.dumps(_record(row), ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


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
    text = Value("string")
    # Stated, not inferred: a corpus without evidence would else have a column of nulls.
    features = Features(
        {
            "id": text,
            "text": text,
            "topics": List(text),
            "evidence": List({"topic": text, "text": text}),
            **dict.fromkeys(_COLUMNS, text),
        }
    )
    records = [_record(row) for row in rows]  # by column, for from_list fails on an empty list
    return Dataset.from_dict({name: [one[name] for one in records] for name in features}, features=features)


def _record(row: LabelledParagraph) -> dict[str, Any]:
    return {
        "id": row.id,
        "text": row.text,
        "topics": list(row.topics),
        "evidence": [{"topic": topic, "text": word} for topic, words in row.evidence.items() for word in words],
        **{column: getattr(row, column) for column in _COLUMNS},
    }
