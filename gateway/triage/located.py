"""A text that knows, whatever is done to it, where each of its letters stood in the text it was made of.

The tokenizer drops accents, tags and case and puts marker words for addresses and code. Given such a text
it does all of that to it as to any other, and each token knows where in the original it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, SupportsIndex

from models.tables.text_folding import decomposed_from

Replacement = str | Callable[[re.Match[str]], str]


def sub(pattern: re.Pattern[str], new: Replacement, text: str) -> str:
    """As `pattern.sub`, of any kind of text."""
    return pattern.sub(new, text) if text.__class__ is str else subn(pattern, new, text)[0]


def subn(pattern: re.Pattern[str], new: Replacement, text: str) -> tuple[str, int]:
    """As `pattern.subn`, of any kind of text."""
    return text.replaced(pattern, new) if isinstance(text, Located) else pattern.subn(new, text)


class Located(str):
    """A text; `starts` and `ends` say between which places of the original each letter comes from."""

    __slots__ = ("ends", "starts")
    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, text: str, at: int = 0) -> Located:
        """An original, which begins at a place."""
        return cls._made(text, range(at, at + len(text)), range(at + 1, at + len(text) + 1))

    @classmethod
    def _made(cls, text: str, starts: Sequence[int], ends: Sequence[int]) -> Located:
        made = cls(text)
        made.starts, made.ends = starts, ends
        return made

    @property
    def span(self) -> tuple[int, int] | None:
        """Where all of it stood; None when nothing of it comes from the original."""
        if not self.starts or min(self.starts) < 0:
            return None
        return min(self.starts), max(self.ends)

    def named(self, text: str) -> Located:
        """Another text that stands for all of this one."""
        start, end = self.span or (-1, -1)
        return self._made(text, [start] * len(text), [end] * len(text))

    def __getitem__(self, at: SupportsIndex | slice) -> Located:
        part = at if isinstance(at, slice) else slice(int(at), int(at) + 1 or None)
        return self._made(str.__getitem__(self, at), self.starts[part], self.ends[part])

    def __add__(self, other: str) -> Located:
        if not isinstance(other, Located):
            other = self._made(other, [-1] * len(other), [-1] * len(other))
        return _joined([self, other])

    def strip(self, chars: str | None = None) -> Located:
        start = len(self) - len(str.lstrip(self, chars))
        return self[start : start + len(str.strip(self, chars))]

    def lower(self) -> Located:
        places = [place for place, letter in enumerate(self) for _ in letter.lower()]
        return self._made(str.lower(self), [self.starts[n] for n in places], [self.ends[n] for n in places])

    def decomposed(self) -> Located:
        """The same as models.tables.text_folding.decomposed."""
        text, places = decomposed_from(self)
        return self._made(text, [self.starts[n] for n in places], [self.ends[n] for n in places])

    def partition(self, sep: str) -> tuple[Any, Any, Any]:
        return self._parted(self.find(sep), len(sep)) or (self, self[:0], self[:0])

    def rpartition(self, sep: str) -> tuple[Any, Any, Any]:
        return self._parted(self.rfind(sep), len(sep)) or (self[:0], self[:0], self)

    def _parted(self, at: int, length: int) -> tuple[Any, Any, Any] | None:
        return None if at < 0 else (self[:at], self[at : at + length], self[at + length :])

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[Any]:
        """Its words; no other way to split is known."""
        assert sep is None and maxsplit == -1
        found, at = [], 0
        for word in str.split(self):
            at = self.index(word, at)
            found.append(self[at : at + len(word)])
            at += len(word)
        return found

    def replaced(self, pattern: re.Pattern[str], new: Replacement) -> tuple[Located, int]:
        """It with other texts for whatever a pattern finds, and how much that is."""
        parts, at = list[Located](), 0
        for match in pattern.finditer(self):
            told = match.expand(new) if isinstance(new, str) else new(match)
            parts += [self[at : match.start()], self[match.start() : match.end()].named(str(told))]
            at = match.end()
        return (_joined([*parts, self[at:]]), len(parts) // 2) if parts else (self, 0)


def _joined(parts: Sequence[Located]) -> Located:
    starts = chain.from_iterable(part.starts for part in parts)
    ends = chain.from_iterable(part.ends for part in parts)
    return Located._made("".join(parts), [*starts], [*ends])
