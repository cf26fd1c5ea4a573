import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from huggingface_hub import ModelCard

from veilleur import VeilleurError, load
from veilleur.cli import main
from veilleur.evaluate.run import read_labels
from veilleur.labels.rows import LabelledParagraph
from veilleur.model.bundle import MANIFEST, read_manifest
from veilleur.train.camembert import CamembertSettings, EpochReport, FittedCamembert, load_base, soup
from veilleur.train.encoder import TokenVotes
from veilleur.train.run import Job, OutOfFold, new_folder, tfidf_out_of_fold, train_camembert, train_tfidf
from veilleur.train.tfidf import TfidfSettings

TOPICS = ("cybercrime", "migration", "drugs", "trafficking", "fire-rescue", "maritime")


AGAIN = """
import sys
from pathlib import Path
from veilleur.labels.files import file_name, shipped_folder
from veilleur.labels.rows import read_rows
from veilleur.labels.topics import read_topics
from veilleur.train.run import Job, train_tfidf
from veilleur.train.tfidf import TfidfSettings

rows = read_rows(shipped_folder() / file_name("articles", "adjudicated"), read_topics())
train_tfidf(Job(rows, read_topics().ids, Path(sys.argv[1]), "veilleur train tfidf"), TfidfSettings(folds=2))
"""


def test_the_same_seed_gives_the_same_baseline_in_another_process(tfidf_bundle: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-P", "-c", AGAIN, tmp_path / "again"], check=True)
    assert read_manifest(tmp_path / "again") == read_manifest(tfidf_bundle)  # which holds the hash of every file


def test_a_fine_tune_resumes_after_a_kill_and_equals_an_uninterrupted_one(
    article_rows: list[LabelledParagraph], tiny_base: Path, camembert_bundle: Path, tmp_path: Path
) -> None:
    settings = CamembertSettings(base=str(tiny_base), epochs=2, folds=2, learning_rate=1e-3)
    job = Job(article_rows, TOPICS, tmp_path / "bundle", "veilleur train camembert")

    class Killed(Exception):
        pass

    def killed_in_the_second_fold(part: str, report: EpochReport) -> None:
        if part.startswith("fold 2") and report.done >= 1:
            raise Killed

    with pytest.raises(Killed):
        train_camembert(job, settings, killed_in_the_second_fold)
    with pytest.raises(VeilleurError, match="go on with it by --resume"):
        train_camembert(job, settings, lambda part, report: None)
    with pytest.raises(VeilleurError, match="other labels or settings"):
        train_camembert(job, replace(settings, seed=1), lambda part, report: None, resume=True)
    parts: list[str] = []
    resumed = train_camembert(job, settings, lambda part, report: parts.append(part), resume=True)
    assert "fold 1 of 2" not in parts
    whole = read_manifest(camembert_bundle)
    assert resumed.thresholds == pytest.approx(whole.thresholds, abs=1e-4)
    assert not (tmp_path / "bundle.work").exists()
    texts = [row.text for row in article_rows[:20]]
    np.testing.assert_allclose(
        load(job.out).predict_proba(texts), load(camembert_bundle).predict_proba(texts), atol=1e-4
    )


def test_a_quantised_bundle_leaves_the_transformers_weights_out(
    article_rows: list[LabelledParagraph], tiny_base: Path, tmp_path: Path
) -> None:
    settings = CamembertSettings(base=str(tiny_base), epochs=1, folds=1)
    job = Job(article_rows, TOPICS, tmp_path / "small", "veilleur train camembert --quantise")
    manifest = train_camembert(job, settings, lambda part, report: None, quantise=True)
    assert "model.safetensors" not in manifest.files
    assert {"config.json", "tokenizer.json", "model.onnx"} <= set(manifest.files)
    assert "byte for byte" in (job.out / "README.md").read_text(encoding="utf-8")
    assert list(manifest.scores) == ["validation, tuned on"]  # one fold gives no out-of-fold score
    card = (job.out / "README.md").read_text(encoding="utf-8")
    assert "*Validation, tuned on*" in card and "*Out of fold*" not in card
    assert load(job.out).tag("La lutte contre la drogue").scores


def test_test_rows_are_scored_and_not_learnt_from(article_rows: list[LabelledParagraph], tmp_path: Path) -> None:
    held = {article_rows[0].bulletin}
    rows = [replace(row, split="test" if row.bulletin in held else "train") for row in article_rows]
    tests = [("mine", article_rows[:20])]
    manifest = train_tfidf(Job(rows, TOPICS, tmp_path / "b", "", tests), TfidfSettings(folds=2))
    results = ModelCard.load(tmp_path / "b" / "README.md").data.eval_results
    assert [(one.dataset_name, one.metric_name) for one in results] == [
        ("test split", "macro F1"),
        ("mine", "macro F1"),
    ]
    assert len({one.unique_identifier for one in results}) == 2  # they are not taken for one data set
    assert manifest.scores["test split"]["n"] == sum(row.split == "test" for row in rows)
    assert manifest.training["rows"] == sum(row.split != "test" for row in rows)


def test_the_card_shows_the_measured_figures(tfidf_bundle: Path) -> None:
    card = (tfidf_bundle / "README.md").read_text(encoding="utf-8")
    scores = json.loads((tfidf_bundle / MANIFEST).read_text(encoding="utf-8"))["scores"]["out of fold"]
    assert f"| out of fold | {scores['n']} | {scores['macro_f1']:.3f} (" in card
    assert card.startswith("---\nlanguage: fr\n")


def test_decisions_are_never_fitted_on_the_fold_they_decide(article_rows: list[LabelledParagraph]) -> None:
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 2, (40, 1)), rng.normal(size=(40, 1))
    folds = [np.arange(20), np.arange(20, 40)]
    before, _ = OutOfFold(article_rows[:40], labels, logits, np.ones(40), folds).decided()
    changed = labels.copy()
    changed[:20] = 1 - changed[:20]  # other labels in the first fold change only what is said of the second
    after, _ = OutOfFold(article_rows[:40], changed, logits, np.ones(40), folds).decided()
    np.testing.assert_array_equal(before[:20], after[:20])
    assert (before[20:] != after[20:]).any()


