import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from veilleur import VeilleurError, load
from veilleur.batch.files import find_sources
from veilleur.batch.job import Job
from veilleur.cli import main
from veilleur.labels.rows import LabelledParagraph
from veilleur.model.cascade import Cascade, CascadeModel
from veilleur.model.tagger import Tagger
from veilleur.train.tfidf import TfidfSettings, fit_tfidf, inference_model

EVERYDAY = "Le festival de musique baroque ouvre ses portes samedi à l'abbaye, avec un concert de clavecin."
TEXTS = ["La douane a saisi 30 kg de cocaïne.", "Le marché aux fleurs ouvre samedi.", "Un navire des garde-côtes."]


@pytest.fixture
def pair(tfidf_bundle: Path, camembert_bundle: Path) -> tuple[Tagger, Tagger]:
    """A baseline and a fine-tune, small ones."""
    fine_tune = load(camembert_bundle)
    assert isinstance(fine_tune.model, CascadeModel)
    return load(tfidf_bundle), Tagger(fine_tune.model.fine_tune, fine_tune.manifest)


def test_logits_of_baseline_and_fine_tune_add_up(pair: tuple[Tagger, Tagger]) -> None:
    baseline, fine_tune = (tagger.model for tagger in pair)
    model = CascadeModel(baseline, fine_tune, Cascade((0.0,) * 6))
    np.testing.assert_allclose(model.logits(TEXTS), baseline.logits(TEXTS) + fine_tune.logits(TEXTS))
    assert model.topics == 6


def test_both_must_know_the_same_topics(pair: tuple[Tagger, Tagger], article_rows: list[LabelledParagraph]) -> None:
    narrow = inference_model(fit_tfidf(article_rows, ("drugs", "maritime"), TfidfSettings()))
    with pytest.raises(VeilleurError, match="baseline of 2 topics stands beside a fine-tune of 6"):
        CascadeModel(narrow, pair[1].model, Cascade((0.0,) * 6))


def test_a_text_that_the_baseline_is_sure_of_is_not_read_by_the_fine_tune(pair: tuple[Tagger, Tagger]) -> None:
    baseline, fine_tune = (tagger.model for tagger in pair)
    known = baseline.logits(TEXTS)
    stand_in = tuple(range(6))
    model = CascadeModel(baseline, fine_tune, Cascade(stand_in, tuple(known[1] + 1e-9)))
    settled = (known < known[1] + 1e-9).all(axis=1)
    assert settled.tolist() == [False, True, False]
    expected = known + np.where(settled[:, None], stand_in, fine_tune.logits(TEXTS))
    np.testing.assert_allclose(model.logits(TEXTS), expected)


def test_a_limit_holds_for_every_topic(pair: tuple[Tagger, Tagger]) -> None:
    known = pair[0].model.logits(TEXTS[:1])
    almost = known[0] + 1
    almost[3] = known[0, 3] - 1
    model = CascadeModel(pair[0].model, pair[1].model, Cascade((0.0,) * 6, tuple(almost)))
    assert not model.cascade.settles(known)[0]


def test_the_shipped_bundle_settles_everyday_news_and_can_be_told_to_read_all() -> None:
    swift, thorough = load("camembert"), load("camembert", cascade=False)
    assert isinstance(swift.model, CascadeModel)
    text = EVERYDAY
    assert swift.model.cascade.settles(swift.model.baseline.logits([text]))[0]
    assert swift.tag(text).topics == thorough.tag(text).topics == ()
    assert swift.predict_proba([text]).max() < min(swift.thresholds.values()) / 2
    assert swift.predict_proba([text]).tolist() != thorough.predict_proba([text]).tolist()
    assert swift.predict_proba(TEXTS[:1]).tolist() == thorough.predict_proba(TEXTS[:1]).tolist()
    again = pickle.loads(pickle.dumps(thorough))  # a pickled tagger reads all, too
    assert again.predict_proba([text]).tolist() == thorough.predict_proba([text]).tolist()


def test_the_command_can_be_told_to_read_all(tmp_path: Path) -> None:
    (tmp_path / "news.txt").write_text(EVERYDAY, "utf-8")
    found = [
        CliRunner().invoke(main, ["tag", str(tmp_path / "news.txt"), "--format", "jsonl", option])
        for option in ("--cascade", "--no-cascade")
    ]
    assert [one.exit_code for one in found] == [0, 0]
    swift, thorough = (json.loads(one.stdout) for one in found)
    assert swift["topics"] == thorough["topics"] == []
    assert swift["scores"] != thorough["scores"]


def test_a_broken_run_does_not_go_on_with_another_cascade(tmp_path: Path) -> None:
    (tmp_path / "news.txt").write_text("Un festival.", "utf-8")
    job = Job(tuple(find_sources([str(tmp_path / "news.txt")])), "camembert")
    assert job.identity() != replace(job, cascade=False).identity()


def test_a_settled_text_is_explained_by_the_baseline_alone() -> None:
    tagger = load("camembert")
    text = "Le festival de musique baroque ouvre ses portes samedi à l'abbaye, avec un concert de clavecin."
    explanation = tagger.explain(text)
    totals = [sum(word.contributions[topic] for word in explanation.words) for topic in tagger.topics]
    np.testing.assert_allclose(
        np.array(totals) + list(explanation.rest.values()), tagger.model.logits([text])[0], atol=1e-6
    )
