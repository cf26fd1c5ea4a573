import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from veilleur.labels.files import file_name, set_bulletins
from veilleur.seeds import Segment

Labels = Mapping[str, Mapping[str, Sequence[str]]]
WriteLabels = Callable[..., Path]


@pytest.fixture
def segments() -> list[Segment]:
    """Give every segment that the set ``articles`` labels."""
    return [segment for bulletin in set_bulletins("articles") for segment in bulletin.readable]


@pytest.fixture
def drug_labels(segments: list[Segment]) -> dict[str, dict[str, list[str]]]:
    """Give faultless labels of all articles: ``drugs`` where the word stands."""
    return {s.id: {"drugs": ["drogue"]} if "drogue" in s.text else {} for s in segments}


@pytest.fixture
def write_labels(tmp_path: Path) -> WriteLabels:
    """Give a function that writes a label file."""

    def write(labels: Labels, label_pass: str = "adjudicated", **header: Any) -> Path:
        first = {"set": "articles", "pass": label_pass, "annotator": "A", "date": "2026-11-22", **header}
        path = tmp_path / file_name("articles", label_pass)
        lines = [{key: value for key, value in first.items() if value is not None}]
        lines += [{"id": name, "topics": topics} for name, topics in labels.items()]
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        return path

    return write
