import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from veilleur.evaluate.errors import errors, highlighted
from veilleur.evaluate.run import Answers
from veilleur.labels.rows import LabelledParagraph

TOPICS = ("drugs", "maritime")
ROWS = [
    LabelledParagraph("1", "Saisie de cocaïne en mer.", ("drugs", "maritime"), {"drugs": ("cocaïne",)}, "b1"),
    LabelledParagraph("2", "Le marché rouvre.", (), {}, "b2"),
]
TRAINING = [
    LabelledParagraph("t1", "Le marché aux fleurs rouvre.", ()),
    LabelledParagraph("t2", "Une saisie de cocaïne.", ("drugs",)),
]


def answers(name: str, probabilities: list[list[float]]) -> Answers:
    values = np.array(probabilities)
    return Answers(name, TOPICS, (0.5, 0.5), values, (values >= 0.5).astype(np.int64))


def test_every_wrong_answer_is_listed_with_scores_and_the_nearest_training_paragraph() -> None:
    models = [answers("a", [[0.1, 0.9], [0.0, 0.7]]), answers("b", [[0.2, 0.9], [0.0, 0.1]])]
    first, second = errors(ROWS, models, TRAINING)
    assert (first.row.id, first.topic, first.kind, first.models) == ("1", "drugs", "missed", ("a", "b"))
    assert first.scores == {"a": 0.1, "b": 0.2}
    assert not first.differ
    assert first.nearest is not None
    assert first.nearest.row.id == "t2"
    assert (second.row.id, second.topic, second.kind, second.models) == ("2", "maritime", "false alarm", ("a",))
    assert second.differ
    assert second.nearest is not None
    assert second.nearest.row.id == "t1"


def test_no_error_is_no_error() -> None:
    assert errors(ROWS, [answers("a", [[0.9, 0.9], [0.0, 0.1]])], TRAINING) == []


@given(st.text(), st.dictionaries(st.sampled_from(TOPICS), st.lists(st.text(max_size=4), max_size=3)), st.data())
def test_highlighting_changes_no_text(text: str, evidence: dict[str, list[str]], data: st.DataObject) -> None:
    if text:
        start = data.draw(st.integers(0, len(text) - 1))
        evidence = {**evidence, "drugs": [*evidence.get("drugs", []), text[start : start + 3]]}
    pieces = highlighted(text, evidence)
    assert "".join(piece.text for piece in pieces) == text
    assert not text or any(piece.topic for piece in pieces)


def test_the_evidence_of_the_topic_in_question_is_marked_where_topics_share_it() -> None:
    evidence = {"drugs": ["Saisie de drogue"], "police": ["Saisie"], "maritime": ["en mer"]}
    text = "Saisie de drogue en mer"
    assert [tuple(piece) for piece in highlighted(text, evidence, "police")] == [
        ("Saisie", "police"),
        (" de drogue ", ""),
        ("en mer", "maritime"),
    ]
    assert highlighted(text, evidence, "drugs")[0] == ("Saisie de drogue", "drugs")
