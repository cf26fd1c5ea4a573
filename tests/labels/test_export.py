import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from veilleur.errors import VeilleurError
from veilleur.labels.export import export, to_dataset
from veilleur.labels.rows import LabelledParagraph, read_rows
from veilleur.labels.topics import read_topics

ROWS = [
    LabelledParagraph(
        "1", "La drogue en mer.", ("drugs", "maritime"), {"drugs": ("drogue",), "maritime": ("en mer",)},
        "b1", "paragraph", "composed", "brève", "Québec", "train",
    ),
    LabelledParagraph("2", "Rien.", (), {}, "b1", "title", "composed", "brève", "Québec", "test"),
]  # fmt: skip
COLUMNS = ["id", "text", "topics", "evidence", "bulletin", "kind", "origin", "genre", "region", "split", "source"]


def test_json_lines_come_back_as_the_same_rows(tmp_path: Path) -> None:
    export(ROWS, tmp_path / "rows.jsonl")
    assert read_rows(tmp_path / "rows.jsonl", read_topics()) == ROWS
    more = [replace(ROWS[0], source="AFP", extra={"register": "courant"}), ROWS[1]]
    export(more, tmp_path / "more.jsonl")
    assert read_rows(tmp_path / "more.jsonl", read_topics()) == more
    assert "brève" in (tmp_path / "rows.jsonl").read_text(encoding="utf-8")


def test_dataset_and_parquet(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    found = to_dataset(ROWS)
    assert found.column_names == COLUMNS
    assert found[0]["topics"] == ["drugs", "maritime"]
    assert found[0]["evidence"] == [
        {"topic": "drugs", "text": "drogue"},
        {"topic": "maritime", "text": "en mer"},
    ]
    export(ROWS, tmp_path / "rows.parquet")
    back = datasets.Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path / "cache"))
    assert back.to_list() == found.to_list()
    more = to_dataset([replace(ROWS[0], extra={"register": "courant"}), ROWS[1]])
    assert more["register"][:] == ["courant", ""]


def test_a_dataset_of_no_evidence_or_no_rows_has_the_same_features() -> None:
    pytest.importorskip("datasets")
    assert to_dataset([]).features == to_dataset(ROWS[1:]).features == to_dataset(ROWS).features


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VeilleurError, match=r"rows\.csv: is of no known kind"):
        export(ROWS, tmp_path / "rows.csv")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(VeilleurError, match="cannot be written"):
        export(ROWS, tmp_path / "folder.jsonl")
    with pytest.raises(VeilleurError, match="its folder is missing"):
        export(ROWS, tmp_path / "none" / "rows.jsonl")


def test_without_datasets_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(VeilleurError, match=r"veilleur\[train\]"):
        to_dataset(ROWS)


def test_importing_labels_imports_nothing_heavy() -> None:
    modules = "seeds, labels, labels.check, labels.agreement, labels.stats, labels.export".replace(" ", " veilleur.")
    heavy = "{'torch', 'transformers', 'datasets', 'pandas', 'pyarrow', 'sklearn'}"
    code = f"import veilleur.{modules}, sys; print({heavy} & set(sys.modules))"
    path = str(Path(sys.modules["veilleur.labels"].__path__[0]).parent.parent)
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {path!r}); {code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "set()"
