from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import AutoTokenizer

from veilleur.errors import VeilleurError
from veilleur.labels.rows import LabelledParagraph
from veilleur.train.camembert import CamembertSettings, Collate, EpochReport, encode, fit_camembert, load_base, window
from veilleur.train.export import export_onnx
from veilleur.train.folds import holdout
from veilleur.train.random_base import CAMEMBERT_BASE, write_random_base

WEIGHTS = {"config.json", "model.safetensors"}
TOPICS = ("cybercrime", "migration", "drugs", "trafficking", "fire-rescue", "maritime")


def test_evidence_marks_the_tokens_it_covers(tiny_base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    row = LabelledParagraph(
        "1", "La police lutte contre la drogue et les incendies.", ("drugs", "maritime"), {"drugs": ("la drogue",)}
    )
    example = encode(row, TOPICS, tokenizer, 64)
    words = [tokenizer.decode([token]).strip() for token in example["input_ids"]]
    drugs, maritime, fire = (
        example["evidence"][:, TOPICS.index(name)] for name in ("drugs", "maritime", "fire-rescue")
    )
    assert "".join(word for word, mark in zip(words, drugs, strict=True) if mark == 1) == "ladrogue"
    assert set(maritime.tolist()) == {-1.0}  # the topic is there, but nobody recorded where
    assert set(fire.tolist()) == {0.0}
    assert example["labels"] == [0, 0, 1, 0, 0, 1]


def test_a_batch_is_padded_to_its_longest_and_padding_is_no_evidence() -> None:
    example = {"input_ids": [5, 7, 6], "labels": [1.0], "evidence": np.ones((3, 1), dtype=np.float32)}
    short = {"input_ids": [5, 6], "labels": [0.0], "evidence": np.zeros((2, 1), dtype=np.float32)}
    batch = Collate(1)([example, short])
    assert batch["input_ids"].tolist() == [[5, 7, 6], [5, 6, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["evidence"][1, :, 0].tolist() == [0.0, 0.0, -1.0]


def test_training_reports_learns_resumes_and_repeats(
    article_rows: list[LabelledParagraph], tiny_base: Path, tmp_path: Path
) -> None:
    rows, validation = holdout(article_rows, TOPICS, 0.3, seed=0)
    settings = CamembertSettings(epochs=3, batch_size=4, learning_rate=3e-3, head_learning_rate=1e-2)

    def fit(work: Path, report: "object") -> "np.ndarray":
        fitted = fit_camembert(rows, validation, TOPICS, settings, str(tiny_base), work, report)  # type: ignore[arg-type]
        return fitted.logits(validation)

    reports: list[EpochReport] = []
    whole = fit(tmp_path / "whole", reports.append)
    losses = [report.loss for report in reports if report.loss is not None]
    assert losses[-1] < losses[0]
    assert sum(report.macro_f1 is not None for report in reports) == 3

    class Killed(Exception):
        pass

    def killed_in_the_last_epoch(report: EpochReport) -> None:
        if report.done > 2:
            raise Killed

    with pytest.raises(Killed):
        fit(tmp_path / "part", killed_in_the_last_epoch)
    later: list[EpochReport] = []
    resumed = fit(tmp_path / "part", later.append)
    assert min(report.done for report in later) > 2  # what was done was not done again
    np.testing.assert_allclose(resumed, whole, atol=1e-5)


def test_a_camembert_of_the_originals_size_learns_in_its_upper_half(
    article_rows: list[LabelledParagraph], tmp_path: Path
) -> None:
    shortest = sorted(article_rows, key=lambda row: len(row.text))[:12]
    rows, validation = shortest[:8], shortest[8:]
    settings = CamembertSettings(epochs=1, batch_size=4)  # two steps
    with TemporaryDirectory(dir=tmp_path) as name:  # 2 GB that pytest would keep
        base, graph = Path(name) / "base", Path(name) / "model.onnx"
        write_random_base(base, [row.text for row in article_rows], pieces=600, **CAMEMBERT_BASE)
        reports: list[EpochReport] = []
        fitted = fit_camembert(rows, validation, TOPICS, settings, str(base), Path(name) / "work", reports.append)
        assert [report.macro_f1 is not None for report in reports].count(True) == 1
        assert sum(parameter.numel() for parameter in fitted.network.parameters()) > 110e6

        examples = [encode(row, TOPICS, fitted.tokenizer, 512) for row in rows]
        with torch.inference_mode():
            loss = fitted.network(**Collate(fitted.tokenizer.pad_token_id)(examples))["loss"]
        assert torch.isfinite(loss)

        before = load_base(str(base), len(TOPICS), 0.0)[1].state_dict()
        after = fitted.network.encoder.state_dict()
        changed = {weight for weight in before if not torch.equal(before[weight], after[weight])}
        upper = tuple(f"encoder.layer.{layer}." for layer in range(6, 12))
        assert all(weight.startswith(upper) for weight in changed)
        assert changed >= {weight for weight in before if weight.startswith(upper) and weight.endswith("weight")}

        export_onnx(fitted.network, graph, window(fitted.network.encoder.config))
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        assert session.get_modelmeta().custom_metadata_map["window"] == "512"
        ids = np.full((2, 7), 5)
        logits, votes = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        assert logits.shape == (2, 6)
        assert votes.shape == (2, 7, 6)


def test_the_window_leaves_out_the_positions_that_roberta_never_uses(tiny_base: Path) -> None:
    _, encoder = load_base(str(tiny_base), 6, 0.1)
    assert window(encoder.config) == 64


def test_a_base_that_cannot_be_loaded_is_told(tmp_path: Path, tiny_base: Path) -> None:
    with pytest.raises(VeilleurError, match="cannot be loaded"):
        load_base(str(tmp_path), 6, 0.1)
    with pytest.raises(VeilleurError, match="7 topics need one of camembert, roberta, xlm-roberta"):
        load_base(str(tiny_base), 7, 0.1)
    weights = copytree(tiny_base, tmp_path / "weights", ignore=lambda folder, names: set(names) - WEIGHTS)
    with pytest.raises(VeilleurError, match="has no tokenizer"):
        load_base(str(weights), 6, 0.1)
    cut = copytree(tiny_base, tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(VeilleurError, match="cannot be loaded"):
        load_base(str(cut), 6, 0.1)
