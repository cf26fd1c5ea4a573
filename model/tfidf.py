"""The baseline at inference: TF-IDF of words and characters with one linear model a topic, in numpy alone.

The features are those of the scikit-learn pipeline that `veilleur.train.tfidf` fits, so the scores are too. What makes
it quicker: n-grams are looked up as numbers, many texts at once, without making strings of them, and only the weights
of those that occur are read.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise, repeat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError

WORD_SIZES = (1, 2)  # how many words an n-gram of words has, at least and at most
CHARACTER_SIZES = (3, 6)
BATCH = 2**15  # characters that are read at once, or one text
LARGEST = 2**30  # bytes that a model may take in memory
_TOKEN = re.compile(r"\w\w+")  # what scikit-learn's pattern, with its word borders, finds too

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


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
        rows = [row for batch in _batches(texts) for row in self._rows(_prepared(batch))]
        return np.array(rows).reshape(len(texts), self.topics)

    def contributions(self, text: str, words: Sequence[tuple[int, int]]) -> tuple[Floats, Floats]:
        """Return what each word adds to the logits, of shape (words, topics), and the intercepts, of shape (topics,).

        An n-gram that occurs several times adds the same each time; one of two words adds half to each.
        """
        prepared = _prepared([text[first:last] for first, last in words])
        tokens = [(token, place) for place, word in enumerate(prepared) for token in _TOKEN.findall(word)]
        token_places = np.array([place for _, place in tokens], dtype=np.int64)
        firsts, lasts, known = self.words.find([token for token, _ in tokens])
        places, found = self.characters.find(prepared)
        occurrences = np.concatenate([known, found + len(self.words.terms)])

        columns, counts = _counted(occurrences)
        each = self._values(np.zeros_like(columns), columns, counts) / counts
        halves = each[np.searchsorted(columns, occurrences), None] * self.weights[occurrences] / 2
        result = np.zeros((len(words), self.topics))
        # Half of each n-gram goes to its first word and half to its last, which are the same but for pairs.
        np.add.at(result, np.concatenate([token_places[firsts], places]), halves)
        np.add.at(result, np.concatenate([token_places[lasts], places]), halves)
        return result, self.intercepts

    def _rows(self, prepared: Sequence[str]) -> Iterator[Floats]:
        """Give the logits of each text."""
        tokens = [[*_TOKEN.findall(text), ""] for text in prepared]  # no pair goes over the empty one
        token_owners = np.repeat(np.arange(len(tokens)), [len(one) for one in tokens])
        firsts, _, known = self.words.find([*chain.from_iterable(tokens)])
        owners, found = self.characters.find(prepared)
        owners = np.concatenate([token_owners[firsts], owners])
        found = np.concatenate([known, found + len(self.words.terms)])
        # As one number each, so that one sort orders them by text and column and brings those alike together.
        bits = len(self.idf).bit_length()
        cells, counts = _counted((owners << bits) + found)
        owners, columns = cells >> bits, cells & (2**bits - 1)
        values = self._values(owners, columns, counts)
        borders = np.searchsorted(owners, np.arange(len(prepared) + 1)).tolist()
        for first, last in pairwise(borders):
            yield values[first:last] @ self.weights.take(columns[first:last], axis=0) + self.intercepts

    def _values(self, owners: Integers, columns: Integers, counts: Integers) -> Floats:
        """Return the values of columns by the place of their text and how often each occurs in it."""
        values = (1 + np.log(counts)) * self.idf.take(columns)
        parts = 2 * owners + (columns >= len(self.words.terms))
        return values / np.sqrt(np.bincount(parts, weights=values * values)).take(parts)


class WordGrams:
    """Finds single words and pairs of words.

    Parameters
    ----------
    terms : sequence of str
        The n-grams in the order of their columns.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        self.terms = terms
        words = " ".join(terms).split(" ")
        self._words = {word: number for number, word in enumerate(dict.fromkeys(words), 1)}
        self._base = np.uint64(len(self._words) + 1)
        numbers = self._numbers(words)
        is_pair = np.array([" " in term for term in terms])
        firsts = np.arange(len(terms)) + np.cumsum(is_pair) - is_pair
        singles, pairs = firsts[~is_pair], firsts[is_pair]
        found = np.empty(len(terms), dtype=np.uint64)
        found[~is_pair] = numbers[singles]
        found[is_pair] = numbers[pairs] * self._base + numbers[pairs + 1]
        self._table = Table(found)

    def find(self, tokens: Sequence[str]) -> tuple[Integers, Integers, Integers]:
        """Return each occurrence of an n-gram: the places of its first and last token, and the column."""
        numbers = self._numbers(tokens)
        pairs = np.where(numbers[:-1] == 0, np.uint64(0), numbers[:-1] * self._base + numbers[1:])
        single, single_columns = self._table.find(numbers)
        first, pair_columns = self._table.find(pairs)
        return (
            np.concatenate([single, first]),
            np.concatenate([single, first + 1]),
            np.concatenate([single_columns, pair_columns]),
        )

    def _numbers(self, words: Sequence[str]) -> Keys:
        """Return the number of each word, and 0 for words of no n-gram."""
        return np.fromiter(map(self._words.get, words, repeat(0)), np.uint64, len(words))


