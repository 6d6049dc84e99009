"""What the words of texts add to the outputs of a model: the rows of many texts, summed in one go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gateway.triage import features
from gateway.triage.arrays import BITS, NONE, Floats, Index, units
from gateway.triage.vocabulary import Full, Numbers, Vocabulary


class Sparse:
    """The part of words, pairs and sub-words in every output.

    The first `words` rows of `table` hold the words' weights times IDF, the last column the squared IDF
    (arrays.with_length); the others are room for what `subword_row` makes of the sub-words of a word.
    """

    def __init__(self, table: Floats, words: int, index: Index, subword_row: Callable[[str], Floats]) -> None:
        assert len(table) <= 1 << BITS
        self._words = words
        self._parts = (words, index, subword_row)
        self._known = _in(table, *self._parts), table

    @property
    def table(self) -> Floats:
        """The rows of the words."""
        return self._known[1][: self._words]

    def parts(self, texts: Sequence[list[str]]) -> Floats:
        """The sums of many texts, one row each."""
        vocabulary, table = self._known
        try:
            found = vocabulary.find(texts)
        except Full:
            # An empty one, in a table of its own: other threads may be reading the full one.
            table = table.copy()
            vocabulary = _in(table, *self._parts)
            self._known = vocabulary, table
            found = vocabulary.find(texts)
        rows = np.concatenate([found.rows, _first(found.others, found.sizes)])
        sums_of = np.concatenate([found.texts * 2, found.texts_of_others * 2 + 1])
        both = units(table, rows, sums_of, 2 * len(texts))
        total: Floats = both[0::2] + both[1::2]
        return total


def _in(table: Floats, words: int, index: Index, subword_row: Callable[[str], Floats]) -> Vocabulary:
    """An empty vocabulary whose sub-words have their rows in this table, after those of the words."""

    def learn(token: str, number: int) -> int:
        if not token[0].isalpha():
            return NONE
        table[words + number] = subword_row(token)
        return words + number

    return Vocabulary(index, learn=learn)


def _first(subwords: Numbers, sizes: Numbers) -> Numbers:
    """The rows of sub-words, of a long text those of its first words."""
    for text in np.flatnonzero(sizes > features.SUBWORD_WORDS).tolist():
        end = int(sizes[: text + 1].sum())
        here = slice(end - int(sizes[text]), end)
        listed = subwords[here].tolist()
        distinct = [row for row in dict.fromkeys(listed) if row != NONE]
        if len(distinct) > features.SUBWORD_WORDS:
            kept = set(distinct[: features.SUBWORD_WORDS])
            subwords[here] = [row if row in kept else NONE for row in listed]
    return subwords
