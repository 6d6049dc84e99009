"""Patterns of words, searched for only in texts that have a word one of them begins with.

Most texts match none of the patterns that impact asks for, and to search a text for dozens of alternatives
costs as much as to score it: so of every word met once it is remembered which patterns can begin with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

LETTERS = 12
HINTED = 24  # patterns that words give hints on, the first ones
KEYED = 1 << HINTED  # the bit of words that gateway.triage.spoken knows phrases by
_lock = Lock()
_made: list[Phrases] = []
_begun: dict[str, int] = {}  # the bits of the patterns whose matches begin so


class Hints(NamedTuple):
    """Which patterns can begin where: `places` are words' places and the bits of patterns, in order.

    Only the first `patterns` that were made are among them.
    """

    places: list[tuple[int, int]]
    patterns: int


class Words(str):
    """Words joined by blanks that know where a search for a pattern is worth it."""

    __slots__ = ("_places", "bits", "keys", "patterns", "tokens")
    bits: int
    keys: list[int]
    patterns: int
    tokens: Sequence[str]
    _places: list[tuple[int, int]]

    @classmethod
    def of(cls, tokens: Sequence[str], hints: Hints) -> Words:
        made = cls(" ".join(tokens))
        made.tokens = tokens
        made._places, made.patterns = hints
        made.bits, made.keys = -1 << made.patterns, []
        for place, bits in made._places:
            made.bits |= bits
            if bits >= KEYED:
                made.keys.append(place)
        return made

    def starts(self, bit: int) -> Iterator[tuple[int, int]]:
        """The words that a pattern can begin with: their places, and how many letters stand before each."""
        before = last = 0
        for place, bits in self._places:
            if bits & bit:
                before += sum(map(len, self.tokens[last:place])) + place - last
                last = place
                yield place, before


def bits_of(words: str) -> int:
    """The bits of the patterns that may be in `words`: all, unless they are Words."""
    return words.bits if isinstance(words, Words) else -1


class Phrases:
    """A pattern, matched from the beginning of a word to the end of one.

    Patterns are made of letters, blanks, (?:a|b), [ab], \\w and repeats; of anything else it is not known
    what can begin with it, and it is searched for in every text.
    """

    def __init__(self, pattern: str) -> None:
        # A blank is found far faster than a word boundary, and every word has one before it.
        self._pattern = re.compile(rf" (?:{pattern})(?!\w)")
        with _lock:
            self._number = len(_made)
            self.bit = 1 << self._number
            _made.append(self)
            if self._number < HINTED:
                for letters in beginnings(pattern):
                    _begun[letters] = _begun.get(letters, 0) | self.bit

    def said(self, words: str) -> str:
        """The first words that match; empty when none do."""
        return next(self.matches(words), (0, ""))[1]

    def matches(self, words: str) -> Iterator[tuple[int, str]]:
        """Whatever matches in `words`, in its order, and which of the words it begins with."""
        spaced = " " + words
        if not isinstance(words, Words) or self._number >= words.patterns:
            for match in self._pattern.finditer(spaced):
                yield spaced.count(" ", 0, match.start()), match[0].strip()
        elif words.bits & self.bit:
            for place, before in words.starts(self.bit):
                if found := self._pattern.match(spaced, before):
                    yield place, found[0].strip()


@lru_cache(maxsize=1024)
def whole_words(pattern: str) -> Phrases:
    """The phrases of `pattern`, made once."""
    return Phrases(pattern)


def hints(word: str) -> tuple[int, int]:
    """The bits of the patterns that can begin with a word, and how many patterns are known of."""
    bits, patterns = 0, min(len(_made), HINTED)  # first, for others may be made meanwhile
    for size in range(min(len(word), LETTERS) + 1):
        bits |= _begun.get(word[:size], 0)
    for end in (*(place for place, letter in enumerate(word) if letter == "'"), len(word)):
        bits |= _begun.get(word[:end] + " ", 0)
    return bits, patterns


def beginnings(pattern: str) -> set[str]:
    """The first letters of whatever `pattern` matches, up to LETTERS; whole words end in a blank.

    An empty text stands for anything.
    """
    reader = _Beginnings(pattern)
    try:
        found = {first if ended else first + " " for first, ended in reader.alternatives()}
    except (ValueError, IndexError):
        return {""}
    return found if reader.done else {""}


class _Beginnings:
    """Reads a pattern as far as is needed to know the first letters of what it matches."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._pattern)

    def alternatives(self) -> set[tuple[str, bool]]:
        """First letters, and whether they are all that can be known of that beginning."""
        found = self._sequence()
        while self._peek() == "|":
            self._at += 1
            found |= self._sequence()
        return found

    def _sequence(self) -> set[tuple[str, bool]]:
        found = {("", False)}
        while self._peek() not in ("", "|", ")"):
            item = self._item()
            found = {
                (one + other, done or len(one + other) >= LETTERS) if not ended else (one, True)
                for one, ended in found
                for other, done in item
            }
            found = {(letters[:LETTERS], ended) for letters, ended in found}
        return found

    def _item(self) -> set[tuple[str, bool]]:
        item = self._atom()
        mark = self._peek()
        if mark and mark in "?*+{":
            self._at = self._pattern.index("}", self._at) + 1 if mark == "{" else self._at + 1
            if mark != "?":  # repeated, so what follows the letters is not known
                item = {(letters, True) for letters, _ in item}
            if mark != "+":
                item |= {("", False)}
        return item

    def _atom(self) -> set[tuple[str, bool]]:
        if self._pattern.startswith("(?:", self._at):
            self._at += 3
            found = self.alternatives()
            self._at += 1
            return found
        letter = self._pattern[self._at]
        self._at += 1
        if letter in "\\[(.^$?*+{":  # anything may follow
            if letter == "[":
                self._at = self._pattern.index("]", self._at) + 1
            elif letter == "\\":
                self._at += 1
            return {("", True)}
        return {(letter, letter == " ")}

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]
