"""What arithmetic on many texts finds is what a search for every name of theirs finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.triage.arrays import NONE, Index, units
from gateway.triage.features import key, word_keys, word_names
from gateway.triage.text import read
from gateway.triage.vocabulary import Vocabulary

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
        found = vocabulary.find(texts)
        for number, tokens in enumerate(texts):
            rows = set(found.rows[found.texts == number].tolist()) - {NONE}
            assert rows == set(index.rows({key(part + name) for name in word_names(tokens)}).tolist())


def test_of_each_token_something_else_may_be_known() -> None:
    """It is asked for once, and is found by token, with nothing for the start of a text."""
    asked: list[str] = []

    def learn(token: str, number: int) -> int:
        asked.append(token)
        return number if token.isalpha() else NONE

    vocabulary = Vocabulary(Index(np.zeros(1, np.uint32)), learn=learn)
    first = vocabulary.find([["a", "b"], [], ["b", "."]])
    again = vocabulary.find([["b"], ["a"]])

    assert sorted(asked) == [".", "^", "a", "b"]
    a, b = first.others[1:3].tolist()
    assert a != b
    assert first.others.tolist() == [NONE, a, b, NONE, NONE, b, NONE]
    assert again.others.tolist() == [NONE, b, NONE, a]
    assert first.texts_of_others.tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert first.sizes.tolist() == [3, 1, 3]


def test_sums_are_of_distinct_rows_and_of_length_one() -> None:
    table = np.array([[1, 0, 1], [0, 2, 4], [3, 3, 9]], np.float32)
    sums = units(table, np.array([0, 1, 1, NONE, 2]), np.array([2, 2, 2, 0, 3]), 5)

    expected = np.array([[0, 0], [0, 0], [1, 2], [3, 3], [0, 0]]) / np.sqrt([[1], [1], [5], [9], [1]])
    assert sums == pytest.approx(expected)


def test_keys_of_a_text_are_those_of_its_names() -> None:
    tokens = read("the app doesn't work. not good!").tokens
    assert word_keys(tokens) == {key(name) for name in word_names(tokens)}
