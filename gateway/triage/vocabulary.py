"""Where the words, pairs and negated words of many texts are in a table of weights.

A token met before is a number, and what is known of it is a row of numbers, so that all texts are looked up
at once. The key of a pair is the checksum of its name, which goes on from the checksum of its first word:
no name is put together for it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from typing import Any, NamedTuple, Protocol, cast
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
NEGATES, STARTS = 1, 2
START, STOP = 0, 1  # the numbers of what starts a text, and of what ends a sentence
Part = tuple[int, slice]  # the number of a text, and which of its tokens


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
    has one token more than it has words: its START, the first. `text_of` says which text a token is in, and
    `sizes` how many tokens each has.
    """

    rows: list[NDArray[Any]]
    texts: list[Numbers]
    known: Rows
    text_of: Numbers
    sizes: list[int]

    def telling(self, languages: Sequence[int]) -> list[list[int]]:
        """Where in each text the tokens are that tell something in its language, given as a bit's number."""
        tells: list[int] = self.known[:, TELLS].tolist()
        return [
            [place for place, bits in enumerate(tells[here], -1) if bits >> language & 1]
            for here, language in zip(self._by_text(), languages, strict=True)
        ]

    def hints(self, texts: int) -> list[Hints]:
        """Which phrases can begin where in each of so many first texts."""
        hints: list[int] = self.known[:, HINTS].tolist()
        patterns = int(self.known[:, PATTERNS].min())
        return [
            Hints([(place, bits) for place, bits in enumerate(hints[here], -1) if bits], patterns)
            for here in islice(self._by_text(), texts)
        ]

    def _by_text(self) -> Iterator[slice]:
        """Which tokens are those of each text."""
        ends = [*accumulate(self.sizes)]
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
        self._rows[[START, STOP], PLACE] = NONE  # these are no words
        self._rows[START, NEGATION] = STARTS
        self._rows[START, [TELLS, HINTS]] = 0
        self._start = self._key(features.START)

    def find(self, texts: Sequence[Sequence[str]], parts: Sequence[Part] = ()) -> Found:
        """What is known of the tokens of texts, and where their `features.word_names` are. Raises Full.

        Behind the texts come parts of them, each as if it was a text of its own.
        """
        tokens: list[str] = []
        begins: list[int] = []
        for text in texts:
            begins.append(len(tokens))
            tokens.append(features.START)
            tokens += text
        numbers = self._numbers(tokens)
        spans = [slice(begins[of] + 1 + part.start, begins[of] + 1 + part.stop) for of, part in parts]
        for span in spans:
            numbers.append(START)
            numbers += numbers[span]
        known = self._rows.take(np.fromiter(numbers, np.intp, len(numbers)), axis=0)
        sizes = [len(text) + 1 for text in texts] + [span.stop - span.start + 1 for span in spans]
        text_of = np.arange(len(sizes)).repeat(sizes)
        pairs = self._pairs(numbers[: len(tokens)], known, spans)
        pairs[(known[1:, NEGATION] == STARTS).nonzero()[0]] = NONE  # no pair, but where the next text starts
        rows: list[NDArray[Any]] = [known[:, PLACE], pairs]
        texts_of_rows = [text_of, text_of[1:]]
        negated = _negated(numbers, (known[:, NEGATION] == NEGATES).nonzero()[0].tolist())
        if negated:
            rows.append(known[negated, NEGATED])
            texts_of_rows.append(text_of[negated])
        return Found(rows, texts_of_rows, known, text_of, sizes)

    def _numbers(self, tokens: list[str]) -> list[int]:
        numbers = [*map(self._known.get, tokens)]
        if None in numbers:
            new = [token for token, number in zip(tokens, numbers, strict=True) if number is None]
            self._learn(list(dict.fromkeys(new)))
            return [*map(self._known.__getitem__, tokens)]
        return cast(list[int], numbers)

    def _pairs(self, numbers: list[int], known: Rows, spans: Sequence[slice]) -> Numbers:
        """Where each token but the last with the one behind it is: of the texts, and of the spans behind them.

        A pair of a part is one of its text, but for the first, which is its START with a word.
        """
        ends = [*map(self._ends.__getitem__, numbers)]
        keys = [*map(crc32, ends[1:], known[: len(numbers) - 1, KEY].view(np.uint32).tolist())]
        for span in spans:
            keys.append(0)
            keys.append(crc32(ends[span.start], self._start))
            keys += keys[span.start : span.stop - 1]
        return self._index.find(np.fromiter(keys, np.uint32, len(keys)))

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


def _negated(numbers: Sequence[int], negations: Sequence[int]) -> list[int]:
    """Which tokens are reached by negations: the next few of each, up to a stop."""
    reached = []
    for place in negations:
        for at in range(place + 1, min(place + 1 + features.NEGATION_SPAN, len(numbers))):
            if numbers[at] <= STOP:
                break
            reached.append(at)
    return reached
