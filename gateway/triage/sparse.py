"""What the words of texts add to the outputs of a model: the rows of many texts, summed in one go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.triage import features
from gateway.triage.arrays import BITS, NONE, Floats, Index, units
from gateway.triage.vocabulary import SUBWORDS, Found, Full, Part, Rows, Vocabulary

SubwordRows = Callable[[Sequence[str], Rows], Floats]
Told = Callable[[str], tuple[int, int, int]]


class Sums(NamedTuple):
    """The sums of many texts, one row each, and what was found of their tokens in which table."""

    rows: Floats
    found: Found
    table: Floats

    @classmethod
    def of(cls, found: Found, table: Floats) -> Sums:
        many = len(found.sizes)
        rows = np.concatenate([*found.rows, _first(found.known[:, SUBWORDS], found.sizes)])
        both = units(table, rows, np.concatenate([*found.texts, found.text_of + many]), 2 * many)
        return cls(both[:many] + both[many:], found, table)

    def of_parts(self, parts: Sequence[Part]) -> Sums:
        """The sums of parts of the texts, as if these were texts themselves."""
        return self.of(self.found.parts(parts), self.table)


class Sparse:
    """The part of words, pairs and sub-words in every output.

    The first `words` rows of `table` hold the words' weights times IDF, the last column the squared IDF
    (arrays.with_length); the others are room for what `subword_rows` makes of the sub-words of words, given
    where these are in the index.
    `told` says what a token tells beside its meaning, and hints at: TELLS, HINTS, PATTERNS of a Vocabulary.
    """

    def __init__(
        self, table: Floats, words: int, index: Index, subword_rows: SubwordRows, told: Told
    ) -> None:
        assert len(table) < 1 << BITS
        self._words = words
        self._parts = (words, index, subword_rows, told)
        self._known = _in(table, *self._parts), table

    @property
    def table(self) -> Floats:
        """The rows of the words."""
        return self._known[1][: self._words]

    def sums(self, texts: Sequence[Sequence[str]]) -> Sums:
        """The sums of many texts."""
        vocabulary, table = self._known
        try:
            found = vocabulary.find(texts)
        except Full:
            # An empty one, in a table of its own: other threads may be reading the full one.
            table = table.copy()
            vocabulary = _in(table, *self._parts)
            self._known = vocabulary, table
            found = vocabulary.find(texts)
        return Sums.of(found, table)


def _in(table: Floats, words: int, index: Index, subword_rows: SubwordRows, told: Told) -> Vocabulary:
    """An empty vocabulary whose sub-words have their rows in this table, after those of the words."""

    def learn(tokens: Sequence[str], first: int, places: Rows) -> NDArray[np.int32]:
        start = words + first
        table[start : start + len(tokens)] = subword_rows(tokens, places)
        return np.array(
            [(row if token[0].isalpha() else NONE, *told(token)) for row, token in enumerate(tokens, start)],
            np.int32,
        ).reshape(-1, 4)

    return Vocabulary(index, learn=learn)


def _first(subwords: NDArray[np.int32], sizes: Sequence[int]) -> NDArray[np.int32]:
    """The rows of sub-words, of a long text those of its first words."""
    end = 0
    for size in sizes:
        end += size
        if size > features.SUBWORD_WORDS:
            here = slice(end - size, end)
            listed = subwords[here].tolist()
            distinct = [row for row in dict.fromkeys(listed) if row != NONE]
            if len(distinct) > features.SUBWORD_WORDS:
                kept = set(distinct[: features.SUBWORD_WORDS])
                subwords[here] = [row if row in kept else NONE for row in listed]
    return subwords
