"""N-grams of words and of characters, found in many texts at once without making strings of them.

Texts become an array of code points, and n-grams numbers that are computed from it and looked up in a hash table, so
that all work is numpy's. What is found are the n-grams that scikit-learn's ``TfidfVectorizer`` finds with ``analyzer``
``word`` and ``char_wb``, ``lowercase`` and ``strip_accents="unicode"``.
"""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

WORD_SIZES = (1, 2)  # how many words an n-gram of words has, at least and at most
CHARACTER_SIZES = (3, 6)

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.uint32]

BORDER, SPACE = np.uint32(ord("\n")), np.uint32(ord(" "))  # between texts, and between words
_UNSEEN, _WORD, _SPACE, _MARK, _OTHER = range(5)
_kinds = np.zeros(0x110000, dtype=np.uint8)  # of characters, by their code; looked up when they are first met


def read_texts(texts: Sequence[str]) -> Codes:
    """Return the code points of texts in lower case and without accents, with borders before, between and after them.

    Any white space becomes a space; several in a row stay, since no n-gram holds two.
    """
    joined = "\n".join([text.replace("\n", " ") for text in texts]).lower()
    if not joined.isascii():
        joined = unicodedata.normalize("NFKD", joined)
    codes = _codes(f"\n{joined}\n")
    kinds = _kinds_of(codes)
    codes = np.where((kinds == _SPACE) & (codes != BORDER), SPACE, codes)
    kept: Codes = codes[kinds != _MARK]
    return kept


def text_places(codes: Codes) -> Integers:
    """Return for each code point the place of its text; a border belongs to the text after it."""
    return np.cumsum(codes == BORDER) - 1


