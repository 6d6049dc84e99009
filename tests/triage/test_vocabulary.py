"""What arithmetic on many texts finds is what a search for every name of theirs finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.triage.arrays import NONE, Index, units
from gateway.triage.features import key, subword_key, subwords, word_keys, word_names
from gateway.triage.subwords import Subwords
from gateway.triage.tokenizer import read
from gateway.triage.vocabulary import SUBWORDS, Found, Rows, Vocabulary

WORDS = st.sampled_from(
    ["the", "app", "not", "don't", ".", "niet", "!?", "0", "xxsmile", ":)", "ß", "登录", "é"]
)
TEXTS = st.lists(st.lists(WORDS | st.just("x" * 300), max_size=12), min_size=1, max_size=5)


@pytest.mark.parametrize("part", ["", "t:"])
@given(texts=TEXTS, kept=st.integers(1, 3))
def test_rows_are_those_of_the_names(part: str, texts: list[list[str]], kept: int) -> None:
    """Of an index that has every first, second or third of the names; the second time nothing is new."""
    names = sorted({part + name for tokens in texts for name in word_names(tokens)})
    index = Index(np.unique(np.array([key(name) for name in names[::kept]], np.uint32)))
    vocabulary = Vocabulary(index, part)
    for _ in range(2):
        for tokens, rows in zip(texts, rows_of(vocabulary.find(texts)), strict=True):
            assert rows == set(index.rows({key(part + name) for name in word_names(tokens)}).tolist())


def rows_of(found: Found) -> list[set[int]]:
    """The rows that are found of each text."""
    rows, texts = np.concatenate(found.rows), np.concatenate(found.texts)
    return [set(rows[texts == number].tolist()) - {NONE} for number in range(len(found.sizes))]


@given(texts=st.lists(st.lists(WORDS, min_size=2, max_size=12), min_size=1, max_size=4), data=st.data())
def test_parts_of_texts_are_found_as_texts_are(texts: list[list[str]], data: st.DataObject) -> None:
    """Whatever of a text is a part, and of however many texts: what is known of it is what a search finds."""
    names = sorted({name for tokens in texts for name in [*word_names(tokens), *tokens]})
    starts = [f"^ {token}" for tokens in texts for token in tokens[::2]]
    index = Index(np.unique(np.array([key(name) for name in [*names, *starts]], np.uint32)))

    def learn(tokens: Sequence[str], first: int, places: Rows) -> NDArray[np.int32]:
        return np.array([(first + n, first + n & 3, n & 1, 4) for n in range(len(tokens))], np.int32).reshape(
            -1, 4
        )

    vocabulary = Vocabulary(index, learn=learn)
    parts = []
    for _ in range(data.draw(st.integers(1, 5))):
        of = data.draw(st.integers(0, len(texts) - 1))
        start = data.draw(st.integers(0, len(texts[of]) - 1))
        parts.append((of, slice(start, data.draw(st.integers(start + 1, len(texts[of]))))))
    found = vocabulary.find(texts).parts(parts)
    alone = vocabulary.find([texts[of][part] for of, part in parts])

    assert rows_of(found) == rows_of(alone)
    assert (found.known == alone.known).all()
    assert (found.sizes, found.hints()) == (alone.sizes, alone.hints())
    languages = [number % 2 for number in range(len(parts))]
    assert found.telling(languages) == alone.telling(languages)


@given(
    kept=st.lists(st.integers(0, 2**32 - 1), max_size=60),
    more=st.lists(st.integers(0, 2**32 - 1), max_size=20),
)
def test_an_index_finds_the_keys_it_has(kept: list[int], more: list[int]) -> None:
    """Whether far apart, next to each other, the lowest or the highest; and no others."""
    near = [key + step for key in kept[:5] for step in range(4)]
    keys = np.array(sorted({key for key in [*kept, *near] if key < 2**32}), np.uint32)
    index, rows = Index(keys), {int(key): row for row, key in enumerate(keys)}
    asked = [*rows, *more, *(key - 1 for key in rows if key), 0, 2**32 - 1]
    found = index.find(np.array(asked, np.uint32))
    assert found.tolist() == [rows.get(key, NONE) for key in asked]


def test_of_each_token_more_may_be_known() -> None:
    """It is asked for once, and is found by token, with nothing for the start of a text."""
    asked: list[str] = []

    def learn(tokens: Sequence[str], first: int, places: Rows) -> NDArray[np.int32]:
        asked.extend(tokens)
        return np.array([(first + n, first, 8 * n, 4) for n in range(len(tokens))], np.int32)

    vocabulary = Vocabulary(Index(np.zeros(1, np.uint32)), learn=learn)
    first = vocabulary.find([["a", "b"], [], ["b", "."]])
    again = vocabulary.find([["b"], ["a"]])

    assert sorted(asked) == [".", "^", "a", "b"]
    start, stop, a, b = 0, 1, 2, 3
    assert first.known[:, SUBWORDS].tolist() == [start, a, b, start, start, b, stop]
    assert again.known[:, SUBWORDS].tolist() == [start, b, start, a]
    assert first.text_of.tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert first.sizes == [3, 1, 3]
    assert first.telling([1, 1, 1]) == [[0, 1], [], [0]]
    assert first.telling([1, 1, 0]) == [[0, 1], [], []]
    assert first.hints() == [([(1, 8)], 4), ([], 4), ([(0, 8), (1, 8)], 4)]


def test_sums_are_of_distinct_rows_and_of_length_one() -> None:
    table = np.array([[1, 0, 1], [0, 2, 4], [3, 3, 9]], np.float32)
    sums = units(table, np.array([0, 1, 1, NONE, 2]), np.array([2, 2, 2, 0, 3]), 5)

    expected = np.array([[0, 0], [0, 0], [1, 2], [3, 3], [0, 0]]) / np.sqrt([[1], [1], [5], [9], [1]])
    assert sums == pytest.approx(expected)


def test_keys_of_a_text_are_those_of_its_names() -> None:
    tokens = read("the app doesn't work. not good!").tokens
    assert word_keys(tokens) == {key(name) for name in word_names(tokens)}


def test_words_learnt_together_have_the_rows_of_each_alone() -> None:
    words = ["knop", "knopje", "!", "xxurl", "zzz", "don't"]
    names = sorted({subword_key(name) for word in words[:2] for name in subwords(word)})
    weights = np.arange(3.0 * len(names), dtype=np.float32).reshape(-1, 3)
    index = Index(np.unique(np.array([key(word) for word in words[::2]], np.uint32)))
    made = Subwords(weights, Index(np.array(names, np.uint32)), index, np.array([1, 2, 3], np.float32))
    places = index.find(np.array([key(word) for word in words], np.uint32))

    together = made.rows(words, places)

    assert together.tolist() == [made.row(word).tolist() for word in words]
    assert (together[:2, :-1] > 0).all()
    assert (together[2:, :-1] == 0).all()
    idf = np.where(places == NONE, 3, places + 1)
    assert together[:, -1].tolist() == (idf * idf).tolist()
