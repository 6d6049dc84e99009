"""What the parts of words add to the outputs of a model: for unknown, misspelt and compound words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

import numpy as np

from gateway.triage import features
from gateway.triage.arrays import NONE, Floats, Index
from gateway.triage.vocabulary import Numbers


class Subwords:
    """The character n-grams of words, weighed by how rare the words are.

    Apart from the model, which would else be part of a circle and stay in memory when it is replaced.
    """

    def __init__(self, weights: Floats, index: Index, words: Index, idf: Floats) -> None:
        self._weights, self._index = weights, index
        self._words, self._idf = words, idf
        self._unknown_idf = float(idf.max())

    def row(self, word: str) -> Floats:
        """The part of a word's character n-grams in every output, and beside it its squared IDF."""
        row: Floats = self.rows([word], self._words.find(np.array([features.key(word)], np.uint32)))[0]
        return row

    def rows(self, words: Sequence[str], places: Numbers) -> Floats:
        """The row of each word, of which `places` are the rows among the words."""
        idf = np.where(places == NONE, self._unknown_idf, self._idf.take(places, mode="clip").astype(float))
        rows = np.zeros((len(words), self._weights.shape[1] + 1), np.float32)
        rows[:, -1] = idf * idf
        keys = [[features.subword_key(name) for name in features.subwords(word)] for word in words]
        found = self._index.find(np.fromiter(chain.from_iterable(keys), np.uint32))
        of = np.arange(len(words)).repeat(list(map(len, keys)))[found != NONE]
        found = found[found != NONE]
        weights = self._weights.take(found[np.lexsort((found, of))], axis=0)
        ends = of.searchsorted(np.arange(len(words)), side="right").tolist()
        for row, weight, start, end in zip(rows, idf.tolist(), [0, *ends], ends, strict=False):
            if start < end:
                row[:-1] = weights[start:end].sum(axis=0) * (weight / math.sqrt(end - start))
        return rows
