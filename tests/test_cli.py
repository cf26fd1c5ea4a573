import json
import shutil
import sys
from contextlib import chdir
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
        ["compare"],
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
        shown = run(*command, "--help").output
        assert "Usage:" in shown
        assert "\\b" not in shown  # click's mark of a paragraph that is kept as it is


def test_help_gives_each_example_a_line() -> None:
    assert "  veilleur train camembert -o my-bundle\n" in run("train", "camembert", "--help").output


def test_tag_writes_json_lines_in_a_pipe_and_a_table_when_asked(tfidf_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("La police a saisi de la drogue.\n\nLe commerce va bien, disent-ils.")
    lines = run("tag", tmp_path / "a.txt", "--bundle", tfidf_bundle).stdout.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["paragraph", "paragraph"]
    table = run("tag", tmp_path / "a.txt", "--bundle", tfidf_bundle, "--unit", "bulletin", "--format", "table").stdout
    assert "topics of the whole" in table
    output = tmp_path / "out.jsonl"
    run("tag", "-", "--bundle", tfidf_bundle, "-o", output, stdin='{"text": "La drogue.", "id": 1}\n')
    assert json.loads(output.read_text(encoding="utf-8"))["id"] == 1


def test_what_cannot_be_written_is_one_sentence(tfidf_bundle: Path, tmp_path: Path) -> None:
    row = '{"text": "a"}\n'
    found = run("tag", "-", "--bundle", tfidf_bundle, "-o", "/dev/full", stdin=row, code=1)
    assert "/dev/full cannot be written (No space left on device)" in found.output
    rejects = tmp_path / "none" / "rejects.jsonl"
    found = run("tag", "-", "--bundle", tfidf_bundle, "-o", tmp_path / "o.jsonl", "--rejects", rejects, code=1)
    assert f"there is no folder {rejects.parent}" in " ".join(found.output.split())


def test_a_table_is_not_for_schedulers(tfidf_bundle: Path) -> None:
    found = run("tag", "-", "--bundle", tfidf_bundle, "--format", "table", "--log-json", stdin="a", code=2)
    assert "a table is for people" in found.output


def test_tag_goes_on_after_bad_input_and_exits_with_3(tfidf_bundle: Path, tmp_path: Path) -> None:
    stdin = '{"text": "a"}\n{"txt": "b"}\n{"text": "c"}\n'
    result = run("tag", "-", "--bundle", tfidf_bundle, stdin=stdin, code=3)
    assert len(result.stdout.splitlines()) == 2
    assert "stdin, line 2" in result.stderr
    assert "2 inputs tagged, 1 rejected" in result.stderr
    rejects = tmp_path / "rejects.jsonl"
    result = run("tag", "-", "--bundle", tfidf_bundle, "--quiet", "--rejects", rejects, stdin=stdin, code=3)
    assert json.loads(rejects.read_text(encoding="utf-8"))["raw"] == '{"txt": "b"}'
    assert not result.stderr
    result = run("tag", "-", "--bundle", tfidf_bundle, "--max-rejects", 0, stdin=stdin, code=1)
    assert "more than 0" in result.stderr


def test_tag_reads_and_writes_tables(tfidf_bundle: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("ref;corps\n7;La drogue\n", encoding="utf-8")
    result = run("tag", source, "--bundle", tfidf_bundle, "--text-column", "corps", "-o", output)
    assert result.stderr == "veilleur: 1 input tagged\n"
    back = run("tag", output, "--bundle", tfidf_bundle, "--format", "csv").stdout
    assert back.startswith("ref,input_source,source,text,topics,score_cybercrime")
    assert "7," in back.splitlines()[1]
    table = run(
        "tag", source, "--bundle", tfidf_bundle, "--input-format", "text", "--unit", "topic", "--format", "table"
    )
    assert "(1 paragraph)" in table.stdout or "drugs" not in table.stdout


def test_tag_logs_json_for_schedulers(tfidf_bundle: Path, tmp_path: Path) -> None:
    stdin = '{"text": "a"}\n{"txt": "b"}\n'
    logged = run("tag", "-", "--bundle", tfidf_bundle, "--log-json", stdin=stdin, code=3).stderr.splitlines()
    events = [json.loads(line) for line in logged]
    assert [one["event"] for one in events] == ["start", "reject", "finish"]
    assert events[-1].items() >= {"inputs": 1, "records": 1, "rejects": 1}.items()
    (line,) = run("tag", tmp_path / "missing.txt", "--bundle", tfidf_bundle, "--log-json", code=1).stderr.splitlines()
    assert "no such file" in json.loads(line)["message"]


def test_tag_refuses_what_could_not_be_written(tfidf_bundle: Path, tmp_path: Path) -> None:
    for output, words in ((tmp_path / "missing" / "a.jsonl", "no folder"), (tmp_path / "a.txt", "no plain text")):
        assert words in run("tag", "-", "--bundle", tfidf_bundle, "-o", output, stdin="a", code=1).stderr


def test_a_damaged_bundle_is_one_sentence(tfidf_bundle: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(tfidf_bundle, tmp_path / "b"))
    (broken / "model.npz").write_bytes(b"x")
    result = run("tag", "-", "--bundle", broken, stdin="a", code=1)
    assert result.stderr.count("\n") == 1
    assert "has changed since" in result.stderr


def test_evaluate_prints_figures_or_json(tfidf_bundle: Path, labels: Path) -> None:
    scores = json.loads(run("evaluate", tfidf_bundle, "--labels", labels, "--json", "--resamples", 20).stdout)
    assert {"n", "macro_f1", "micro_f1", "exact_match", "topics", "intervals"} <= scores.keys()
    assert set(scores["topics"]["drugs"]) >= {"precision", "recall", "f1", "support"}
    table = run("evaluate", tfidf_bundle, "--labels", labels, "--resamples", 20).stdout
    assert f"{scores['macro_f1']:.3f}" in table


def test_evaluate_and_compare_write_reports(tfidf_bundle: Path, labels: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    options = ("--labels", labels, "--resamples", 20, "--report", folder)
    assert "report written to" in run("evaluate", tfidf_bundle, *options).stderr
    assert len(json.loads((folder / "report.json").read_text(encoding="utf-8"))["models"]) == 1
    with chdir(tmp_path):  # where the store puts artefacts
        result = run("compare", tfidf_bundle, "tfidf", *options, "--mlflow", uri)
    assert "difference in macro-F1" in result.stdout
    assert "macro F1" in result.stdout
    assert len(json.loads((folder / "report.json").read_text(encoding="utf-8"))["models"]) == 2
    assert (tmp_path / "mlflow.db").is_file()


def test_a_fallen_gate_is_named_and_exits_with_1(tfidf_bundle: Path, labels: Path) -> None:
    options = ("--labels", labels, "--resamples", 40)
    run("evaluate", tfidf_bundle, *options, "--require", "macro_f1>=0.1", "--no-worse-than", "tfidf")
    result = run("evaluate", tfidf_bundle, *options, "--require", "macro_f1>=0.1", "--require", "n>=0", code=1)
    assert "there is no figure 'n'" in result.stderr
    result = run("evaluate", tfidf_bundle, *options, "--require", "drugs.recall>1", "--require", "macro_f1>0", code=1)
    assert "gate fell: drugs.recall>1 (drugs.recall of tfidf is" in result.stderr
    assert "macro_f1>0" not in result.stderr


def test_a_missing_extra_is_named_before_the_work(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("evaluate", "tfidf", "--labels", labels, "--report", tmp_path / "report", "--mlflow", "sqlite:///x.db")
    for package, extra in (("mlflow", "tracking"), ("jinja2", "report")):
        monkeypatch.setitem(sys.modules, package, None)
        assert f"needs the package {package}: pip install 'veilleur[{extra}]'" in run(*options, code=1).stderr


def test_recipes_are_cross_validated(labels: Path) -> None:
    scores = json.loads(run("evaluate", "tfidf", "--cv", "--labels", labels, "--resamples", 0, "--json").stdout)
    assert scores["n"] == 73


def test_options_that_do_not_go_together_are_refused(labels: Path) -> None:
    assert "name two bundles or more" in run("compare", "tfidf", "--labels", labels, code=2).stderr
    assert "name its folder by --report" in run("evaluate", "tfidf", "--labels", labels, "--mlflow", "x", code=2).stderr
    refused = run("evaluate", "tfidf", "--labels", labels, "--cv", "--no-worse-than", "tfidf", code=2)
    assert "leave out one of them" in refused.stderr


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


def test_ctrl_c_says_that_the_same_command_goes_on(
    tfidf_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from veilleur.batch import job

    def broken(*arguments: object) -> object:
        raise KeyboardInterrupt

    output = tmp_path / "out.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(job, "tag_chunk", broken)
        result = run("tag", "-", "--bundle", tfidf_bundle, "-o", output, stdin="x", code=130)
    assert "the same command goes on" in result.stderr
    assert not output.exists()
    run("tag", "-", "--bundle", tfidf_bundle, "-o", output, stdin="x")
    assert output.read_text(encoding="utf-8").count("\n") == 1


def test_odd_characters_do_not_stop_the_run(tfidf_bundle: Path) -> None:
    result = run("tag", "-", "--bundle", tfidf_bundle, stdin='{"text": "a \\ud800 b"}\n{"text": "c"}\n')
    assert [json.loads(line)["topics"] for line in result.stdout.splitlines()] == [[], []]
