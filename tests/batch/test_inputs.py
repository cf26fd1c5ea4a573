import io
from pathlib import Path

import pytest

from veilleur.batch.inputs import Item, read_items


def read(*sources: Path) -> tuple[list[Item], list[str]]:
    faults: list[str] = []
    return list(read_items(sources, faults.append)), faults


def test_folders_give_their_files_by_name(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes("Une opération à Hanoï".encode("cp1252"))
    (tmp_path / "a.jsonl").write_text('{"text": "un", "id": 7}\n\n{"text": "deux"}\n', encoding="utf-8")
    (tmp_path / "picture.png").write_bytes(b"x")
    items, faults = read(tmp_path)
    assert [item.text for item in items] == ["un", "deux", "Une opération à Hanoï"]
    assert items[0].columns == {"id": 7}
    assert items[1].source.endswith("a.jsonl, line 3")
    assert not faults


def test_faults_are_told_with_their_line_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "un"}\n{broken\n{"title": "x"}\n[1]\n{"text": 3}\n{"text": "deux"}\n')
    items, faults = read(path, tmp_path / "missing.txt")
    assert [item.text for item in items] == ["un", "deux"]
    assert [fault.partition(": ")[0].rpartition("/")[2] for fault in faults] == [
        "rows.jsonl, line 2",
        "rows.jsonl, line 3",
        "rows.jsonl, line 4",
        "rows.jsonl, line 5",
        "missing.txt",
    ]


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    assert read(tmp_path)[1] == [f"{tmp_path}: holds no .txt, .md or .jsonl file"]


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b'{"text": "un"}\n{"text": "deux"}\n', ["un", "deux"]),
        ("Été\nune ligne".encode(), ["Été\nune ligne"]),
        (b"", []),
    ],
)
def test_standard_input_is_json_lines_or_one_text(
    monkeypatch: pytest.MonkeyPatch, data: bytes, texts: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert [item.text for item in read(Path("-"))[0]] == texts
