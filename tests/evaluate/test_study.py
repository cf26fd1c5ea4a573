from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from veilleur import VeilleurError
from veilleur.evaluate.gates import requirement
from veilleur.evaluate.run import evaluate, in_order, read_labels
from veilleur.evaluate.study import Study, find_models, study
from veilleur.labels.files import file_name, shipped_folder
from veilleur.labels.rows import LabelledParagraph
from veilleur.model.bundle import read_manifest, write_manifest
from veilleur.model.tagger import load
from veilleur.train.cross_validation import cross_validate, cross_validate_camembert

WriteLabels = Callable[..., Path]


def test_a_study_scores_each_model_as_it_would_be_alone(compared: Study, labels: Path, tfidf_bundle: Path) -> None:
    for model, found in zip(compared.models, compared.evaluations, strict=True):
        assert model.folder is not None
        tagger = load(model.folder)
        alone = evaluate(tagger, read_labels([labels], tagger.topics), resamples=60)
        assert found.scores == alone
    assert compared.models[0].folder == tfidf_bundle
    assert compared.wrong
    assert [cost.disk_bytes > 0 for cost in compared.costs if cost] == [True, True]


def test_the_same_seed_gives_the_same_study(compared: Study, labels: Path, tfidf_bundle: Path) -> None:
    again = study([str(tfidf_bundle), "tfidf"], [labels], resamples=60)
    assert again.comparisons == compared.comparisons
    assert [one.scores for one in again.evaluations] == [one.scores for one in compared.evaluations]


def test_models_are_named_as_shortly_as_tells_them_apart(tfidf_bundle: Path, tmp_path: Path) -> None:
    other = copytree(tfidf_bundle, tmp_path / "mine")
    assert [model.name for model in find_models(["tfidf", str(other)])] == ["tfidf", "mine"]
    assert [model.name for model in find_models(["tfidf", str(tfidf_bundle)])] == ["tfidf", str(tfidf_bundle)]


def test_a_model_is_not_compared_with_itself_nor_with_one_of_other_topics(tfidf_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(VeilleurError, match="the bundle tfidf is named twice"):
        find_models(["tfidf", "tfidf"])
    other = copytree(tfidf_bundle, tmp_path / "other")
    manifest = read_manifest(other)
    write_manifest(other, replace(manifest, topics=("sport", *manifest.topics[1:])))
    with pytest.raises(VeilleurError, match="only models of the same topics can be compared"):
        find_models(["tfidf", str(other)])


def test_topics_in_another_order_are_the_same_topics(compared: Study) -> None:
    answers = compared.evaluations[0].answers
    turned = in_order(answers, answers.topics[::-1])
    assert turned.thresholds == answers.thresholds[::-1]
    assert (turned.probabilities == answers.probabilities[:, ::-1]).all()


def test_gates_hold_the_first_model(labels: Path, tfidf_bundle: Path) -> None:
    found = study(
        [str(tfidf_bundle)],
        [labels],
        resamples=60,
        requirements=[requirement("macro_f1>=0.99"), requirement("drugs.recall>=0")],
        no_worse_than="tfidf",
    )
    assert [gate.held for gate in found.gates[:2]] == [False, True]
    assert found.gates[2].condition == "no worse than tfidf"
    assert len(found.models) == 2
    named = study([str(tfidf_bundle), "tfidf"], [labels], resamples=60, no_worse_than="tfidf")
    assert named.gates == found.gates[2:]  # the bundle of the gate may be one of those compared
    with pytest.raises(VeilleurError, match="no test can show that a model is worse: give 39 or more"):
        study([str(tfidf_bundle)], [labels], resamples=38, no_worse_than="tfidf")
    with pytest.raises(VeilleurError, match=r"no figure 'sport\.recall'"):
        study(["tfidf"], [labels], requirements=[requirement("sport.recall>=0")])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "a", "topics": ["sport"]}, r"line 2: the topic 'sport' is unknown: use"),
        ({"text": " ", "topics": []}, r"line 2: the text is empty: fill or delete the line"),
        ({"text": "a"}, r"line 2: has no 'topics': add it"),
        ({"topics": []}, r"line 2: has no 'text': add it"),
    ],
)
def test_rows_that_cannot_be_scored_are_named(write_labels: WriteLabels, row: dict[str, object], said: str) -> None:
    path = write_labels({"text": "Un texte.", "topics": []}, row)
    with pytest.raises(VeilleurError, match=said):
        study(["tfidf"], [path])


def test_one_row_gives_figures_without_intervals(write_labels: WriteLabels) -> None:
    found = study(["tfidf"], [write_labels({"text": "La police a saisi 12 kg de cocaïne.", "topics": ["drugs"]})])
    scores = found.evaluations[0].scores
    assert scores.topics["drugs"].recall == 1.0
    assert scores.topics["maritime"].recall is None
    assert scores.intervals == {}
    assert "1 paragraph of one bulletin" in found.notices[0]


def test_a_recipe_is_scored_on_what_it_has_not_seen(article_rows: list[LabelledParagraph]) -> None:
    labels = shipped_folder() / file_name("articles", "adjudicated")
    found = study(["tfidf"], [labels], resamples=20, cross_validated=True)
    assert found.cross_validated
    seen = evaluate(load("tfidf"), article_rows, resamples=0)
    macro_f1 = found.evaluations[0].scores.macro_f1
    assert macro_f1 is not None
    assert seen.macro_f1 is not None
    assert macro_f1 < seen.macro_f1
    outcome = cross_validate("tfidf", article_rows, found.topics)
    for held in outcome.folds:
        bulletins = {article_rows[place].bulletin for place in held}
        assert all((row.bulletin in bulletins) == (place in held) for place, row in enumerate(article_rows))
    with pytest.raises(VeilleurError, match="no recipe 'bert' to cross-validate: name one of tfidf, camembert"):
        study(["bert"], [labels], cross_validated=True)


def test_a_fine_tune_is_cross_validated_on_every_row(article_rows: list[LabelledParagraph], tiny_base: Path) -> None:
    from veilleur.train.camembert import CamembertSettings

    topics = load("tfidf").topics
    settings = CamembertSettings(base=str(tiny_base), epochs=1, folds=2)
    outcome = cross_validate_camembert(article_rows, topics, settings)
    assert sorted(place for held in outcome.folds for place in held) == list(range(len(article_rows)))
    assert outcome.logits.all()
