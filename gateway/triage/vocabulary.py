"""Where the words, pairs and negated words of many texts are in a table of weights.

A token met before is a number, and what is known of it stands in arrays under that number. The rest is
arithmetic on the numbers of all texts at once: the key of a pair is the checksum of its name, and a
checksum of two parts is made of those of the parts (zlib's crc32_combine):

    crc32(x + y) = shift(crc32(x), len(y)) ^ crc32(y)

where `shift` is linear over bits, so that a table by length and byte gives it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from gateway.triage import features
from gateway.triage.arrays import NONE, Index

ROOM = 32_000  # tokens known at a time; more than those of texts looked up together
LONGEST = 31  # bytes of a word in a pair, beyond which its key is not combined but made

Numbers = NDArray[np.intp]
Keys = NDArray[np.uint32]


class Full(Exception):
    """There is no room for so many new tokens."""


def _shifts() -> Keys:
    """By length, byte of a checksum and value of that byte: what `shift` makes of it. One after the other."""
    step = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        step = np.where(step & 1, (step >> 1) ^ np.uint32(0xEDB88320), step >> 1).astype(np.uint32)
    rows = [(np.arange(256, dtype=np.uint32) << np.uint32(8 * byte)) for byte in range(4)]
    shifted = np.stack(rows)
    tables = [shifted]
    for _ in range(LONGEST + 1):
        shifted = (shifted >> np.uint32(8)) ^ step[shifted & 255]
        tables.append(shifted)
    return np.stack(tables).ravel()


_SHIFTS = _shifts()


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
        self._head, self._tail = np.zeros(ROOM, np.uint32), np.zeros(ROOM, np.uint32)
        self._length = np.zeros(ROOM, np.intp)  # of a blank and the token, 0 for long ones
        self._negates, self._stops = np.zeros(ROOM, bool), np.zeros(ROOM, bool)
        self._place, self._negated, self._other = (np.full(ROOM, NONE, np.intp) for _ in range(3))
        self._numbers: dict[str, int] = {}
        self._learn([features.START, "."])
        self._place[:2] = NONE  # where a text starts, and stops, are no words
        self._stops[:2] = True

    def find(self, texts: Sequence[list[str]]) -> Found:
        """What is known of the tokens of texts, and where their `features.word_names` are. Raises Full."""
        sizes = np.fromiter(map(len, texts), np.intp, len(texts)) + 1
        tokens = list(chain.from_iterable(chain((features.START,), tokens) for tokens in texts))
        numbers = self._numbers_of(tokens)
        text_of = np.repeat(np.arange(len(texts)), sizes)
        rows, texts_of_rows = [self._place[numbers], self._pairs(tokens, numbers)], [text_of, text_of[1:]]
        if (reached := self._negates[numbers]).any():
            negated = self._negated_from(numbers, reached)
            rows.append(self._negated[numbers[negated]])
            texts_of_rows.append(text_of[negated])
        return Found(
            np.concatenate(rows), np.concatenate(texts_of_rows), self._other[numbers], text_of, sizes
        )

    def _numbers_of(self, tokens: list[str]) -> Numbers:
        found: list[Any] = list(map(self._numbers.get, tokens))
        if None in found:
            self._learn(list(dict.fromkeys(tokens)))
            found = list(map(self._numbers.__getitem__, tokens))
        return np.array(found, np.intp)

    def _negated_from(self, numbers: Numbers, reached: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which tokens a negation reaches, given where there are any: the next few, up to a stop."""
        goes_on, negated = ~self._stops[numbers[1:]], np.zeros(len(numbers), bool)
        for _ in range(features.NEGATION_SPAN):
            reached[1:] = reached[:-1] & goes_on
            reached[0] = False
            negated |= reached
        return negated

    def _pairs(self, tokens: list[str], numbers: Numbers) -> Numbers:
        """The row of each token with the one before it."""
        second = numbers[1:]
        length, head = self._length[second], self._head[numbers[:-1]]
        at = length << 10
        keys = self._tail[second] ^ _SHIFTS[at + (head & 255)]
        for byte in (1, 2, 3):
            at += 256
            keys ^= _SHIFTS[at + ((head >> np.uint32(8 * byte)) & 255)]
        if not length.all():
            for place in np.flatnonzero(length == 0).tolist():
                keys[place] = self._key(f"{tokens[place]} {tokens[place + 1]}")
        rows = self._index.find(keys)
        rows[second == 0] = NONE  # no pair of words, but the start of the next text
        return rows

    def _key(self, name: str) -> int:
        return features.key(self._part + name)

    def _learn(self, new: list[str]) -> None:
        with self._lock:
            first = len(self._numbers)
            new = [token for token in new if token not in self._numbers]
            if first + len(new) > ROOM:
                raise Full
            here = slice(first, first + len(new))
            tails = [f" {token}".encode("utf-8", "surrogatepass") for token in new]
            self._head[here] = [self._key(token) for token in new]
            self._tail[here] = [crc32(tail) for tail in tails]
            self._length[here] = [len(tail) if len(tail) <= LONGEST + 1 else 0 for tail in tails]
            self._negates[here] = list(map(features.is_negation, new))
            self._place[here] = self._index.find(self._head[here])
            negated = np.array([self._key(f"not_{token}") for token in new], np.uint32)
            self._negated[here] = self._index.find(negated)
            self._other[here] = [self._learn_other(token, first + n) for n, token in enumerate(new)]
            self._numbers.update(zip(new, range(first, ROOM), strict=False))  # last: now they are known