def test_a_topic_that_cannot_be_learnt_is_named(article_rows: list[LabelledParagraph], tmp_path: Path) -> None:
    rows = [replace(row, topics=tuple(topic for topic in row.topics if topic != "maritime")) for row in article_rows]
    with pytest.raises(VeilleurError, match="no paragraph to learn from has the topic 'maritime'"):
        train_tfidf(Job(rows, TOPICS, tmp_path / "b", ""), TfidfSettings())


SECTIONS = """
exclusive = {exclusive}

[[topic]]
id = "sport"
name_fr = "sport"
name_en = "sport"
definition = "Compétitions, clubs, athlètes."
colour = "#4c6ef5"

[[topic]]
id = "economie"
name_fr = "économie"
name_en = "economy"
definition = "Entreprises, emploi, prix, finances."
colour = "#e8890c"

[[topic]]
id = "culture"
name_fr = "culture"
name_en = "culture"
definition = "Livres, scène, musées, cinéma, musique."
colour = "#2f9e44"
"""


@pytest.mark.parametrize("exclusive", [False, True])
def test_other_topics_are_learnt_as_well_as_ours(exclusive: bool, tmp_path: Path) -> None:
    (tmp_path / "sections.toml").write_text(SECTIONS.format(exclusive=str(exclusive).lower()), encoding="utf-8")
    labels = Path(__file__).with_name("rubriques.jsonl")
    out = tmp_path / "bundle"
    arguments = ["train", "tfidf", "--topics", tmp_path / "sections.toml", "--labels", labels, "--folds", 3, "-o", out]
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    card = (out / "README.md").read_text(encoding="utf-8")
    assert not any(ours in card for ours in ("six topics", "was composed", "license: mit"))
    assert read_manifest(out).scores["test split"]["macro_f1"] >= 0.7
    tagger = load(out)
    taggings = list(tagger.tag_many(["La finale du championnat", "Il pleuvra demain.", " "]))
    assert "sport" in taggings[0].topics
    if exclusive:
        assert [len(tagging.topics) for tagging in taggings] == [1, 1, 0]
        np.testing.assert_array_equal(tagger.predict(["Il pleuvra demain."]).sum(axis=1), [1])


def test_a_fine_tune_on_exclusive_topics_gives_one_topic(
    article_rows: list[LabelledParagraph], tiny_base: Path, tmp_path: Path
) -> None:
    rows = [replace(row, topics=(TOPICS[number % 6],), evidence={}) for number, row in enumerate(article_rows)]
    settings = CamembertSettings(base=str(tiny_base), epochs=1, folds=1)
    job = Job(rows, TOPICS, tmp_path / "one", "veilleur train camembert", exclusive=True)
    train_camembert(job, settings, lambda part, report: None)
    assert all(len(tagging.topics) == 1 for tagging in load(job.out).tag_many(row.text for row in rows))


def test_exclusive_labels_have_one_topic_each(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"id": "a", "text": "Rien.", "topics": []}', encoding="utf-8")
    with pytest.raises(VeilleurError, match="a has no topic, but each must have one of x, y"):
        read_labels([path], ("x", "y"), exclusive=True)


