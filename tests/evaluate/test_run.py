import json
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from veilleur import VeilleurError, load
from veilleur.evaluate.run import evaluate, read_labels
from veilleur.labels.rows import LabelledParagraph

REAL = Path(os.environ.get("VEILLEUR_REAL", Path(__file__).parents[3] / "shared" / "real"))


def test_a_tagger_is_scored_at_its_thresholds(tfidf_bundle: Path, article_rows: list[LabelledParagraph]) -> None:
    tagger = load(tfidf_bundle)
    scores = evaluate(tagger, article_rows, resamples=50)
    labels = np.array([[topic in row.topics for topic in tagger.topics] for row in article_rows])
    predicted = tagger.predict([row.text for row in article_rows])
    assert scores.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert scores.n == len(article_rows)
    low, high = scores.intervals["macro_f1"]
    assert 0 <= low <= high <= 1
    json.dumps(scores.to_dict())


def test_labels_of_another_topic_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a", "topics": ["drugs"]}\n{"text": "b", "topics": ["sport"]}\n')
    with pytest.raises(VeilleurError, match=r"rows\.jsonl, line 2: the topic 'sport' is unknown"):
        read_labels([path], ("drugs",))


@pytest.mark.skipif(not (REAL / "dev.jsonl").is_file(), reason="the real paragraphs are not part of the repository")
@pytest.mark.parametrize(("bundle", "least"), [("camembert", 0.7), ("tfidf", 0.55)])
def test_the_shipped_bundles_read_real_french(bundle: str, least: float) -> None:
    tagger = load(bundle)
    scores = evaluate(tagger, read_labels([REAL / "dev.jsonl"], tagger.topics), resamples=0)
    assert scores.macro_f1 is not None
    assert scores.macro_f1 > least


def test_rows_without_ids_of_files_of_one_name_are_not_one_bulletin(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "dev.jsonl" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_text('{"text": "a", "topics": []}\n')
    assert len({row.bulletin for row in read_labels(paths, ("drugs",))}) == 2
    assert [row.id for row in read_labels(paths[:1], ("drugs",))] == ["dev:1"]
