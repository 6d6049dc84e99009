"""Where the words, pairs and negated words of many texts are in a table of weights.

A token met before is a number, and what is known of it is a row of numbers, so that all texts are looked up
at once. The key of a pair is the checksum of its name, which goes on from the checksum of its first word:
no name is put together for it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import NamedTuple, Protocol
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

# What is known of a token: where its word, its negated word and its pair with START are, and the checksum of
# its name; then where its sub-words are, in which languages it tells something beside its meaning and what it
# does to negation, and which of so many phrases can begin with it, these two as bits. All of it is one row:
# whatever has not been read for a while is slow to come, and then comes at once. Of a token in a text the
# place of its PAIR with the token before takes the place of the checksum.
PLACE, NEGATED, FIRST, KEY, SUBWORDS, TELLS, HINTS, PATTERNS = range(8)
PAIR = KEY
MORE = slice(SUBWORDS, PATTERNS + 1)
NEGATES, STOPS = 1 << 29, 1 << 30  # bits of TELLS, above those of languages
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
    `sizes` how many tokens each has. `told` are the places of tokens of which TELLS or HINTS is known, with
    both; `begins` says which of these is the first of each text, its START, and how many there are.
    """

    rows: list[Rows]
    texts: list[Numbers]
    known: Rows
    text_of: Numbers
    sizes: list[int]
    told: list[tuple[int, int, int]]
    begins: list[int]

    @classmethod
    def of(cls, known: Rows, sizes: list[int]) -> Found:
        """What is found by what is known of the tokens of texts."""
        text_of = np.arange(len(sizes)).repeat(sizes)
        rows, texts = [known[:, PLACE], known[:, PAIR]], [text_of, text_of]
        at = (known[:, TELLS] | known[:, HINTS]).nonzero()[0]
        begins = at.searchsorted([*accumulate(sizes, initial=0)]).tolist()
        told = [*zip(at.tolist(), *known[at, TELLS : HINTS + 1].T.tolist(), strict=True)]
        negated = _negated(told, len(known))
        if negated:
            rows.append(known[negated, NEGATED])
            texts.append(text_of[negated])
        return cls(rows, texts, known, text_of, sizes, told, begins)

    def parts(self, parts: Sequence[Part]) -> Found:
        """What would be found of parts of the texts, none of them empty, each as if it was a text itself."""
        begins = [0, *accumulate(self.sizes)]
        spans = [range(begins[of] + part.start, begins[of] + part.stop + 1) for of, part in parts]
        sizes = [*map(len, spans)]
        starts = np.array([0, *accumulate(sizes[:-1])])
        known = self.known.take([*chain.from_iterable(spans)], axis=0)
        known[starts] = self.known[0]  # in the place of the token before
        first = starts + 1
        known[first, PAIR] = known[first, FIRST]
        return self.of(known, sizes)

    def telling(self, languages: Sequence[int]) -> list[list[int]]:
        """Where in each text the tokens are that tell something in its language, given as a bit's number."""
        return [
            [place - start for place, bits, _ in told if bits >> language & 1]
            for (start, told), language in zip(self._by_text(), languages, strict=True)
        ]

    def hints(self) -> list[Hints]:
        """Which phrases can begin where in each text."""
        patterns = int(np.minimum.reduce(self.known[:, PATTERNS]))
        return [
            Hints([(place - start, bits) for place, _, bits in told if bits], patterns)
            for start, told in self._by_text()
        ]

    def _by_text(self) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
        """The place of the first word of each text, and what its tokens tell."""
        for begin, end in pairwise(self.begins):
            yield self.told[begin][0] + 1, self.told[begin:end]


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
        self._rows[[START, STOP], TELLS] |= STOPS
        self._rows[START, [TELLS, HINTS]] = STOPS, 0

    def find(self, texts: Sequence[Sequence[str]]) -> Found:
        """What is known of the tokens of texts, and where their `features.word_names` are. Raises Full."""
        tokens: list[str] = []
        begins: list[int] = []
        for text in texts:
            begins.append(len(tokens))
            tokens.append(features.START)
            tokens += text
        numbers = self._numbers(tokens)
        known = self._rows.take(numbers, axis=0)
        known[1:, PAIR] = self._index.find(self._pairs(numbers, known))
        known[begins, PAIR] = NONE  # no pair of words, but the start of the next text
        return Found.of(known, [len(text) + 1 for text in texts])

    def _numbers(self, tokens: list[str]) -> list[int]:
        known = self._known
        try:
            return [*map(known.__getitem__, tokens)]
        except KeyError:
            self._learn(list(dict.fromkeys(token for token in tokens if token not in known)))
            return [*map(known.__getitem__, tokens)]

    def _pairs(self, numbers: list[int], known: Rows) -> Keys:
        """The keys of each token but the last with the one behind it."""
        ends = map(self._ends.__getitem__, numbers[1:])
        keys = map(crc32, ends, known[:-1, KEY].view(np.uint32).tolist())
        return np.fromiter(keys, np.uint32, len(numbers) - 1)

    def _key(self, name: str) -> int:
        return features.key(self._part + name)

    def _learn(self, new: list[str]) -> None:
        with self._lock:
            first = len(self._known)
            new = [token for token in new if token not in self._known]
            if first + len(new) > ROOM:
                raise Full
            names = [(token, f"not_{token}", f"{features.START} {token}") for token in new]
            keys = np.array([self._key(name) for name in chain.from_iterable(names)], np.uint32)
            rows = self._rows[first : first + len(new)]
            rows[:, [PLACE, NEGATED, FIRST]] = self._index.find(keys).reshape(-1, 3)
            rows[:, KEY] = keys[::3].view(np.int32)
            rows[:, MORE] = self._learn_more(new, first, rows[:, PLACE])
            rows[:, TELLS] |= np.array([NEGATES * features.is_negation(token) for token in new], np.int32)
            self._ends += [features.encoded(f" {token}") for token in new]
            self._known.update(zip(new, range(first, ROOM), strict=False))  # last: now they are known


def _negated(told: Sequence[tuple[int, int, int]], end: int) -> list[int]:
    """Which of so many tokens are reached by negations: the next few of each, up to a stop."""
    reached: list[int] = []
    for number, (place, bits, _) in enumerate(told, 1):
        if bits & NEGATES:
            last = min(place + 1 + features.NEGATION_SPAN, end)
            stops = (at for at, bits, _ in told[number : number + features.NEGATION_SPAN] if bits & STOPS)
            reached += range(place + 1, min(next(stops, last), last))
    return reached
