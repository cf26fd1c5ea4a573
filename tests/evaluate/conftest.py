"""Labelled paragraphs of a user, and studies of small models on them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from veilleur.evaluate.study import Study, detailed, study
from veilleur.labels.rows import LabelledParagraph

ATTACK = (
    '<script>document.title = "taken"</script><img src=x onerror="document.title=1"> **Saisie** | de `drogue` & cie'
)


@pytest.fixture
def write_labels(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as a label file."""

    def write(*rows: dict[str, Any], name: str = "labels.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def labels(article_rows: list[LabelledParagraph], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five articles, half of their labels taken away so that there is something to miss, and a hostile row."""
    path = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    rows = [
        {
            "id": row.id,
            "text": row.text,
            "topics": row.topics[:1] if number % 2 else [],
            "evidence": [{"topic": topic, "text": words[0]} for topic, words in row.evidence.items() if words],
            "bulletin": row.bulletin,
            "genre": ("dépêche", "brève")[number % 3 == 0],
            "register": "soutenu" if number < 40 else "courant",
        }
        for number, row in enumerate(article_rows)
    ]
    rows.append({"id": "hostile", "text": ATTACK, "topics": ["fire-rescue"], "register": "<b>familier</b>"})
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def compared(labels: Path, tfidf_bundle: Path) -> Study:
    """The small baseline against the shipped one, in full."""
    found = study([str(tfidf_bundle), "tfidf"], [labels], resamples=60)
    return detailed(found)
