"""Logging a study to MLflow."""

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from veilleur import __version__
from veilleur.errors import VeilleurError
from veilleur.evaluate.study import Study

EXPERIMENT = "veilleur"
_UNNAMEABLE = re.compile(r"[^\w.\- /]")


def import_mlflow() -> Any:
    """Import MLflow with its own reports to its makers turned off, unless the user asks for them."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    return import_module("mlflow")


def log_to_mlflow(found: Study, folder: Path, uri: str) -> None:
    """Log a run for each model: its parameters, all its defined figures, and the report.

    Parameters
    ----------
    found : Study
    folder : Path
        Of the written report.
    uri : str
        Of the tracking store, such as ``sqlite:///mlflow.db`` or a server's address.

    Raises
    ------
    VeilleurError
        If the store cannot be reached.
    """
    mlflow = import_mlflow()
    try:
        client = mlflow.MlflowClient(tracking_uri=uri)
        known = client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known else client.create_experiment(EXPERIMENT)
        for model, evaluation in zip(found.models, found.evaluations, strict=True):
            run = client.create_run(experiment, run_name=model.name).info.run_id
            for name, value in {
                "model": model.name,
                "kind": model.kind,
                "base": model.base,
                "veilleur": __version__,
                "labels": ", ".join(found.files),
                "labels_sha256": ", ".join(found.files.values()),
                "paragraphs": len(found.rows),
                "bulletins": found.bulletins,
                "resamples": found.resamples,
                "seed": found.seed,
                "cross_validated": found.cross_validated,
            }.items():
                client.log_param(run, name, value)
            for name, figure in evaluation.scores.flat.items():
                if figure is not None:
                    client.log_metric(run, _UNNAMEABLE.sub("_", name), figure)
            client.log_artifacts(run, str(folder), "report")
            client.set_terminated(run)
    except Exception as error:  # stores raise their own: of databases, of the network, of files
        raise VeilleurError(f"MLflow at {uri} does not take the study: {error}") from error