class CharacterGrams:
    """Finds n-grams of characters within words.

    An n-gram is read as a number whose digits are its characters, by their place in the alphabet of all n-grams. With 3
    to 6 characters, no two n-grams are the same number up to an alphabet of 1,600 characters; beyond that the numbers
    overflow and would do so with a probability of about 1e-14.

    Parameters
    ----------
    terms : sequence of str
        The n-grams in the order of their columns.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        self.terms = terms
        codes = _codes("\n".join(terms))
        alphabet, _ = _counted(np.append(codes, np.uint32(ord(" "))))
        self._base = np.uint64(len(alphabet) + 2)
        # No digit is 0, so that n-grams of different sizes are different numbers; the last is of all other characters.
        self._digits = np.full(int(alphabet[-1]) + 2, self._base - np.uint64(1), dtype=np.uint64)
        self._digits[alphabet] = np.arange(1, len(alphabet) + 1)
        self._digits[ord("\n")] = self._digits[ord(" ")]
        sizes = np.array([len(term) for term in terms])
        starts = np.cumsum(sizes + 1) - sizes - 1
        numbers = np.empty(len(terms), dtype=np.uint64)
        for size, found in self._numbers(codes):
            numbers[sizes == size] = found[starts[sizes == size]]
        self._table = Table(numbers)

    def find(self, texts: Sequence[str]) -> tuple[Integers, Integers]:
        """Return each occurrence of an n-gram in prepared texts: the place of the text, and the column."""
        codes = _codes("\n".join(["", *texts, ""]))
        owners = np.repeat(np.arange(len(texts)), [len(text) + 1 for text in texts])
        found = [self._table.find(numbers) for _, numbers in self._numbers(codes)]
        return (
            np.concatenate([owners[positions] for positions, _ in found]),
            np.concatenate([columns for _, columns in found]),
        )

    def _numbers(self, codes: npt.NDArray[np.uint32]) -> Iterator[tuple[int, Keys]]:
        """Give, for each size, the numbers of the n-grams from each position on.

        Those with a space or a line break within are none that is known, as n-grams within words have them only at the
        ends.
        """
        lowest, highest = CHARACTER_SIZES
        digits = self._digits.take(codes, mode="clip")
        numbers = digits
        for size in range(2, highest + 1):
            numbers = numbers[:-1] * self._base + digits[size - 1 :]
            if size >= lowest:
                yield size, numbers


class Table:
    """From numbers, none of them 0, to their columns: a hash table with linear probing, for many numbers at once.

    Parameters
    ----------
    numbers : uint64 array
        All different, in the order of their columns.
    """

    def __init__(self, numbers: Keys) -> None:
        bits = max(8, len(numbers).bit_length() + 2)
        self._shift = np.uint64(64 - bits)
        self._held = np.zeros(2**bits, dtype=np.uint64)
        self._columns = np.zeros(2**bits, dtype=np.int64)
        rest, slots = np.arange(len(numbers)), self._slots(numbers)
        while len(rest):
            free = self._held[slots] == 0
            self._held[slots[free]] = numbers[rest[free]]  # of those that meet, the last takes the slot
            self._columns[slots[free]] = rest[free]
            left = self._held[slots] != numbers[rest]
            rest, slots = rest[left], (slots[left] + 1) % len(self._held)

    def find(self, numbers: Keys) -> tuple[Integers, Integers]:
        """Return the positions of numbers that are in the table, and their columns; 0 is none of them."""
        positions, slots = np.arange(len(numbers)), self._slots(numbers)
        found, columns = [positions[:0]], [positions[:0]]
        while len(positions):
            held = self._held.take(slots)
            here = np.flatnonzero((held == numbers) & (held != 0))
            other = np.flatnonzero((held != numbers) & (held != 0))
            found.append(positions.take(here))
            columns.append(self._columns.take(slots.take(here)))
            positions, numbers, slots = positions.take(other), numbers.take(other), slots.take(other) + 1
            slots %= len(self._held)
        return np.concatenate(found), np.concatenate(columns)

    def _slots(self, numbers: Keys) -> Integers:
        return ((numbers * np.uint64(0x9E3779B97F4A7C15)) >> self._shift).astype(np.int64)  # Fibonacci hashing


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


def _prepared(texts: Sequence[str]) -> list[str]:
    """Write texts plain, in lower case, without accents and line breaks, as scikit-learn's ``strip_accents`` does."""
    joined = plain("\n".join([" ".join(text.split()) for text in texts])).lower()
    if not joined.isascii():
        joined = unicodedata.normalize("NFKD", joined)
        for mark in filter(unicodedata.combining, set(joined)):
            joined = joined.replace(mark, "")
    return joined.split("\n")


def _counted(values: Integers) -> tuple[Integers, Integers]:
    """Return the different values in order, and how often each occurs: `numpy.unique` without what it imports."""
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    firsts = np.flatnonzero(is_first)
    return ordered[firsts], np.diff(firsts, append=len(ordered))


def _codes(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


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
    if max(word.count(" ") for word in words) >= WORD_SIZES[1]:
        raise ValueError("its n-grams have too many words")
    if not all(np.isfinite(array).all() for array in numbers):
        raise ValueError("its weights are not numbers")
    return {**arrays, "words": words, "characters": characters}
