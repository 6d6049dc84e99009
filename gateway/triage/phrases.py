"""Patterns of words, searched for only in texts that have a word one of them begins with.

Most texts match none of the patterns that impact asks for, and to search a text for dozens of alternatives
costs as much as to score it: so of every word met once it is remembered which patterns can begin with it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from threading import Lock

LETTERS = 12
HINTED = 24  # patterns that words give hints on, the first ones
_lock = Lock()
_made: list[Phrases] = []
_begun: dict[str, int] = {}  # the bits of the patterns whose matches begin so


class Phrases:
    """A pattern, matched from the beginning of a word to the end of one.

    Patterns are made of letters, blanks, (?:a|b), [ab], \\w and repeats; of anything else it is not known
    what can begin with it, and it is searched for in every text.
    """

    def __init__(self, pattern: str) -> None:
        # A blank is found far faster than a word boundary, and every word has one before it.
        self._search = re.compile(rf" (?:{pattern})(?!\w)").search
        with _lock:
            number = len(_made)
            self.bit = 1 << number
            _made.append(self)
            if number < HINTED:
                for letters in beginnings(pattern):
                    _begun[letters] = _begun.get(letters, 0) | self.bit

    def said(self, words: str) -> str:
        """The first words that match; empty when none do."""
        if not hints_of(words) & self.bit:
            return ""
        found = self._search(" " + words)
        return found[0].strip() if found else ""


@lru_cache(maxsize=1024)
def whole_words(pattern: str) -> Phrases:
    """The phrases of `pattern`, made once."""
    return Phrases(pattern)


def hints(word: str) -> int:
    """The bits of the patterns that can begin with a word, and of those that words give no hints on."""
    bits = -1 << min(len(_made), HINTED)  # read first: what is made meanwhile is among them
    for size in range(min(len(word), LETTERS) + 1):
        bits |= _begun.get(word[:size], 0)
    for end in (*(place for place, letter in enumerate(word) if letter == "'"), len(word)):
        bits |= _begun.get(word[:end] + " ", 0)
    return bits


class Words(str):
    """Words joined by blanks that know which patterns are worth a search: `hints` of any of them."""

    __slots__ = ("hints",)
    hints: int

    @classmethod
    def of(cls, words: str, hints: int) -> Words:
        made = cls(words)
        made.hints = hints
        return made


def hints_of(words: str) -> int:
    """The bits of the patterns that may be in `words`: all, unless they are Words."""
    return words.hints if isinstance(words, Words) else -1


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
