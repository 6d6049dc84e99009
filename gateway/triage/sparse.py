"""What the words of a text add to the outputs of a model: looked up once, remembered, summed in one go.

Texts repeat words, and often pairs of words. One met before costs a look into a dictionary, a new one a
checksum and its share of one search in the sorted keys. The dictionaries are filled without locks: threads
may compute the same thing twice, and never see half of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import chain, count
from typing import Any

import numpy as np

from gateway.triage import features
from gateway.triage.arrays import Floats, Index, unit

CACHED_NAMES = 60_000
CACHED_WORDS = 20_000
NONE = -1  # the place of what is not in the table
Name = str | tuple[str, str]


class Places:
    """Where the words, pairs and negated words of a text are in a table; `part` is put before their names."""

    def __init__(self, index: Index, part: str = "") -> None:
        self._index = index
        self._part = part
        self._known: dict[Name, int] = {".": NONE}  # stops are no words

    def of(self, tokens: list[str]) -> set[int]:
        """The places of `features.word_names(tokens)`, of those that are in the table."""
        find = self._known.get
        pairs: list[Name] = [*zip((features.START, *tokens), tokens, strict=False)]
        places: set[Any] = {*map(find, tokens), *map(find, pairs)}
        negated: list[str] = []
        if not features.NEGATIONS.isdisjoint(tokens) or "n't" in " ".join(tokens):
            negated.extend(features.negated_names(tokens))
            places.update(map(find, negated))
        if None in places:
            places.remove(None)
            places.update(self._learn([name for name in {*pairs, *tokens, *negated} if find(name) is None]))
        places.discard(NONE)
        return places

    def _learn(self, new: list[Name]) -> list[int]:
        """The places of names that are not known yet."""
        if len(self._known) > CACHED_NAMES:
            self._known = {".": NONE}
        part = self._part
        found = self._index.places(
            [features.key(part + (name if isinstance(name, str) else f"{name[0]} {name[1]}")) for name in new]
        )
        self._known.update(zip(new, found, strict=True))
        return found


class _Rows:
    """One table of rows: those of the words, then those of the sub-words of words met so far."""

    def __init__(self, table: Floats, words: int) -> None:
        self.table = table
        self.slots: dict[str, int] = {}
        self._next = count(words)

    def add(self, word: str, row: Floats) -> int:
        """The new place of `row`; IndexError when the table is full."""
        slot = next(self._next)  # atomic, so two threads never share a slot
        self.table[slot] = row
        self.slots[word] = slot
        return slot


class Sparse:
    """The part of words, pairs and sub-words in every output.

    The first `words` rows of `table` hold the words' weights times IDF, the last column the squared IDF
    (arrays.with_length); the others are room for what `subword_row` makes of the sub-words of a word.
    """

    def __init__(self, table: Floats, words: int, index: Index, subword_row: Callable[[str], Floats]) -> None:
        self._words = words
        self._index = index
        self._subword_row = subword_row
        self._rows = _Rows(table, words)
        self.places = Places(index)

    @property
    def table(self) -> Floats:
        """The rows of the words."""
        return self._rows.table[: self._words]

    def part(self, tokens: list[str]) -> Floats:
        """The sum of one text."""
        rows = self._rows
        try:
            words, subwords = self._found(tokens, rows)
        except IndexError:
            rows = self._renewed()
            words, subwords = self._found(tokens, rows)
        places = np.fromiter(chain(words, subwords), np.intp, len(words) + len(subwords))
        found = rows.table.take(places, axis=0)
        return unit(found[: len(words)]) + unit(found[len(words) :])

    def parts(self, texts: Sequence[list[str]]) -> Floats:
        """The sums of many texts, one row each."""
        rows = self._rows
        try:
            found = [part for tokens in texts for part in self._found(tokens, rows)]
        except IndexError:
            rows = self._renewed()
            found = [part for tokens in texts for part in self._found(tokens, rows)]
        lengths = np.fromiter(map(len, found), np.intp, len(found))
        places = np.fromiter(chain.from_iterable(found), np.intp, int(lengths.sum()))
        sums = np.zeros((len(found), rows.table.shape[1]), np.float32)
        filled = lengths > 0  # reduceat gives a row even for a sum of nothing
        if len(places):
            starts = (lengths.cumsum() - lengths)[filled]
            sums[filled] = np.add.reduceat(rows.table.take(places, axis=0), starts, axis=0)
        lengths_of_sums: Floats = np.sqrt(np.maximum(sums[:, -1:], np.float32(1e-30)))
        units: Floats = sums[:, :-1] / lengths_of_sums
        total: Floats = units[0::2] + units[1::2]
        return total

    def _found(self, tokens: list[str], rows: _Rows) -> tuple[Collection[int], Collection[int]]:
        """The rows of the words and of the sub-words of one text; IndexError when the table is full."""
        find = rows.slots.get
        subwords: set[Any] = set(map(find, tokens))
        if None in subwords:
            self._learn_words(tokens, rows)
            subwords = set(map(find, tokens))
        subwords.discard(NONE)
        words = self.places.of(tokens)
        if len(subwords) > features.SUBWORD_WORDS:  # of a long text the first ones
            ordered: list[Any] = list(dict.fromkeys(map(find, tokens)))
            return words, [place for place in ordered if place in subwords][: features.SUBWORD_WORDS]
        return words, subwords

    def _learn_words(self, tokens: list[str], rows: _Rows) -> None:
        if len(rows.slots) > 2 * CACHED_WORDS:  # of marks, which take no row
            raise IndexError
        for token in tokens:
            if token not in rows.slots:
                if token[0].isalpha():
                    rows.add(token, self._subword_row(token))
                else:
                    rows.slots[token] = NONE

    def _renewed(self) -> _Rows:
        """An empty cache, in a table of its own: other threads may be reading the full one."""
        self._rows = _Rows(self._rows.table.copy(), self._words)
        return self._rows
