"""The baseline at inference: TF-IDF of words and characters with one linear model a topic, in numpy alone.

The features are those of the scikit-learn pipeline that `veilleur.train.tfidf` fits, so the scores are too. What makes
it quicker: n-grams are found in many texts at once (`veilleur.model.ngrams`), and only the weights of those that occur
are read.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError
from veilleur.model.ngrams import CharacterGrams, Integers, WordGrams, read_texts, text_places

BATCH = 2**15  # characters that are read at once, or one text
LARGEST = 2**30  # bytes that a model may take in memory

Floats = npt.NDArray[np.float64]


class TfidfModel:
    """A fitted TF-IDF model that gives one logit a topic.

    Its features are n-grams of words, then n-grams of characters within words. The value of an n-gram is
    (1 + log of its number of occurrences) times its inverse document frequency; those of words and those of characters
    are each scaled to length 1.

    Parameters
    ----------
    words, characters : sequence of str
        The n-grams, in the order of their columns.
    idf : float64 array of shape (features,)
        Inverse document frequencies.
    weights : float32 array of shape (features, topics)
    intercepts : float64 array of shape (topics,)
    """

    def __init__(
        self,
        words: Sequence[str],
        characters: Sequence[str],
        idf: Floats,
        weights: npt.NDArray[np.float32],
        intercepts: Floats,
    ) -> None:
        self.words = WordGrams(words)
        self.characters = CharacterGrams(characters)
        self.idf = idf
        self.weights = weights.astype(np.float64)  # once, since every product with them is of this type
        self.intercepts = intercepts

    @classmethod
    def load(cls, path: Path) -> "TfidfModel":
        """Read what `save` wrote.

        Raises
        ------
        VeilleurError
            If the file is damaged, or holds anything but the arrays of such a model.
        """
        try:
            return cls(**_read(path))
        except Exception as error:  # zipfile, zlib and numpy each have their own
            raise VeilleurError(f"{path} cannot be loaded ({error}): get the bundle again") from error

    def save(self, path: Path) -> None:
        """Write the model as a numpy archive of plain arrays, the same bytes for the same model."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "words": _written(self.words.terms),
            "characters": _written(self.characters.terms),
            "idf": self.idf,
            "weights": self.weights.astype(np.float32),
            "intercepts": self.intercepts,
        }
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @property
    def topics(self) -> int:
        """How many topics it gives logits of."""
        return len(self.intercepts)

    def logits(self, texts: Sequence[str]) -> Floats:
        """Return uncalibrated logits of shape (texts, topics)."""
        batches = [self._batch_logits(batch) for batch in _batches(texts)]
        return np.concatenate([np.zeros((0, self.topics)), *batches])

    def contributions(self, text: str, words: Sequence[tuple[int, int]]) -> tuple[Floats, Floats]:
        """Return what each word adds to the logits, of shape (words, topics), and the intercepts, of shape (topics,).

        An n-gram that occurs several times adds the same each time; one of two words adds half to each.
        """
        codes = read_texts([plain(text[first:last]) for first, last in words])
        places = text_places(codes)
        firsts, lasts, known = self.words.find(codes, np.zeros_like(places))  # pairs go from word to word
        starts, found = self.characters.find(codes)
        occurrences = np.concatenate([known, found + len(self.words.terms)])

        columns, counts = _counted(occurrences)
        each = self._values(np.zeros_like(columns), columns, counts) / counts
        halves = each[np.searchsorted(columns, occurrences), None] * self.weights[occurrences] / 2
        result = np.zeros((len(words), self.topics))
        # Half of each n-gram goes to its first word and half to its last, which are the same but for pairs.
        np.add.at(result, places[np.concatenate([firsts, starts])], halves)
        np.add.at(result, places[np.concatenate([lasts, starts])], halves)
        return result, self.intercepts

    def _batch_logits(self, texts: Sequence[str]) -> Floats:
        """Return the logits of texts that are read at once."""
        codes = read_texts([plain(text) for text in texts])
        places = text_places(codes)
        firsts, _, known = self.words.find(codes, places)
        starts, found = self.characters.find(codes)
        owners = places.take(np.concatenate([firsts, starts]))
        found = np.concatenate([known, found + len(self.words.terms)])
        # As one number each, so that one sort orders them by text and column and brings those alike together.
        bits = len(self.idf).bit_length()
        cells, counts = _counted((owners << bits) + found)
        owners, columns = cells >> bits, cells & (2**bits - 1)
        values = self._values(owners, columns, counts)
        borders = np.searchsorted(owners, np.arange(len(texts) + 1)).tolist()
        rows = [values[a:b] @ self.weights.take(columns[a:b], axis=0) for a, b in pairwise(borders)]
        return np.array(rows) + self.intercepts

    def _values(self, owners: Integers, columns: Integers, counts: Integers) -> Floats:
        """Return the values of columns by the place of their text and how often each occurs in it."""
        values = self.idf.take(columns)
        often = np.flatnonzero(counts > 1)
        values[often] *= 1 + np.log(counts[often])
        parts = 2 * owners + (columns >= len(self.words.terms))
        return values / np.sqrt(np.bincount(parts, weights=values * values)).take(parts)


def plain(text: str) -> str:
    """Write curly apostrophes straight, so that both typographies give the same n-grams."""
    return text.replace("’", "'")


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and size + len(text) > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def _counted(values: Integers) -> tuple[Integers, Integers]:
    """Return the different values in order, and how often each occurs: `numpy.unique` without what it imports."""
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    firsts = np.flatnonzero(is_first)
    return ordered[firsts], np.diff(firsts, append=len(ordered))


def _written(terms: Iterable[str]) -> npt.NDArray[np.uint8]:
    """Write terms, none of which has a line break, as bytes."""
    return np.frombuffer("\n".join(terms).encode(), dtype=np.uint8)


def _read(path: Path) -> dict[str, Any]:
    """Read the arguments of `TfidfModel`.

    Raises
    ------
    ValueError
        If the arrays do not make a model; other errors as the libraries raise them.
    """
    with np.load(path, allow_pickle=False) as archive:
        if sum(member.file_size for member in archive.zip.infolist()) > LARGEST:
            raise ValueError("it is too large")
        expected = {"words": "uint8", "characters": "uint8", "idf": "float64", "weights": "float32"}
        expected["intercepts"] = "float64"
        arrays = {name: archive[name] for name in archive.files}
    if {name: array.dtype.name for name, array in arrays.items()} != expected:
        raise ValueError("it does not hold the arrays of a baseline")
    words, characters = (arrays[name].tobytes().decode().split("\n") for name in ("words", "characters"))
    numbers = [arrays[name] for name in ("idf", "weights", "intercepts")]
    features, topics = len(words) + len(characters), arrays["intercepts"].size
    if [array.shape for array in numbers] != [(features,), (features, topics), (topics,)]:
        raise ValueError("its arrays do not fit each other")
    if not all(np.isfinite(array).all() for array in numbers):
        raise ValueError("its weights are not numbers")
    return {**arrays, "words": words, "characters": characters}