class WordGrams:
    """Finds single words and pairs of words.

    A word is two or more letters, digits or underscores in a row. Its number is a polynomial of its characters modulo
    2**64; a word of no n-gram has the number of one with a probability of about 1e-14.

    Parameters
    ----------
    terms : sequence of str
        The n-grams in the order of their columns.

    Raises
    ------
    ValueError
        If an n-gram has more than two words.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        self.terms = terms
        codes, firsts, lasts = _listed(terms)
        spaces = np.flatnonzero(codes == SPACE)
        pairs = np.searchsorted(firsts, spaces, side="right") - 1
        if (pairs[1:] == pairs[:-1]).any():
            raise ValueError("an n-gram has more than two words")
        seconds = firsts.copy()
        seconds[pairs] = spaces + 1
        hashes = _Hashes(codes)
        found = hashes.of(seconds, lasts)
        found[pairs] = _paired(hashes.of(firsts[pairs], spaces), found[pairs])
        self._table = Table(found)

    def find(self, codes: Codes, places: Integers) -> tuple[Integers, Integers, Integers]:
        """Return each occurrence of an n-gram: where its first and its last word start, and the column.

        Both words of a pair are of the same place, which `places` tells of each code point.
        """
        inside = _kinds_of(codes) == _WORD
        edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1  # the first code point and the last are borders
        starts, ends = edges[::2], edges[1::2]
        long = ends - starts > 1
        starts, ends = starts[long], ends[long]
        numbers = _Hashes(codes).of(starts, ends)
        places = places[starts]
        pairs = np.where(places[1:] == places[:-1], _paired(numbers[:-1], numbers[1:]), np.uint64(0))
        single, single_columns = self._table.find(numbers)
        pair, pair_columns = self._table.find(pairs)
        return (
            starts[np.concatenate([single, pair])],
            starts[np.concatenate([single, pair + 1])],
            np.concatenate([single_columns, pair_columns]),
        )


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
        codes, starts, ends = _listed(terms)
        alphabet = np.flatnonzero(np.bincount(codes, minlength=SPACE + 1))
        self._base = np.uint64(len(alphabet) + 2)
        # No digit is 0, so that n-grams of different sizes are different numbers; the last is of all other characters.
        self._digits = np.full(int(alphabet[-1]) + 2, self._base - np.uint64(1), dtype=np.uint64)
        self._digits[alphabet] = np.arange(1, len(alphabet) + 1)
        self._digits[BORDER] = self._digits[SPACE]
        numbers = np.zeros(len(terms), dtype=np.uint64)  # as `_numbers` has them, but only from where terms start
        for place in range(CHARACTER_SIZES[1]):
            longer = np.flatnonzero(ends - starts > place)
            numbers[longer] = numbers[longer] * self._base + self._digits[codes[starts[longer] + place]]
        self._table = Table(numbers)

    def find(self, codes: Codes) -> tuple[Integers, Integers]:
        """Return each occurrence of an n-gram: where it starts, and the column."""
        found = [self._table.find(numbers) for numbers in self._numbers(codes)]
        return np.concatenate([starts for starts, _ in found]), np.concatenate([columns for _, columns in found])

    def _numbers(self, codes: Codes) -> Iterator[Numbers]:
        """Give, for each size, the numbers of the n-grams from each position on.

        Those with a space or a border within are none that is known, as n-grams within words have them only at the
        ends.
        """
        lowest, highest = CHARACTER_SIZES
        digits = self._digits.take(codes, mode="clip")
        numbers = digits
        for size in range(2, highest + 1):
            numbers = numbers[:-1] * self._base + digits[size - 1 :]
            if size >= lowest:
                yield numbers


class Table:
    """From numbers, none of them 0, to their columns: a hash table with linear probing, for many numbers at once.

    Parameters
    ----------
    numbers : uint64 array
        All different, in the order of their columns.
    """

    def __init__(self, numbers: Numbers) -> None:
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

    def find(self, numbers: Numbers) -> tuple[Integers, Integers]:
        """Return the positions of numbers that are in the table, and their columns; 0 is none of them."""
        positions, slots = np.arange(len(numbers)), self._slots(numbers)
        found, columns = [positions[:0]], [positions[:0]]
        while len(positions):
            held = self._held.take(slots)
            full = held != 0
            same = held == numbers
            here = np.flatnonzero(same & full)
            found.append(positions.take(here))
            columns.append(self._columns.take(slots.take(here)))
            other = np.flatnonzero(full & ~same)
            positions, numbers, slots = positions.take(other), numbers.take(other), slots.take(other) + 1
            slots %= len(self._held)
        return np.concatenate(found), np.concatenate(columns)

    def _slots(self, numbers: Numbers) -> Integers:
        return ((numbers * np.uint64(0x9E3779B97F4A7C15)) >> self._shift).astype(np.int64)  # Fibonacci hashing


class _Hashes:
    """Hashes of any stretch of code points: polynomials modulo 2**64, from sums over all that stands before."""

    _base = 0xD1342543DE82EF95  # any large odd number
    _inverse = pow(_base, -1, 2**64)

    def __init__(self, codes: Codes) -> None:
        self._powers_back = _powers(self._inverse, len(codes) + 1)
        sums = np.cumsum(codes * _powers(self._base, len(codes)), dtype=np.uint64)
        self._sums = np.concatenate([np.zeros(1, dtype=np.uint64), sums])

    def of(self, starts: Integers, ends: Integers) -> Numbers:
        hashes: Numbers = (self._sums[ends] - self._sums[starts]) * self._powers_back[starts]
        return hashes


def _powers(base: int, count: int) -> Numbers:
    powers = np.full(count, base, dtype=np.uint64)
    powers[:1] = 1
    return np.cumprod(powers, dtype=np.uint64)


def _paired(firsts: Numbers, seconds: Numbers) -> Numbers:
    return firsts * np.uint64(0xA0761D6478BD642F) + seconds  # by any large odd number, so that the order counts


def _kinds_of(codes: Codes) -> npt.NDArray[np.uint8]:
    kinds = _kinds.take(codes)
    if not kinds.all():
        for code in set(codes[kinds == _UNSEEN].tolist()):
            _kinds[code] = _kind(chr(code))
        kinds = _kinds.take(codes)
    return kinds


def _kind(character: str) -> int:
    if unicodedata.combining(character):
        return _MARK
    if character.isalnum() or character == "_":  # what ``\w`` matches
        return _WORD
    return _SPACE if character.isspace() else _OTHER


def _listed(terms: Sequence[str]) -> tuple[Codes, Integers, Integers]:
    """Return the code points of all terms, a border between them, and where each starts and ends."""
    codes = _codes("\n".join(terms))
    borders = np.flatnonzero(codes == BORDER)
    return codes, np.concatenate([[0], borders + 1]), np.append(borders, len(codes))


def _codes(text: str) -> Codes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