def test_a_soup_of_equal_networks_is_that_network(
    article_rows: list[LabelledParagraph], tiny_base: Path, tmp_path: Path
) -> None:
    tokenizer, encoder = load_base(str(tiny_base), 6, 0.0)
    one = FittedCamembert(TokenVotes(encoder, 6).eval(), tokenizer)
    one.save(tmp_path / "one.safetensors")
    again = FittedCamembert.load(tmp_path / "one.safetensors", str(tiny_base), 6)
    with torch.no_grad():
        for parameter in again.network.parameters():
            parameter.mul_(3.0)
    mixed = soup([one, one, again])  # the mean of 1, 1 and 3 times the weights
    for name, value in one.network.state_dict().items():
        torch.testing.assert_close(
            mixed.network.state_dict()[name], value * 5 / 3 if value.is_floating_point() else value
        )
    np.testing.assert_array_equal(soup([one, one]).logits(article_rows[:3]), one.logits(article_rows[:3]))


def test_outputs_are_checked_before_the_training(article_rows: list[LabelledParagraph], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out, oof in (
        (tmp_path / "file", None),
        (tmp_path / "file" / "b", None),
        (tmp_path / "b", tmp_path / "file" / "o"),
    ):
        with pytest.raises(VeilleurError, match=r"is not a bundle|cannot be made"):
            Job(article_rows, TOPICS, out, "", out_of_fold=oof).check()


def test_what_a_training_would_lose_or_mistake_is_refused(
    article_rows: list[LabelledParagraph], tmp_path: Path
) -> None:
    out = tmp_path / "b"
    misspelt = [replace(article_rows[0], split="Test"), *article_rows[1:]]
    for job, said in (
        (Job(article_rows, TOPICS, out, "", out_of_fold=out / "oof.jsonl"), "lies in the bundle's own folder"),
        (Job(misspelt, TOPICS, out, ""), "has the split 'Test': write one of train, validation, test"),
        (Job(article_rows, TOPICS, out, "", [("dev", []), ("dev", [])]), "2 label sets to score on are called 'dev'"),
    ):
        with pytest.raises(VeilleurError, match=said):
            job.check()


def test_an_output_may_be_a_link_to_a_bundle(article_rows: list[LabelledParagraph], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    job = Job(article_rows, TOPICS, tmp_path / "link", "")
    for _ in range(2):
        train_tfidf(job, TfidfSettings(folds=2))
    assert read_manifest(tmp_path / "real") == read_manifest(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()


def test_a_folder_where_the_checkpoints_go_is_left_alone(
    article_rows: list[LabelledParagraph], tiny_base: Path, tmp_path: Path
) -> None:
    (tmp_path / "b.work").mkdir()
    (tmp_path / "b.work" / "thesis.txt").write_text("x")
    job = Job(article_rows, TOPICS, tmp_path / "b", "")
    with pytest.raises(VeilleurError, match="no interrupted training"):
        train_camembert(job, CamembertSettings(base=str(tiny_base)), lambda part, report: None)
    assert (tmp_path / "b.work" / "thesis.txt").exists()


def test_a_topic_of_one_bulletin_is_not_given_to_the_fold_that_never_saw_it() -> None:
    rng = np.random.default_rng(0)
    words = ["la", "police", "mot", "été", "ville", "route", "mer", "port"]
    rows = []
    for number in range(40):
        topics = ("x",) if number < 4 else ("y",) if number % 2 else ()
        text = " ".join(rng.choice(words, 12))
        rows.append(LabelledParagraph(str(number), text, topics, bulletin=f"b{number // 4}"))
    logits, folds = tfidf_out_of_fold(rows, ("x", "y"), TfidfSettings())
    (held,) = (fold for fold in folds if any(rows[index].bulletin == "b0" for index in fold))
    assert (logits[held, 0] < logits[np.setdiff1d(np.arange(40), held), 0].min()).all()


def test_what_is_no_bundle_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    with pytest.raises(VeilleurError, match="is not a bundle"), new_folder(tmp_path / "letters"):
        pass
    assert (tmp_path / "letters" / "dear.txt").exists()


def test_a_failure_leaves_the_older_bundle_and_no_remains(tmp_path: Path) -> None:
    with new_folder(tmp_path / "b") as folder:
        (folder / MANIFEST).write_text("old")
    with pytest.raises(RuntimeError), new_folder(tmp_path / "b") as folder:
        (folder / MANIFEST).write_text("new")
        raise RuntimeError
    assert (tmp_path / "b" / MANIFEST).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
