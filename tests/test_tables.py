from rich.console import Console

from veilleur.labels.rows import LabelledParagraph
from veilleur.labels.stats import stats
from veilleur.tables import show_records, stats_tables

TEXT = {"source": "a.jsonl", "text": "La drogue [/b]", "topics": ["drugs"], "scores": {"drugs": 0.9}}


def test_columns_of_a_text_are_not_taken_for_those_of_a_bulletin() -> None:
    console = Console(record=True, width=80)
    show_records(console, [TEXT | {"topic": "x", "segments": "y", "kind": "[/dim]"}], "text")
    assert "[/dim]: La drogue [/b]" in console.export_text()


def test_values_of_labels_are_no_markup() -> None:
    console = Console(record=True, width=80)
    rows = [LabelledParagraph("1", "Un texte.", (), genre="brève [/locale]")]
    console.print(*stats_tables(stats(rows)))
    assert "brève [/locale]" in console.export_text()
