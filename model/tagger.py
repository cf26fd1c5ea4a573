"""The inference function: texts in, topics with calibrated probabilities out."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError
from veilleur.model.bundle import (
    BASELINE,
    DEFAULT,
    KINDS,
    Manifest,
    bundle_folder,
    portable_name,
    read_manifest,
    verify,
)
from veilleur.model.cascade import CascadeModel
from veilleur.model.decision import decide
from veilleur.model.result import BulletinTagging, Explanation, SegmentTagging, Tagging, Word
from veilleur.seeds.reader import Bulletin, read_bulletin
from veilleur.seeds.text import normalise

CHUNK = 256  # texts that `tag_many` holds at a time


class Model(Protocol):
    """What a fitted model of any kind does."""

    @property
    def topics(self) -> int:
        """How many topics it gives logits of."""
        ...

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.floating]:
        """Return uncalibrated logits of shape (texts, topics)."""
        ...

    def contributions(
        self, text: str, words: Sequence[tuple[int, int]]
    ) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
        """Return what each word adds to the logits, of shape (words, topics), and what none of them adds, (topics,).

        Parameters
        ----------
        text : str
            In normal form.
        words : sequence of (start, end)
            The stretches of the text that stand between spaces.
        """
        ...


def load(bundle: str | Path = DEFAULT, *, threads: int | None = None, cascade: bool = True) -> "Tagger":
    """Load a tagger from a shipped bundle, by name, or from a bundle's folder.

    Parameters
    ----------
    bundle : str or Path
        ``camembert`` (the default), ``tfidf``, or a folder written by ``veilleur train``.
    threads : int, optional
        Threads of the fine-tune; all processors by default.
    cascade : bool
        Whether the fine-tune is spared the texts that the baseline beside it is sure have no topic.

    Returns
    -------
    Tagger

    Raises
    ------
    VeilleurError
        If there is no such bundle, or it is damaged, of a newer format, or holds anything that could run code.

    Examples
    --------
    >>> load("tfidf").topics
    ('cybercrime', 'migration', 'drugs', 'trafficking', 'fire-rescue', 'maritime')
    """
    folder = bundle_folder(bundle)
    manifest = read_manifest(folder)
    verify(folder, manifest)
    model = _load_model(folder, manifest, threads, cascade)
    if model.topics != len(manifest.topics):
        raise VeilleurError(
            f"{folder} has a wrong topic list: its model gives {model.topics} topics, its manifest names "
            f"{len(manifest.topics)}; get the bundle again"
        )
    return Tagger(model, manifest, Origin(portable_name(bundle), threads, cascade))


def _load_model(folder: Path, manifest: Manifest, threads: int | None, cascade: bool) -> Model:
    if manifest.kind == "tfidf":
        from veilleur.model.tfidf import TfidfModel

        return TfidfModel.load(folder / KINDS["tfidf"])
    from veilleur.model.camembert import CamembertModel

    if manifest.cascade is None:
        return CamembertModel.load(folder, threads)
    from veilleur.model.tfidf import TfidfModel

    # Both at once: reading the graph leaves Python's lock to the other.
    with ThreadPoolExecutor(1) as pool:
        fine_tune = pool.submit(CamembertModel.load, folder, threads)
        baseline = TfidfModel.load(folder / BASELINE)
    settings = manifest.cascade if cascade else replace(manifest.cascade, below=None)
    return CascadeModel(baseline, fine_tune.result(), settings)


@dataclass(frozen=True, slots=True)
class Origin:
    """The arguments of `load` that made a tagger."""

    bundle: str
    threads: int | None
    cascade: bool = True

    def load(self) -> "Tagger":
        """Load it again."""
        return load(self.bundle, threads=self.threads, cascade=self.cascade)


class Tagger:
    """Tags texts with a fitted model; made by `load`.

    Threads may share a tagger. Pickled, it travels as the name of its bundle and is loaded again where it arrives; and
    in a forked process it loads its bundle again when it is first used.

    Parameters
    ----------
    model : Model
        Gives the logits.
    manifest : Manifest
        Topics, thresholds and calibration.
    origin : Origin, optional
        Where it was loaded from; without it, it can be neither pickled nor used after a fork.
    """

    def __init__(self, model: Model, manifest: Manifest, origin: Origin | None = None) -> None:
        self._model = model
        self._process = os.getpid()
        self.manifest = manifest
        self.origin = origin

    @property
    def model(self) -> Model:
        """The fitted model, this process's own: the threads of a runtime do not survive a fork."""
        if self._process != os.getpid() and self.origin is not None:
            self._model = self.origin.load().model
            self._process = os.getpid()
        return self._model

    def __reduce__(self) -> tuple[Any, ...]:
        if self.origin is None:
            raise VeilleurError("this tagger was not loaded from a bundle, so it cannot be pickled: use veilleur.load")
        return _reload, (self.origin, self.manifest)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topic ids, in the order of the columns of `predict_proba`."""
        return self.manifest.topics

    @property
    def thresholds(self) -> dict[str, float]:
        """The probability from which each topic is given."""
        return dict(zip(self.topics, self.manifest.thresholds, strict=True))

    def tag(self, text: str) -> Tagging:
        """Tag one text; an empty or blank text has no topics.

        Raises
        ------
        VeilleurError
            If `text` is not a string.
        """
        return next(self.tag_many([text]))

    def tag_many(self, texts: Iterable[str]) -> Iterator[Tagging]:
        """Tag any iterable of texts, lazily and in order.

        Memory does not grow with the number of texts.

        Raises
        ------
        VeilleurError
            At the first item that is not a string; the taggings before it have been given.
        """
        thresholds = self.thresholds
        for chunk in _chunks(texts):
            probabilities = self.predict_proba(chunk)
            for scores, given in zip(probabilities.tolist(), self._decide(probabilities).tolist(), strict=True):
                topics = tuple(compress(self.topics, given))
                yield Tagging(topics, dict(zip(self.topics, scores, strict=True)), thresholds)

    def tag_bulletin(self, raw: str | bytes | Bulletin) -> BulletinTagging:
        """Read a raw bulletin and tag each of its segments.

        Parameters
        ----------
        raw : str, bytes or Bulletin
            The bulletin as it came, or as `veilleur.seeds.reader` has read it.

        Returns
        -------
        BulletinTagging
            Related items after "Voir plus" are other articles and play no part in it.
        """
        bulletin = raw if isinstance(raw, Bulletin) else read_bulletin(raw)
        return self.gather(bulletin, self.tag_many(segment.text for segment in bulletin.readable))

    def gather(self, bulletin: Bulletin, taggings: Iterable[Tagging]) -> BulletinTagging:
        """Put together the taggings of a bulletin's readable segments, which may have been tagged with others'."""
        segments = tuple(
            SegmentTagging(segment.id, segment.kind, segment.text, tagging)
            for segment, tagging in zip(bulletin.readable, taggings, strict=True)
        )
        found = {topic for item in segments if item.kind != "link" for topic in item.tagging.topics}
        topics = tuple(topic for topic in self.topics if topic in found)
        return BulletinTagging(bulletin.slug, bulletin.title, bulletin.date, segments, topics)

    def explain(self, text: str) -> Explanation:
        """Say which words carried each topic.

        For the baseline the contributions are exact: the share of each n-gram in the logit, divided among the words
        it stands in. For the fine-tune they are the votes of a word's tokens, weighted as the pooling weighs them
        (see `veilleur.train.encoder.pool`); a token's vote has read the words around it. Where both work together,
        their contributions add up as their logits do; of a text that the baseline settles there are its own alone.

        Raises
        ------
        VeilleurError
            If `text` is not a string.

        Examples
        --------
        >>> explanation = load("tfidf").explain("Saisie de cocaïne à Dakar")
        >>> explanation.top("drugs", 1)[0].text
        'cocaïne'
        """
        clean = normalise(_checked(text))
        spans = [found.span() for found in re.finditer(r"\S+", clean)]
        if not spans:
            return Explanation(clean, (), dict.fromkeys(self.topics, 0.0))
        contributions, rest = self.model.contributions(clean, spans)
        words = (
            Word(clean[start:end], start, end, dict(zip(self.topics, values, strict=True)))
            for (start, end), values in zip(spans, contributions.tolist(), strict=True)
        )
        return Explanation(clean, tuple(words), dict(zip(self.topics, rest.tolist(), strict=True)))

    def predict_proba(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return calibrated probabilities of shape (texts, topics), as scikit-learn's classifiers do."""
        cleaned = [normalise(_checked(text)) for text in texts]
        result = np.zeros((len(cleaned), len(self.topics)))
        read = [index for index, text in enumerate(cleaned) if text]
        if read:
            logits = self.model.logits([cleaned[index] for index in read])
            result[read] = self.manifest.calibration.probabilities(logits)
        return result

    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the topics given, as a 0/1 array of shape (texts, topics)."""
        return self._decide(self.predict_proba(texts))

    def _decide(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        return decide(probabilities, self.manifest.thresholds, self.manifest.exclusive)

    def fit(self, texts: object, topics: object = None) -> "Tagger":
        """Do nothing, as the last step or an inner one of a scikit-learn pipeline: a bundle is fitted."""
        return self

    def transform(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return `predict_proba`, the features that a scikit-learn pipeline's next step learns from."""
        return self.predict_proba(texts)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> "Tagger":
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        inputs = InputTags(two_d_array=False, string=True)
        return Tags(estimator_type=None, target_tags=TargetTags(required=False), input_tags=inputs, requires_fit=False)


_RELOADED: dict[Origin, Tagger] = {}  # pools pickle a tagger with every task


def _reload(origin: Origin, manifest: Manifest) -> Tagger:
    """Load a pickled tagger's bundle, once in a process."""
    if origin not in _RELOADED or _RELOADED[origin].manifest != manifest:
        tagger = origin.load()
        if tagger.manifest != manifest:
            raise VeilleurError(
                f"the bundle {origin.bundle} is not the one that the tagger was pickled with: copy it here"
            )
        _RELOADED[origin] = tagger
    return _RELOADED[origin]


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise VeilleurError(f"a text to tag must be a string, not {type(text).__name__}: {text!r:.60}")
    return text


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    """Cut into lists of `CHUNK` texts; a text that is not one ends the stream after those before it are given."""
    chunk: list[str] = []
    for text in texts:
        if not isinstance(text, str):
            yield chunk
            _checked(text)
        chunk.append(text)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
