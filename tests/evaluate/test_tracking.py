from pathlib import Path

import pytest

from veilleur import VeilleurError
from veilleur.evaluate.report import write_report
from veilleur.evaluate.study import Study
from veilleur.evaluate.tracking import EXPERIMENT, log_to_mlflow

mlflow = pytest.importorskip("mlflow")


def test_runs_parameters_figures_and_report_are_logged(
    compared: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where the store puts artefacts
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    report = tmp_path / "report"
    write_report(compared, report)
    for _ in range(2):  # the experiment is made once and found again
        log_to_mlflow(compared, report, uri)
    client = mlflow.MlflowClient(tracking_uri=uri)
    runs = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert len(runs) == 4
    run = next(one for one in runs if one.data.params["model"] == "tfidf" or one.info.run_name == "tfidf")
    scores = compared.evaluations[1].scores
    assert run.data.metrics["macro_f1"] == pytest.approx(scores.macro_f1)
    assert run.data.metrics["drugs.recall"] == pytest.approx(scores.topics["drugs"].recall)
    assert run.data.params["seed"] == "0"
    assert run.info.status == "FINISHED"
    assert {"report/report.html", "report/report.json"} <= {
        one.path for one in client.list_artifacts(run.info.run_id, "report")
    }


def test_a_store_that_cannot_be_used_is_one_sentence(compared: Study, tmp_path: Path) -> None:
    with pytest.raises(VeilleurError, match="MLflow at nowhere:"):
        log_to_mlflow(compared, tmp_path, "nowhere://x")
