"""A tagger of the small baseline, and rows to tag."""

import json
from pathlib import Path

import pytest

from veilleur import Tagger, load
from veilleur.labels.rows import LabelledParagraph


@pytest.fixture(scope="session")
def tagger(tfidf_bundle: Path) -> Tagger:
    return load(tfidf_bundle)


@pytest.fixture(scope="session")
def rows(article_rows: list[LabelledParagraph]) -> list[dict[str, object]]:
    return [{"id": row.id, "text": row.text, "rang": rank, "titre": "Été"} for rank, row in enumerate(article_rows)]


@pytest.fixture
def news(tmp_path: Path, rows: list[dict[str, object]]) -> Path:
    """A folder of two files of JSON Lines, some lines broken, and a bulletin."""
    folder = tmp_path / "news"
    folder.mkdir()
    lines = [json.dumps(row, ensure_ascii=False) for row in rows] * 2
    (folder / "a.jsonl").write_text("\n".join([*lines, "{broken", '{"txt": 1}', *lines]), encoding="utf-8")
    (folder / "b.txt").write_text("Un titre bref\n\nLa police a saisi de la drogue.\n\nLe commerce.", encoding="utf-8")
    (folder / "c.jsonl").write_text("\n".join([*lines, "[1]", ""]), encoding="utf-8")
    return folder
