from veilleur.evaluate.notices import notices
from veilleur.labels.rows import LabelledParagraph

TOPICS = ("drugs", "maritime")


def rows(*given: tuple[str, str, tuple[str, ...]]) -> list[LabelledParagraph]:
    return [LabelledParagraph(name, text, topics, bulletin=str(n)) for n, (name, text, topics) in enumerate(given)]


def test_one_row_has_neither_interval_nor_test() -> None:
    (first, *rest) = notices(rows(("a:1", "texte", ())), TOPICS)
    assert "1 paragraph of one bulletin (a:1 is the first)" in first
    assert len(rest) == 2


def test_topics_that_no_or_every_row_has_are_named() -> None:
    found = " ".join(notices(rows(*((str(n), str(n), ("drugs",)) for n in range(25))), TOPICS))
    assert "every paragraph has the topic 'drugs', so its ROC-AUC is undefined: add paragraphs that lack it" in found
    assert "no paragraph has the topic 'maritime', so its recall is undefined: add paragraphs that have it" in found


def test_repeated_and_contradictory_rows_are_named_with_what_to_do() -> None:
    given = rows(
        ("a", "un texte", ("drugs",)),
        ("b", "un  texte", ("drugs",)),
        ("c", "un texte", ("maritime",)),
        ("a", "un autre", ()),
    )
    found = notices(given, TOPICS)
    assert "rows that repeat a text with other topics: c (as a): decide on one and delete the other" in found
    assert "rows that repeat a text, which counts twice: b (as a): delete the repetition" in found
    assert "rows that bear the id of another: a: give each its own" in found


def test_good_labels_need_no_notice() -> None:
    assert notices(rows(*((str(n), str(n), TOPICS[: n % 3]) for n in range(30))), TOPICS) == []
