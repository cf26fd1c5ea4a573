from pathlib import Path
from typing import Any

import pytest

from veilleur.errors import VeilleurError
from veilleur.labels.check import check
from veilleur.labels.files import PASSES, shipped_folder


def messages(*paths: Path) -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in check(paths)]


def with_line(labels: dict[str, Any], position: int, topics: Any) -> tuple[dict[str, Any], int]:
    """Replace one label; give the labels and the number of its line."""
    name = list(labels)[position]
    return {**labels, name: topics}, position + 2


def test_faultless_files_pass(write_labels: Any, drug_labels: Any) -> None:
    assert messages(*(write_labels(drug_labels, label_pass) for label_pass in PASSES)) == []


def test_shipped_labels_are_faultless() -> None:
    assert [str(problem) for problem in check()] == []


def test_a_set_that_lacks_a_pass_is_noticed(
    tmp_path: Path, write_labels: Any, drug_labels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_labels(drug_labels)
    monkeypatch.setattr("veilleur.labels.check.shipped_folder", lambda: tmp_path)
    assert [problem.path.name for problem in check()] == ["articles.pass-a.jsonl", "articles.pass-b.jsonl"]


@pytest.mark.parametrize(
    ("topics", "message"),
    [
        ({"drogue": ["x"]}, "the topic 'drogue' is unknown"),
        ({"drugs": []}, "the topic 'drugs' has no evidence"),
        ({"drugs": ["licorne"]}, "the evidence 'licorne' of 'drugs' is not in the paragraph"),
        ({"drugs": [""]}, "the evidence '' of 'drugs' is not in the paragraph"),
        ({"drugs": "drogue"}, "the evidence of 'drugs' is not a list"),
        (["drugs"], "topics is not an object"),
    ],
)
def test_faulty_lines(write_labels: Any, drug_labels: Any, topics: Any, message: str) -> None:
    labels, line = with_line(drug_labels, 3, topics)
    found = messages(write_labels(labels))
    assert any(number == line and message in text for number, text in found), found


def test_evidence_must_be_exact(write_labels: Any, drug_labels: Any) -> None:
    position = next(i for i, topics in enumerate(drug_labels.values()) if topics)
    labels, line = with_line(drug_labels, position, {"drugs": ["Drogue"]})
    assert [number for number, _ in messages(write_labels(labels))] == [line]


def test_unknown_missing_and_changed_paragraphs(write_labels: Any, drug_labels: Any) -> None:
    names = list(drug_labels)
    labels = dict(drug_labels)
    del labels[names[0]]
    changed = names[1].rpartition(".")[0] + ".00000000"
    labels = {changed if name == names[1] else name: topics for name, topics in labels.items()}
    labels["nowhere.000.12345678"] = {}
    found = messages(write_labels(labels))
    assert len(found) == 3
    assert found[0][0] == 0 and f"{names[0]} has no label" in found[0][1]
    assert found[1] == (2, f"{changed}: the paragraph's text changed since it was labelled: label it again")
    assert found[2][0] == len(labels) + 1 and "no paragraph has the id 'nowhere.000.12345678'" in found[2][1]


def test_duplicates_name_both_lines(write_labels: Any, drug_labels: Any) -> None:
    path = write_labels(drug_labels)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines, lines[1]]), encoding="utf-8")
    assert messages(path) == [
        (len(lines) + 1, f"the id {next(iter(drug_labels))} stands on line 2 already: keep one of the two")
    ]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"set": "poems"}, "the header's set is 'poems'"),
        ({"pass": "c"}, "the header's pass is 'c'"),
        ({"pass": "b"}, "the header is that of articles.pass-b.jsonl"),
        ({"annotator": None}, "the header lacks 'annotator'"),
        ({"date": "hier"}, "the header's date is 'hier'"),
    ],
)
def test_faulty_headers(write_labels: Any, drug_labels: Any, header: Any, message: str) -> None:
    found = messages(write_labels(drug_labels, **header))
    assert [number for number, _ in found] == [1]
    assert message in found[0][1]


def test_no_header_no_json_nothing_at_all(tmp_path: Path, write_labels: Any, drug_labels: Any) -> None:
    path = write_labels(drug_labels)
    header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines), encoding="utf-8")
    assert "the header is missing" in messages(path)[0][1]
    path.write_text("".join([header, *lines, "{oops\n"]), encoding="utf-8")
    found = messages(path)
    assert [number for number, _ in found] == [len(lines) + 2] and "not JSON" in found[0][1]
    path.write_text("\n", encoding="utf-8")
    assert "the file is empty" in messages(path)[0][1]
    with pytest.raises(VeilleurError, match="cannot be read"):
        check([tmp_path / "none.jsonl"])


def test_passes_must_cover_the_same_paragraphs(write_labels: Any, drug_labels: Any) -> None:
    last = list(drug_labels)[-1]
    shorter = {name: topics for name, topics in drug_labels.items() if name != last}
    found = check([write_labels(drug_labels, "a"), write_labels(shorter, "b")])
    assert {problem.path.name for problem in found} == {"articles.pass-b.jsonl"}
    assert any(f"1 paragraphs of the other passes are not here: add {last}" == p.message for p in found)


def test_the_folder_of_the_package_holds_the_guide() -> None:
    assert (shipped_folder() / "GUIDE.md").is_file()
