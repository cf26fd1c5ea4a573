import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import veilleur
from veilleur import Tagger, Tagging, VeilleurError, load
from veilleur.model.tagger import Origin
from veilleur.seeds import articles

KINDS = ["tfidf", "camembert"]


@pytest.fixture(scope="module", params=KINDS)
def tagger(request: pytest.FixtureRequest) -> Tagger:
    return load(request.getfixturevalue(f"{request.param}_bundle"))


def test_the_shipped_models_find_what_a_sentence_names() -> None:
    sentence = "La douane a saisi 30 kg de cocaïne dans un conteneur ; les pompiers ont éteint l'incendie du hangar."
    for name in KINDS:
        assert {"drugs", "fire-rescue"} <= set(load(name).tag(sentence).topics)
        assert load(name).tag("Le prix du café robusta a encore augmenté cette semaine à Dak Lak.").topics == ()


def test_scores_are_probabilities_and_thresholds_decide(tagger: Tagger) -> None:
    for tagging in tagger.tag_many(segment.text for segment in articles()[0].readable):
        assert tuple(tagging.scores) == tagger.topics
        assert all(0 <= score <= 1 for score in tagging.scores.values())
        assert tagging.topics == tuple(t for t in tagger.topics if tagging.scores[t] >= tagging.thresholds[t])


@pytest.mark.parametrize("text", ["", " ", "\n\t\u00a0\u200b"])
def test_empty_text_has_no_topics(tagger: Tagger, text: str) -> None:
    assert tagger.tag(text).topics == ()
    assert set(tagger.tag(text).scores.values()) == {0.0}


def test_tag_many_streams_keeps_order_and_equals_tag(tagger: Tagger) -> None:
    texts = [segment.text for bulletin in articles() for segment in bulletin.readable] * 6
    read = 0

    def source() -> "object":
        nonlocal read
        for text in texts:
            read += 1
            yield text

    taggings = tagger.tag_many(source())  # type: ignore[arg-type]
    first = list(islice(taggings, 10))
    assert read < len(texts)  # not all was read for the first ten
    everything = first + list(taggings)
    assert len(everything) == len(texts)
    for index in (0, 5, 40, len(texts) - 1):
        alone = tagger.tag(texts[index])
        assert everything[index].scores == pytest.approx(dict(alone.scores), abs=1e-5)


def test_predict_agrees_with_tag(tagger: Tagger) -> None:
    texts = [segment.text for segment in articles()[1].readable]
    probabilities, predicted = tagger.predict_proba(texts), tagger.predict(texts)
    assert probabilities.shape == predicted.shape == (len(texts), len(tagger.topics))
    for row, text in zip(predicted, texts, strict=True):
        assert tuple(np.array(tagger.topics)[row == 1]) == tagger.tag(text).topics


def test_what_is_no_text_is_refused_after_those_before_it(tagger: Tagger) -> None:
    taggings = tagger.tag_many(["Un incendie.", 3])  # type: ignore[list-item]
    assert isinstance(next(taggings), Tagging)
    with pytest.raises(VeilleurError, match="must be a string, not int"):
        next(taggings)


def test_the_end_of_a_long_text_counts(camembert_bundle: Path) -> None:
    tagger = load(camembert_bundle)
    short = "Saisie de 1 910 kg de drogues de divers types."
    filler = "Les deux parties ont salué la coopération bilatérale. " * 60  # many windows of the tiny encoder
    alone, padded, without = tagger.predict_proba([short, filler + short, filler])
    assert np.abs(padded - without).max() > 1e-6  # the last words were read
    assert alone.shape == padded.shape


@settings(max_examples=40)
@given(text=st.text(max_size=400))
def test_any_text_is_tagged(tfidf_bundle: Path, text: str) -> None:
    tagging = _cached(tfidf_bundle).tag(text)
    assert all(0 <= score <= 1 for score in tagging.scores.values())


_TAGGERS: dict[Path, Tagger] = {}


def _cached(path: Path) -> Tagger:
    return _TAGGERS.setdefault(path, load(path))


def test_a_bulletin_has_the_topics_of_its_paragraphs(tagger: Tagger) -> None:
    for article in articles():
        result = tagger.tag_bulletin(article)
        assert len(result.segments) == len(article.readable)
        for topic in result.topics:
            assert result.carriers[topic]
        found = {topic for segment in result.segments if segment.kind != "link" for topic in segment.tagging.topics}
        assert set(result.topics) == found
        assert result.to_dict()["segments"][0]["text"] == article.readable[0].text


def test_related_items_do_not_tag_the_bulletin(tagger: Tagger) -> None:
    raw = "Un titre\n\nRien à signaler.\n\nVoir plus\n\nSaisie de drogue\n\nLa police a saisi de l'héroïne."
    assert all("héroïne" not in segment.text for segment in tagger.tag_bulletin(raw).segments)


def test_results_are_immutable_and_can_be_pickled(tagger: Tagger) -> None:
    tagging = tagger.tag("Un incendie a été maîtrisé.")
    with pytest.raises(TypeError):
        tagging.scores["drugs"] = 1.0  # type: ignore[index]
    assert pickle.loads(pickle.dumps(tagging)) == tagging


@pytest.mark.parametrize("bundle", KINDS)
def test_inference_needs_neither_torch_nor_transformers_nor_datasets(bundle: str) -> None:
    code = (
        "import sys, veilleur; before = set(sys.modules); "
        f"veilleur.load({bundle!r}).tag('La lutte contre la drogue.'); "
        "assert 'numpy' not in before, 'import veilleur is not lazy'; "
        "heavy = {'torch', 'transformers', 'datasets'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_public_names_are_there() -> None:
    for name in veilleur.__all__:
        assert getattr(veilleur, name)
    with pytest.raises(AttributeError):
        veilleur.nothing  # noqa: B018


def test_a_tagger_is_pickled_as_its_bundle(tfidf_bundle: Path, camembert_bundle: Path, tmp_path: Path) -> None:
    texts = ["Saisie de drogue.", "Un incendie à bord."]
    for bundle in (tfidf_bundle, camembert_bundle):
        tagger = load(bundle, threads=1)
        data = pickle.dumps(tagger)
        assert len(data) < 50_000  # no weights
        assert np.array_equal(pickle.loads(data).predict_proba(texts), tagger.predict_proba(texts))
        assert pickle.loads(data) is pickle.loads(data)  # a pool pickles it with every task
    moved = shutil.copytree(tfidf_bundle, tmp_path / "bundle")
    data = pickle.dumps(load(moved))
    shutil.rmtree(moved)
    shutil.copytree(camembert_bundle, moved)
    with pytest.raises(VeilleurError, match="not the one that the tagger was pickled with"):
        pickle.loads(data)
    with pytest.raises(VeilleurError, match="cannot be pickled"):
        pickle.dumps(Tagger(tagger.model, tagger.manifest))


def test_a_shipped_bundle_is_pickled_by_name() -> None:
    assert load("tfidf").origin == Origin("tfidf", None)


def test_a_tagger_works_in_a_forked_process_and_in_threads(tagger: Tagger) -> None:
    texts = [segment.text for segment in articles()[0].readable]
    expected = tagger.predict_proba(texts)  # all threads of the runtime are running now
    with get_context("fork").Pool(1) as pool:
        assert np.array_equal(pool.apply_async(tagger.predict_proba, (texts,)).get(60), expected)
    # In a forked process without pickling, too.
    process = get_context("fork").Process(
        target=lambda: sys.exit(not np.allclose(tagger.predict_proba(texts), expected))
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(tagger.predict_proba, [texts] * 16):
            assert np.array_equal(found, expected)
