import json
from pathlib import Path
from typing import Any

import pytest

from veilleur.errors import VeilleurError
from veilleur.labels.files import shipped_folder
from veilleur.labels.rows import LabelledParagraph, read_rows, shipped_rows, training_hash
from veilleur.labels.topics import TopicSet, read_topics

TOPICS = read_topics()
NEEDS_LABELS = pytest.mark.skipif(
    not (shipped_folder() / "articles.jsonl").is_file(), reason="the articles are not labelled yet"
)


def write(folder: Path, *lines: Any) -> Path:
    path = folder / "rows.jsonl"
    texts = (line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def test_user_rows(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"text": "Une saisie.", "topics": ["maritime", "drugs"], "id": 7, "document": "d1", "score": 0.5},
        "",
        {"text": "Rien.", "topics": [], "source": "be", "split": "test", "region": None},
    )
    first, second = read_rows(path, TOPICS)
    assert first == LabelledParagraph("7", "Une saisie.", ("drugs", "maritime"), bulletin="d1", extra={"score": "0.5"})
    assert second == LabelledParagraph("rows:3", "Rien.", (), bulletin="rows:3", source="be", split="test")


def test_a_line_separator_inside_a_text_is_no_line_end(tmp_path: Path) -> None:
    path = write(tmp_path, {"text": "Un\u2028deux.", "topics": []})
    assert read_rows(path, TOPICS)[0].text == "Un\u2028deux."


def test_evidence_of_user_rows_in_both_forms(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"text": "La drogue.", "topics": {"drugs": ["drogue"]}},
        {"text": "La drogue.", "topics": ["drugs"], "evidence": [{"topic": "drugs", "text": "drogue"}]},
    )
    assert [row.evidence for row in read_rows(path, TOPICS)] == [{"drugs": ("drogue",)}] * 2


GOOD = {"text": "Rien.", "topics": []}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", "is not JSON"),
        ([1], "is not an object"),
        ({"topics": []}, "has no 'text'"),
        ({"text": "a"}, "has no 'topics'"),
        ({"text": 3, "topics": []}, "the text is not a string"),
        ({"text": " ", "topics": []}, "the text is empty"),
        ({"text": "a", "topics": "drugs"}, "topics is not a list"),
        ({"text": "a", "topics": [1]}, "topics is not a list"),
        ({"text": "a", "topics": ["drogue"]}, "the topic 'drogue' is unknown"),
        ({"text": "a", "topics": [], "evidence": ["x"]}, "evidence is not a list"),
        ({"text": "a", "topics": {"drugs": "x"}}, "has no list of words for 'drugs'"),
    ],
)
def test_faulty_rows_are_refused_by_file_and_line(tmp_path: Path, line: Any, message: str) -> None:
    path = write(tmp_path, GOOD, line)
    with pytest.raises(VeilleurError) as error:
        read_rows(path, TOPICS)
    assert str(error.value).startswith(f"{path}, line 2: ")
    assert message in str(error.value)


def test_rows_without_a_bulletin_are_bulletins_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path, {"text": "a", "topics": [], "bulletin": ""}, {"text": "b", "topics": [], "document": None})
    assert [row.bulletin for row in read_rows(path, TOPICS)] == ["rows:1", "rows:2"]


def test_a_byte_that_is_no_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, GOOD)
    path.write_bytes(path.read_bytes() + b'{"text": "20 \xb0C", "topics": []}\n')
    with pytest.raises(VeilleurError, match=r"rows\.jsonl, line 3: is not UTF-8"):
        read_rows(path, TOPICS)


def test_exclusive_topics_allow_one(tmp_path: Path) -> None:
    path = write(tmp_path, {"text": "a", "topics": ["drugs", "maritime"]})
    with pytest.raises(VeilleurError, match="line 1: has 2 topics"):
        read_rows(path, TopicSet(TOPICS.topics, exclusive=True))


def test_empty_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(VeilleurError, match="holds no labelled paragraph"):
        read_rows(write(tmp_path), TOPICS)
    with pytest.raises(VeilleurError, match=r"none\.jsonl"):
        read_rows(tmp_path / "none.jsonl", TOPICS)


def test_label_files_take_their_texts_from_the_seeds(write_labels: Any, drug_labels: Any, segments: Any) -> None:
    rows = read_rows(write_labels(drug_labels), TOPICS)
    assert [(row.id, row.text) for row in rows] == [(segment.id, segment.text) for segment in segments]
    drugs = [row for row in rows if row.topics]
    assert drugs
    for row in drugs:
        assert row.topics == ("drugs",)
        assert row.evidence == {"drugs": ("drogue",)}
    assert {row.origin for row in rows} == {"article"}
    assert {row.split for row in rows} == {"train"}
    related = next(row for row in rows if "-rel-1." in row.id)
    assert (related.bulletin, related.kind) == ("vietnam-laos-2024-10-rel-1", "caption")
    assert related.source == "002_2a53a0d6d5b276a8.txt"


def test_a_label_of_no_known_paragraph_is_refused(write_labels: Any) -> None:
    with pytest.raises(VeilleurError, match=r"line 2: no paragraph has the id 'x\.000\.00000000'"):
        read_rows(write_labels({"x.000.00000000": {}}), TOPICS)


def test_training_hash_sees_what_matters() -> None:
    row = LabelledParagraph("1", "a", ("drugs",))
    base = training_hash([row])
    assert training_hash([LabelledParagraph("1", "a", ("drugs",), genre="x")]) == base
    assert training_hash([LabelledParagraph("2", "a", ("drugs",))]) != base
    assert training_hash([LabelledParagraph("1", "b", ("drugs",))]) != base
    assert training_hash([LabelledParagraph("1", "a", ())]) != base
    assert len(training_hash([LabelledParagraph("1", "\ud800", ())])) == 64


@NEEDS_LABELS
def test_shipped_rows_cover_the_articles(segments: Any) -> None:
    rows = shipped_rows()
    assert {segment.id for segment in segments} <= {row.id for row in rows}
    parts = [shipped_rows(split=split) for split in ("train", "validation", "test")]
    assert sorted(row.id for part in parts for row in part) == sorted(row.id for row in rows)
    assert not any(row.origin == "article" for row in parts[2])
