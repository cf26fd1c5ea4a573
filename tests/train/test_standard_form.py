from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, pipeline

from veilleur import load
from veilleur.labels.rows import LabelledParagraph
from veilleur.model.calibration import Calibration, sigmoid
from veilleur.model.cascade import CascadeModel
from veilleur.seeds.text import normalise
from veilleur.train.encoder import TokenVotes
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


def test_plain_transformers_loads_a_fresh_bundle_and_agrees_with_its_network(
    camembert_bundle: Path, article_rows: list[LabelledParagraph]
) -> None:
    tagger = load(camembert_bundle)
    assert isinstance(tagger.model, CascadeModel)
    classify = pipeline("text-classification", model=str(camembert_bundle), top_k=None)
    length = len(AutoTokenizer.from_pretrained(camembert_bundle)("x")["input_ids"])
    assert length > 1
    texts = [row.text for row in article_rows if len(row.text) < 150]
    assert len(texts) > 20
    found = [{one["label"]: one["score"] for one in given} for given in classify(texts)]
    logits = tagger.model.fine_tune.logits([normalise(text) for text in texts])
    for topic, logit in zip(tagger.topics, logits.T, strict=True):
        scores = np.array([one[topic] for one in found])
        calibrated = np.log(scores / (1 - scores))  # a straight line in the logit, by Platt
        line = np.polynomial.Polynomial.fit(logit, calibrated, 1)
        assert line.deriv()(0) > 0
        np.testing.assert_allclose(sigmoid(line(logit)), scores, atol=1e-2)
