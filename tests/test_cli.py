import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from veilleur.cli import main
from veilleur.labels.rows import LabelledParagraph


def run(*arguments: object, stdin: str | None = None, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def labels(tmp_path: Path, article_rows: list[LabelledParagraph]) -> Path:
    path = tmp_path / "labels.jsonl"
    lines = [json.dumps({"text": row.text, "topics": row.topics, "document": row.bulletin}) for row in article_rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_every_command_teaches() -> None:
    for command in (
        [],
        ["tag"],
        ["evaluate"],
        ["bundles"],
        ["train"],
        ["train", "tfidf"],
        ["train", "camembert"],
        ["labels"],
        ["labels", "check"],
        ["labels", "agreement"],
        ["labels", "stats"],
        ["labels", "export"],
    ):
        assert "Usage:" in run(*command, "--help").output


def test_tag_writes_json_lines_in_a_pipe_and_a_table_when_asked(tfidf_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("La police a saisi de la drogue.\n\nLe commerce va bien, disent-ils.")
    lines = run("tag", tmp_path / "a.txt", "--bundle", tfidf_bundle).stdout.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["paragraph", "paragraph"]
    table = run("tag", tmp_path / "a.txt", "--bundle", tfidf_bundle, "--unit", "bulletin", "--format", "table").stdout
    assert "topics of the whole" in table
    output = tmp_path / "out.jsonl"
    run("tag", "-", "--bundle", tfidf_bundle, "-o", output, stdin='{"text": "La drogue.", "id": 1}\n')
    assert json.loads(output.read_text(encoding="utf-8"))["id"] == 1


def test_tag_goes_on_after_bad_input_and_exits_with_1(tfidf_bundle: Path) -> None:
    result = run("tag", "-", "--bundle", tfidf_bundle, stdin='{"text": "a"}\n{"txt": "b"}\n{"text": "c"}\n', code=1)
    assert len(result.stdout.splitlines()) == 2
    assert "stdin, line 2" in result.stderr


def test_a_damaged_bundle_is_one_sentence(tfidf_bundle: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(tfidf_bundle, tmp_path / "b"))
    (broken / "model.skops").write_bytes(b"x")
    result = run("tag", "-", "--bundle", broken, stdin="a", code=1)
    assert result.stderr.count("\n") == 1
    assert "has changed since" in result.stderr


def test_evaluate_prints_figures_or_json(tfidf_bundle: Path, labels: Path) -> None:
    scores = json.loads(run("evaluate", tfidf_bundle, "--labels", labels, "--json", "--resamples", 20).stdout)
    assert {"n", "macro_f1", "micro_f1", "exact_match", "topics", "intervals"} <= scores.keys()
    assert set(scores["topics"]["drugs"]) >= {"precision", "recall", "f1", "support"}
    table = run("evaluate", tfidf_bundle, "--labels", labels, "--resamples", 20).stdout
    assert f"{scores['macro_f1']:.3f}" in table


def test_train_tfidf_from_a_users_labels(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    result = run("train", "tfidf", "-o", out, "--labels", labels, "--folds", 2, "--measure", labels)
    assert "macro-F1" in result.stdout
    assert json.loads((out / "veilleur.json").read_text(encoding="utf-8"))["scores"]["labels.jsonl"]["n"] == 73


def test_train_camembert_from_a_local_base(labels: Path, tiny_base: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    result = run("train", "camembert", "-o", out, "--labels", labels, "--base", tiny_base, "--epochs", 1, "--folds", 1)
    assert "validation F1" in result.stderr
    assert (out / "model.safetensors").is_file()
    lines = run("tag", "-", "--bundle", out, stdin="Un incendie.").stdout.splitlines()
    assert json.loads(lines[0])["scores"]


def test_training_without_usable_labels_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "few.jsonl"
    path.write_text('{"text": "a", "topics": []}\n')
    result = run("train", "tfidf", "-o", tmp_path / "b", "--labels", path, code=1)
    assert "no paragraph to learn from has the topic" in result.stderr


def test_labels_commands(tmp_path: Path) -> None:
    assert "in order" in run("labels", "check").stdout
    assert json.loads(run("labels", "agreement", "--json").stdout)["articles"]["n"] == 73
    assert json.loads(run("labels", "stats", "--json").stdout)["rows"] >= 73
    exported = tmp_path / "rows.jsonl"
    run("labels", "export", exported)
    assert len(exported.read_text(encoding="utf-8").splitlines()) >= 73
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{}\n")
    assert "bad.jsonl:1" in run("labels", "check", bad, code=1).stdout


def test_bundles_lists_what_ships() -> None:
    assert set(json.loads(run("bundles", "--json").stdout)) == {"camembert", "tfidf"}
    assert "camembert" in run("bundles").stdout


def test_what_was_tagged_before_a_break_is_kept(
    tfidf_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from veilleur.batch import tagging

    def broken(*arguments: object) -> "object":
        yield {"source": "a", "topics": []}
        raise KeyboardInterrupt

    monkeypatch.setattr(tagging, "tag_items", broken)
    output = tmp_path / "out.jsonl"
    result = run("tag", "-", "--bundle", tfidf_bundle, "-o", output, stdin="x", code=1)
    assert "what was tagged until then is in" in result.stderr
    assert not output.exists()
    assert (tmp_path / "out.jsonl.partial").read_text(encoding="utf-8").count("\n") == 1


def test_odd_characters_do_not_stop_the_run(tfidf_bundle: Path) -> None:
    result = run("tag", "-", "--bundle", tfidf_bundle, stdin='{"text": "a \\ud800 b"}\n{"text": "c"}\n')
    assert [json.loads(line)["topics"] for line in result.stdout.splitlines()] == [[], []]
