"""Where the words, pairs and negated words of many texts are in a table of weights.

A token met before is a number, and what is known of it is a row of numbers, so that all texts are looked up
at once. The key of a pair is the checksum of its name, which goes on from the checksum of its first word:
no name is put together for it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import islice, repeat
from typing import Any, NamedTuple, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from gateway.triage import features
from gateway.triage.arrays import NONE, Index
from gateway.triage.phrases import Hints

ROOM = 32_000  # tokens known at a time; more than those of texts looked up together

Numbers = NDArray[np.intp]
Keys = NDArray[np.uint32]
Rows = NDArray[np.int32]

# What is known of a token: where its word and its negated word are, the checksum of its name, and what it
# does to negation; then where its sub-words are, in which languages it tells something beside its meaning,
# and which of so many phrases can begin with it, these two as bits. All of it is one row: whatever has not
# been read for a while is slow to come, and then comes at once.
PLACE, NEGATED, KEY, NEGATION, SUBWORDS, TELLS, HINTS, PATTERNS = range(8)
MORE = slice(SUBWORDS, PATTERNS + 1)
NEGATES, STOPS = 1, 2


class Full(Exception):
    """There is no room for so many new tokens."""


class Learn(Protocol):
    """Learns what else is known of tokens whose numbers go on from `first` and whose rows are `places`.

    Returns SUBWORDS, TELLS, HINTS and PATTERNS of each, one row a token.
    """

    def __call__(self, tokens: Sequence[str], first: int, places: Rows) -> NDArray[np.int32]: ...


def nothing(tokens: Sequence[str], first: int, places: Rows) -> NDArray[np.int32]:
    """Learns that nothing else is known."""
    return np.full((len(tokens), 4), (NONE, 0, 0, 0), np.int32)


class Found(NamedTuple):
    """Rows of words, pairs and negated words, and the text of each; `known` has a row for each token.

    A row may come several times in a text, and NONE stands for a name that is not in the table. A text
    has one token more than it has words: its START, the first. `texts_of_known` says which text a token is
    in, `starts` where each text begins, and `sizes` how many tokens it has.
    """

    rows: Numbers
    texts: Numbers
    known: Rows
    texts_of_known: Numbers
    starts: Numbers
    sizes: Numbers

    def telling(self, languages: Numbers) -> list[list[int]]:
        """Where in each text the tokens are that tell something in its language, given as a bit's number."""
        at = (self.known[:, TELLS] >> languages.repeat(self.sizes) & 1).nonzero()[0]
        places = self._places(at)
        return [places[here] for here in self._by_text(at)]

    def hints(self, texts: int) -> list[Hints]:
        """Which phrases can begin where in each of so many first texts."""
        hints = self.known[: self.sizes[:texts].sum(), HINTS]
        at = hints.nonzero()[0]
        places = list(zip(self._places(at), hints.take(at).tolist(), strict=True))
        patterns = int(self.known[:, PATTERNS].min())
        return [Hints(places[here], patterns) for here in islice(self._by_text(at), texts)]

    def _places(self, at: Numbers) -> list[int]:
        """Where in their texts tokens are, START not counted."""
        places: list[int] = (at - self.starts.take(self.texts_of_known.take(at)) - 1).tolist()
        return places

    def _by_text(self, at: Numbers) -> Iterator[slice]:
        """Which of some tokens are those of each text."""
        ends = at.searchsorted(self.starts + self.sizes).tolist()
        return map(slice, [0, *ends], ends)


class Vocabulary:
    """The tokens met so far, each with a number. Safe for threads."""

    def __init__(self, index: Index, part: str = "", learn: Learn = nothing) -> None:
        """`part` stands before the names in the index; `learn` says what else is known of new tokens."""
        self._index = index
        self._part = part
        self._learn_more = learn
        self._lock = threading.Lock()
        self._rows = np.zeros((ROOM, PATTERNS + 1), np.int32)
        self._known: dict[str, int] = {}
        self._ends: list[bytes] = []  # " name" of each token
        self._learn([features.START, "."])
        self._rows[:2, PLACE] = NONE  # where a text starts, and stops, are no words
        self._rows[:2, NEGATION] = STOPS
        self._rows[0, [TELLS, HINTS]] = 0

    def find(self, texts: Sequence[list[str]]) -> Found:
        """What is known of the tokens of texts, and where their `features.word_names` are. Raises Full."""
        tokens: list[str] = []
        for text in texts:
            tokens.append(features.START)
            tokens += text
        numbers = self._numbers(tokens)
        known = self._rows.take(numbers, axis=0)
        sizes = np.fromiter(map(len, texts), np.intp, len(texts)) + 1
        text_of = np.arange(len(texts)).repeat(sizes)
        pairs = self._index.find(self._pairs(numbers, known))
        pairs[numbers[1:] == 0] = NONE  # no pair of words, but the start of the next text
        rows: list[NDArray[Any]] = [known[:, PLACE], pairs]
        texts_of_rows = [text_of, text_of[1:]]
        reached = known[:, NEGATION] == NEGATES
        if reached.any():
            negated = _negated_from(known, reached)
            rows.append(known[negated, NEGATED])
            texts_of_rows.append(text_of[negated])
        return Found(
            np.concatenate(rows), np.concatenate(texts_of_rows), known, text_of, sizes.cumsum() - sizes, sizes
        )

    def _numbers(self, tokens: list[str]) -> Numbers:
        numbers = np.fromiter(map(self._known.get, tokens, repeat(-1)), np.intp, len(tokens))
        missing = (numbers < 0).nonzero()[0]
        if len(missing):
            new = [tokens[place] for place in missing.tolist()]
            self._learn(list(dict.fromkeys(new)))
            numbers[missing] = list(map(self._known.__getitem__, new))
        return numbers

    def _pairs(self, numbers: Numbers, known: Rows) -> Keys:
        """The keys of each token but the last with the one behind it."""
        ends = map(self._ends.__getitem__, numbers[1:].tolist())
        return np.array(list(map(crc32, ends, known[:-1, KEY].view(np.uint32).tolist())), np.uint32)

    def _key(self, name: str) -> int:
        return features.key(self._part + name)

    def _learn(self, new: list[str]) -> None:
        with self._lock:
            first = len(self._known)
            new = [token for token in new if token not in self._known]
            if first + len(new) > ROOM:
                raise Full
            names = [*new, *(f"not_{token}" for token in new)]
            keys = np.array([self._key(name) for name in names], np.uint32)
            places = self._index.find(keys)
            rows = self._rows[first : first + len(new)]
            rows[:, PLACE], rows[:, NEGATED] = places[: len(new)], places[len(new) :]
            rows[:, KEY] = keys[: len(new)].view(np.int32)
            rows[:, NEGATION] = list(map(features.is_negation, new))
            rows[:, MORE] = self._learn_more(new, first, rows[:, PLACE])
            self._ends += [features.encoded(f" {token}") for token in new]
            self._known.update(zip(new, range(first, ROOM), strict=False))  # last: now they are known


def _negated_from(known: NDArray[np.int32], reached: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which tokens a negation reaches, given where there are any: the next few, up to a stop."""
    goes_on, negated = known[1:, NEGATION] != STOPS, np.zeros(len(known), bool)
    for _ in range(features.NEGATION_SPAN):
        reached[1:] = reached[:-1] & goes_on
        reached[0] = False
        negated |= reached
    return negated
