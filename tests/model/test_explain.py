from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veilleur import VeilleurError, load
from veilleur.labels.rows import LabelledParagraph, shipped_rows
from veilleur.model.result import Explanation
from veilleur.seeds.text import normalise


@pytest.mark.parametrize("fixture", ["tfidf_bundle", "camembert_bundle"])
def test_contributions_and_the_rest_add_up_to_the_logit(fixture: str, request: pytest.FixtureRequest) -> None:
    tagger = load(request.getfixturevalue(fixture))
    text = "Des migrants, des migrants encore : l’embarcation\u00a0chavirée, la marine… et 3 kg d'héroïne."
    explanation = tagger.explain(text)
    assert [word.text for word in explanation.words] == normalise(text).split()
    logits = tagger.model.logits([explanation.text])[0]
    for topic, logit in zip(tagger.topics, logits, strict=True):
        total = sum(word.contributions[topic] for word in explanation.words) + explanation.rest[topic]
        assert total == pytest.approx(logit, abs=1e-4)


@given(st.text())
def test_any_text_can_be_explained_by_the_baseline(text: str) -> None:
    tagger = load("tfidf")
    explanation = tagger.explain(text)
    if explanation.words:
        logits = tagger.model.logits([explanation.text])[0]
        totals = [sum(word.contributions[topic] for word in explanation.words) for topic in tagger.topics]
        np.testing.assert_allclose(np.array(totals) + list(explanation.rest.values()), logits, atol=1e-9)


def test_a_text_of_several_windows_is_explained_by_the_one_that_decided(camembert_bundle: Path) -> None:
    tagger = load(camembert_bundle)  # its window is 64 tokens
    explanation = tagger.explain("La lutte contre la drogue et la traite. " * 30)
    logits = tagger.model.logits([explanation.text])[0]
    totals = [sum(word.contributions[topic] for word in explanation.words) for topic in tagger.topics]
    np.testing.assert_allclose(np.array(totals) + list(explanation.rest.values()), logits, atol=1e-4)


def test_nothing_is_explained_of_nothing() -> None:
    assert load("tfidf").explain(" \n") == Explanation("", (), dict.fromkeys(load("tfidf").topics, 0.0))
    with pytest.raises(VeilleurError, match="must be a string"):
        load("tfidf").explain(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("bundle", ["tfidf", "camembert"])
def test_the_top_word_of_a_topic_found_stands_in_the_recorded_evidence(bundle: str) -> None:
    tagger = load(bundle)
    rows = [row for row in shipped_rows() if row.split == "test"][:300]
    found = [
        _top_word_is_evidence(tagger.explain(row.text), row, topic)
        for row, tagging in zip(rows, tagger.tag_many(row.text for row in rows), strict=True)
        for topic in set(tagging.topics) & set(row.topics)
    ]
    assert np.mean(found) >= 0.7


def _top_word_is_evidence(explanation: Explanation, row: LabelledParagraph, topic: str) -> bool:
    (word,) = explanation.top(topic, 1)
    for evidence in map(normalise, row.evidence[topic]):
        start = explanation.text.find(evidence)
        if start < word.end and word.start < start + len(evidence):
            return True
    return False
