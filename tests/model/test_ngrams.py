from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from veilleur.model.ngrams import (
    CHARACTER_SIZES,
    WORD_SIZES,
    CharacterGrams,
    Table,
    WordGrams,
    read_texts,
    text_places,
)

TEXTS = st.lists(st.text(st.sampled_from("aàÀbœﬁİ_9 \n\t\u00a0\u0301´-'.🚒")), min_size=1, max_size=4)


def counted(columns: np.ndarray, places: np.ndarray, terms: Sequence[str]) -> Counter[tuple[int, str]]:
    return Counter((place, terms[column]) for place, column in zip(places.tolist(), columns.tolist(), strict=True))


def counted_by_scikit_learn(texts: Sequence[str], **settings: object) -> Counter[tuple[int, str]]:
    analyse = CountVectorizer(strip_accents="unicode", **settings).build_analyzer()
    return Counter((place, term) for place, text in enumerate(texts) for term in analyse(text))


def different(found: Counter[tuple[int, str]]) -> list[str]:
    return sorted({term for _, term in found}) or ["none"]


@given(texts=TEXTS)
@example(texts=["Œdème à l’hôpital", "à l’hôpital  œdème\nœdème", "", "ab"])
def test_words_and_pairs_are_those_of_scikit_learn(texts: list[str]) -> None:
    expected = counted_by_scikit_learn(texts, ngram_range=WORD_SIZES)
    grams, codes = WordGrams(different(expected)), read_texts(texts)
    places = text_places(codes)
    firsts, lasts, columns = grams.find(codes, places)
    assert counted(columns, places[firsts], grams.terms) == expected
    assert (places[lasts] == places[firsts]).all()


@given(texts=TEXTS)
@example(texts=["Œdème à l’hôpital", "à l’hôpital  œdème\nœdème", "", "ab"])
def test_characters_within_words_are_those_of_scikit_learn(texts: list[str]) -> None:
    expected = counted_by_scikit_learn(texts, analyzer="char_wb", ngram_range=CHARACTER_SIZES)
    # An n-gram of fewer characters is a whole word of one or no letter, which the baseline does not learn.
    expected = Counter({(place, term): count for (place, term), count in expected.items() if len(term) > 2})
    grams, codes = CharacterGrams(different(expected)), read_texts(texts)
    starts, columns = grams.find(codes)
    assert counted(columns, text_places(codes)[starts], grams.terms) == expected


def test_the_order_of_a_pair_counts() -> None:
    grams, codes = WordGrams(["port ami", "ami port", "ami"]), read_texts(["ami port", "port"])
    firsts, lasts, columns = grams.find(codes, text_places(codes))
    assert sorted(zip(columns.tolist(), firsts.tolist(), lasts.tolist(), strict=True)) == [(1, 1, 5), (2, 1, 1)]


@given(st.sets(st.integers(1, 2**64 - 1)), st.lists(st.integers(0, 2**64 - 1)))
def test_a_table_finds_what_it_holds_and_nothing_else(held: set[int], others: list[int]) -> None:
    numbers = np.array(sorted(held), dtype=np.uint64)
    asked = np.array([*sorted(held), *others], dtype=np.uint64)
    positions, columns = Table(numbers).find(asked)
    expected = [(place, number) for place, number in enumerate(asked.tolist()) if number in held]
    assert sorted((place, int(numbers[column])) for place, column in zip(positions, columns, strict=True)) == expected
