"""What the parts of words add to the outputs of a model: for unknown, misspelt and compound words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.triage import features
from gateway.triage.arrays import NONE, Floats, Index


class Subwords:
    """The character n-grams of words, weighed by how rare the words are.

    Apart from the model, which would else be part of a circle and stay in memory when it is replaced.
    """

    def __init__(self, weights: Floats, index: Index, words: Index, idf: Floats) -> None:
        self._weights, self._index = weights, index
        self._words, self._idf = words, idf
        self._unknown_idf = float(idf.max())

    def rarity(self, word: str) -> tuple[float, bool]:
        """The IDF of a word as a share of the highest, and whether it is known."""
        place = int(self._words.find(np.array([features.key(word)], np.uint32))[0])
        if place == NONE:
            return 1.0, False
        return float(self._idf[place]) / self._unknown_idf, True

    def row(self, word: str) -> Floats:
        """The part of a word's character n-grams in every output, and beside it its squared IDF."""
        row: Floats = self.rows([word], self._words.find(np.array([features.key(word)], np.uint32)))[0]
        return row

    def rows(self, words: Sequence[str], places: NDArray[Any]) -> Floats:
        """The row of each word, of which `places` are the rows among the words."""
        names = list(map(features.subwords, words))
        keys = np.array(list(map(features.subword_key, chain.from_iterable(names))), np.uint32)
        found = iter(self._index.find(keys).tolist())
        rows = np.zeros((len(words), self._weights.shape[1] + 1), np.float32)
        for row, place, size in zip(rows, places.tolist(), map(len, names), strict=True):
            idf = self._unknown_idf if place == NONE else float(self._idf[place])
            row[-1] = idf * idf
            mine = sorted(one for one in islice(found, size) if one != NONE)
            if mine:
                row[:-1] = self._weights.take(mine, axis=0).sum(axis=0) * (idf / math.sqrt(len(mine)))
        return rows
