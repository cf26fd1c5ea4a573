from pathlib import Path

import pytest

from veilleur import VeilleurError
from veilleur.evaluate.cost import count_parameters, measure_cost
from veilleur.model.cascade import CascadeModel
from veilleur.model.tagger import load
from veilleur.model.tfidf import TfidfModel


def test_a_bundle_is_measured_in_a_process_of_its_own(tfidf_bundle: Path) -> None:
    cost = measure_cost(tfidf_bundle, ["Un texte."] * 1000)
    assert cost.disk_bytes == sum(path.stat().st_size for path in tfidf_bundle.iterdir())
    assert cost.texts == 100
    assert cost.load_seconds > 0
    assert cost.paragraphs_per_second > 0
    assert cost.peak_bytes is None or cost.peak_bytes > 10_000_000


def test_parameters_are_those_of_the_fitted_model(tfidf_bundle: Path, camembert_bundle: Path) -> None:
    model = load(tfidf_bundle).model
    assert isinstance(model, TfidfModel)
    assert count_parameters(tfidf_bundle) == 6 * (len(model.idf) + 1)
    embeddings = 605 * 48  # of the tiny base: pieces times width
    both = load(camembert_bundle).model
    assert isinstance(both, CascadeModel) and isinstance(both.baseline, TfidfModel)
    found = count_parameters(camembert_bundle)
    assert found is not None
    assert embeddings < found - 6 * (len(both.baseline.idf) + 1) < 5 * embeddings


def test_what_cannot_be_measured_is_one_sentence(tfidf_bundle: Path, tmp_path: Path) -> None:
    from shutil import copytree

    broken = copytree(tfidf_bundle, tmp_path / "broken")
    (broken / "model.npz").write_bytes(b"x")
    with pytest.raises(VeilleurError, match=r"cost of .* cannot be measured: .*has changed since"):
        measure_cost(broken, ["a"])
