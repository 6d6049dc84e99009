"""Where the words, pairs and negated words of many texts are in a table of weights.

A token met before is a number, and what is known of it stands in arrays under that number, so that all
texts are looked up at once. The key of a pair is the checksum of its name, which goes on from the
checksum of its first word: no name is put together for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from gateway.triage import features
from gateway.triage.arrays import NONE, Index

ROOM = 32_000  # tokens known at a time; more than those of texts looked up together

Numbers = NDArray[np.intp]


class Full(Exception):
    """There is no room for so many new tokens."""


class Found(NamedTuple):
    """Rows of words, pairs and negated words, and the text of each; `others`, too, are rows, one a token.

    A row may come several times in a text, and NONE stands for a name that is not in the table. A text
    has one token more than it has words: its START.
    """

    rows: Numbers
    texts: Numbers
    others: Numbers
    texts_of_others: Numbers
    sizes: Numbers


class Vocabulary:
    """The tokens met so far, each with a number. Safe for threads."""

    def __init__(
        self, index: Index, part: str = "", learn: Callable[[str, int], int] = lambda token, number: NONE
    ) -> None:
        """`part` stands before the names in the index; `learn` says which other row a new token has."""
        self._index = index
        self._part = part
        self._learn_other = learn
        self._lock = threading.Lock()
        self._negates, self._stops = np.zeros(ROOM, bool), np.zeros(ROOM, bool)
        self._place, self._negated, self._other = (np.full(ROOM, NONE, np.intp) for _ in range(3))
        self._known: dict[str, tuple[int, int, bytes]] = {}  # number, key, and how its name ends a pair's
        self._learn([features.START, "."])
        self._place[:2] = NONE  # where a text starts, and stops, are no words
        self._stops[:2] = True

    def find(self, texts: Sequence[list[str]]) -> Found:
        """What is known of the tokens of texts, and where their `features.word_names` are. Raises Full."""
        tokens = list(chain.from_iterable(chain((features.START,), tokens) for tokens in texts))
        listed, keys, ends = zip(*self._look_up(tokens), strict=True)
        numbers = np.array(listed, np.intp)
        pairs = self._index.find(
            np.fromiter(map(crc32, islice(ends, 1, None), keys), np.uint32, len(keys) - 1)
        )
        pairs[numbers[1:] == 0] = NONE  # no pair of words, but the start of the next text
        sizes = np.fromiter(map(len, texts), np.intp, len(texts)) + 1
        text_of = np.arange(len(texts)).repeat(sizes)
        rows, texts_of_rows = [self._place[numbers], pairs], [text_of, text_of[1:]]
        reached = self._negates[numbers]
        if reached.any():
            negated = self._negated_from(numbers, reached)
            rows.append(self._negated[numbers[negated]])
            texts_of_rows.append(text_of[negated])
        return Found(
            np.concatenate(rows), np.concatenate(texts_of_rows), self._other[numbers], text_of, sizes
        )

    def _look_up(self, tokens: list[str]) -> list[Any]:
        found: list[Any] = list(map(self._known.get, tokens))
        if None in found:
            self._learn(list(dict.fromkeys(tokens)))
            found = list(map(self._known.__getitem__, tokens))
        return found

    def _negated_from(self, numbers: Numbers, reached: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which tokens a negation reaches, given where there are any: the next few, up to a stop."""
        goes_on, negated = ~self._stops[numbers[1:]], np.zeros(len(numbers), bool)
        for _ in range(features.NEGATION_SPAN):
            reached[1:] = reached[:-1] & goes_on
            reached[0] = False
            negated |= reached
        return negated

    def _key(self, name: str) -> int:
        return features.key(self._part + name)

    def _learn(self, new: list[str]) -> None:
        with self._lock:
            first = len(self._known)
            new = [token for token in new if token not in self._known]
            if first + len(new) > ROOM:
                raise Full
            here = slice(first, first + len(new))
            keys, ends = [self._key(token) for token in new], [features.encoded(f" {token}") for token in new]
            negated = [self._key(f"not_{token}") for token in new]
            self._place[here] = self._index.find(np.array(keys, np.uint32))
            self._negated[here] = self._index.find(np.array(negated, np.uint32))
            self._negates[here] = list(map(features.is_negation, new))
            self._other[here] = [self._learn_other(token, first + n) for n, token in enumerate(new)]
            known = zip(range(first, ROOM), keys, ends, strict=False)
            self._known.update(zip(new, known, strict=False))  # last: now they are known
