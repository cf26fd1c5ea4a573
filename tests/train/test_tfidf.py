import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from veilleur import VeilleurError, load
from veilleur.labels.rows import LabelledParagraph, label_matrix
from veilleur.model.tfidf import plain
from veilleur.train.tfidf import (
    PIPELINE,
    UNLEARNT,
    TfidfSettings,
    build_pipeline,
    fit_pipeline,
    fit_tfidf,
    load_pipeline,
    log_count_ratios,
    tfidf_logits,
)

TOPICS = ("cybercrime", "migration", "drugs", "trafficking", "fire-rescue", "maritime")


def test_the_baseline_learns_words_and_reads_accents_and_apostrophes_alike(
    article_rows: list[LabelledParagraph],
) -> None:
    model = fit_tfidf(article_rows, TOPICS, TfidfSettings())
    texts = [
        "La lutte contre la drogue",
        "La coopération économique",
        "l’immigration illégale",
        "l'immigration illegale",
    ]
    logits = tfidf_logits(model, [LabelledParagraph(text, text, ()) for text in texts])
    assert logits.shape == (4, 6)
    assert logits[0, 2] > logits[1, 2]
    assert logits[2, 1] > logits[1, 1]
    assert abs(logits[2, 1] - logits[3, 1]) < 1e-9


def test_each_topic_has_the_mean_of_a_plain_regression_and_one_over_log_counts(
    article_rows: list[LabelledParagraph],
) -> None:
    texts, labels = [plain(row.text) for row in article_rows], label_matrix(article_rows, TOPICS)
    values = (pipeline := build_pipeline(TfidfSettings()))["features"].fit_transform(texts).tocsr()
    found = fit_pipeline(pipeline, texts, labels).decision_function(texts)
    for topic, positive in enumerate(labels.T):
        ratios = log_count_ratios(values, positive)
        regression = LogisticRegression(C=TfidfSettings.c, class_weight="balanced", max_iter=1000)
        unweighed = regression.fit(values, positive).decision_function(values)
        weighed = values.multiply(ratios).tocsr()
        np.testing.assert_allclose(
            found[:, topic], (unweighed + regression.fit(weighed, positive).decision_function(weighed)) / 2, atol=1e-6
        )


def test_a_topic_that_no_or_every_paragraph_has_is_given_to_none_or_all(article_rows: list[LabelledParagraph]) -> None:
    rows = [replace(row, topics=(*row.topics, "news")) for row in article_rows]
    pipeline = fit_tfidf(rows, (*TOPICS, "chess", "news"), TfidfSettings())
    (found,) = tfidf_logits(pipeline, [LabelledParagraph("1", "La lutte contre la drogue", ())])
    (expected,) = pipeline.decision_function(["la lutte contre la drogue"])
    np.testing.assert_allclose(found[:6], expected[:6], atol=1e-5)
    assert found[6:].tolist() == [-UNLEARNT, UNLEARNT]


def test_too_few_paragraphs_are_one_sentence() -> None:
    with pytest.raises(VeilleurError, match="1 paragraphs are too few or too short"):
        fit_tfidf([LabelledParagraph("1", "Un texte.", ())], TOPICS, TfidfSettings())


def test_the_pipeline_beside_the_model_gives_the_same_scores(
    article_rows: list[LabelledParagraph], tfidf_bundle: Path
) -> None:
    texts = [row.text for row in article_rows]
    expected = load_pipeline(tfidf_bundle / PIPELINE).decision_function([plain(text) for text in texts])
    np.testing.assert_allclose(load(tfidf_bundle).model.logits(texts), expected, atol=1e-5)


def test_a_pickle_in_place_of_the_pipeline_is_refused(tmp_path: Path) -> None:
    path = tmp_path / PIPELINE
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    with pytest.raises(VeilleurError, match="a pickle is never loaded"):
        load_pipeline(path)


def test_a_pipeline_with_a_foreign_type_is_refused(tmp_path: Path) -> None:
    from sklearn.linear_model import SGDClassifier
    from skops import io

    io.dump({"model": SGDClassifier(), "path": Path("x")}, tmp_path / PIPELINE)
    with pytest.raises(VeilleurError, match="types that a bundle may not"):
        load_pipeline(tmp_path / PIPELINE)
