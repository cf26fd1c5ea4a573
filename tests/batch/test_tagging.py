import pytest

from veilleur import Tagger
from veilleur.batch.inputs import Item
from veilleur.batch.tagging import tag_items

JSON_ROW = Item("b.jsonl, line 1", "7", "La drogue.", True, {"id": 7, "source": "AFP", "topics": ["maritime"]})
BULLETIN = "Un titre bref\n\nLa police a saisi de la drogue.\n\nLe commerce progresse."


def test_rows_are_texts_and_files_are_bulletins_by_paragraph(tagger: Tagger) -> None:
    items = [Item("a.txt", "a", BULLETIN), JSON_ROW, Item("c.txt", "c", "Seul.")]
    records = list(tag_items(tagger, items))
    assert [record["source"] for record in records] == ["a.txt"] * 3 + ["b.jsonl, line 1", "c.txt"]
    assert records[0]["id"].startswith("a.000.")
    assert records[3]["id"] == 7
    assert records[3]["input_source"] == "AFP"  # the row's own columns are never lost
    assert records[3]["input_topics"] == ["maritime"]
    assert records[3]["scores"] == pytest.approx(dict(tagger.tag("La drogue.").scores), abs=1e-5)


def test_a_bulletin_is_one_record(tagger: Tagger) -> None:
    (record,) = tag_items(tagger, [Item("a.txt", "a", BULLETIN)], "bulletin")
    assert record["title"] == "Un titre bref"
    assert len(record["segments"]) == 3


def test_a_text_is_tagged_as_it_is(tagger: Tagger) -> None:
    (record,) = tag_items(tagger, [Item("a.txt", "a", BULLETIN)], "text")
    assert record["text"] == BULLETIN
    assert set(record["scores"]) == set(tagger.topics)


def test_a_topic_is_a_record(tagger: Tagger) -> None:
    item = Item("a.csv, line 2", "7", BULLETIN, True, {"title": "Saisie", "n": 3}, "Saisie à Brest", "2025-11-22")
    (record,) = tag_items(tagger, [item], "topic")
    assert {"n": 3, "input_title": "Saisie", "title": "Saisie à Brest", "date": "2025-11-22"}.items() <= record.items()
    assert record["topic"] == "drugs"
    bulletin = tagger.tag_bulletin(BULLETIN)
    assert record["score"] == pytest.approx(max(one.tagging.scores["drugs"] for one in bulletin.segments), abs=1e-6)
    assert len(record["paragraphs"]) == 1
