from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, pipeline

from veilleur import load
from veilleur.labels.rows import LabelledParagraph
from veilleur.labels.topics import read_topics
from veilleur.model.bundle import BASELINE
from veilleur.model.calibration import Calibration
from veilleur.train.camembert import CamembertSettings
from veilleur.train.encoder import TokenVotes
from veilleur.train.run import Job, train_camembert
from veilleur.train.standard_form import fits, standard_form


@pytest.mark.parametrize(("hidden", "heads", "topics"), [(48, 6, 6), (48, 12, 3), (60, 5, 1)])
def test_the_standard_model_gives_the_calibrated_probabilities(
    make_network: Callable[..., TokenVotes], hidden: int, heads: int, topics: int
) -> None:
    network = make_network(topics, hidden, heads)
    config = network.encoder.config
    assert fits(config, topics)
    network.votes.weight.data *= 30  # logits as far apart as a trained network's
    calibration = Calibration(tuple(np.linspace(0.5, 2, topics)), tuple(np.linspace(-1, 1, topics)))
    model = standard_form(network, calibration, tuple(f"t{n}" for n in range(topics)))
    ids = torch.randint(4, 50, (5, 20))
    mask = torch.ones_like(ids)
    mask[2:, 12:] = 0
    ids[mask == 0] = config.pad_token_id
    with torch.inference_mode():
        logits = network(ids, mask)["logits"].numpy()
        got = torch.sigmoid(model(input_ids=ids, attention_mask=mask).logits).numpy()
    assert np.ptp(logits) > 3
    np.testing.assert_allclose(got, calibration.probabilities(logits), atol=2e-3)


def test_plain_transformers_loads_a_fresh_bundle_and_agrees_with_the_tagger(
    article_rows: list[LabelledParagraph], tiny_base: Path, tmp_path: Path
) -> None:
    job = Job(article_rows, read_topics().ids, tmp_path / "bundle", "veilleur train camembert --no-baseline")
    settings = CamembertSettings(base=str(tiny_base), epochs=1, folds=1, learning_rate=1e-3, baseline=False)
    manifest = train_camembert(job, settings, lambda part, progress: None)
    assert manifest.cascade is None
    assert BASELINE not in manifest.files
    tagger = load(job.out)
    classify = pipeline("text-classification", model=str(job.out), top_k=None)
    length = len(AutoTokenizer.from_pretrained(job.out)("x")["input_ids"])
    assert length > 1
    texts = [row.text for row in article_rows if len(row.text) < 150]
    assert len(texts) > 20
    for given, tagging in zip(classify(texts), tagger.tag_many(texts), strict=True):
        scores = {one["label"]: one["score"] for one in given}
        assert scores.keys() == tagging.scores.keys()
        assert scores == pytest.approx(dict(tagging.scores), abs=1e-2)
