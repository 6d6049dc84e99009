"""A regular expression matched as Python's `re` matches it, with its steps counted.

`re` counts nothing, and a clock is a poor judge on a busy machine. Repeats of a bounded number are shortened,
so that short texts show how the steps grow on long ones.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

FEW = 3  # times that a bounded repeat matches at most
MOST_STEPS = 100_000

Then = Callable[[int], int]  # what follows from a place on: the end of the match, or -1
Matcher = Callable[[int, Then], int]
# The ops that match one character.
ONE = {c.LITERAL, c.NOT_LITERAL, c.ANY, c.ANY_ALL, c.IN}


class TooMany(Exception):
    """More steps than any growth that is allowed."""


@contextmanager
def deep() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(200_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@lru_cache(maxsize=100_000)
def is_one(op: Any, arg: Any, flags: int, char: str) -> bool:
    """Whether a character is what an op that matches one asks for."""
    if flags & re.IGNORECASE:
        return any(_is_one(op, arg, flags, same) for same in {char, char.lower(), char.upper()})
    return _is_one(op, arg, flags, char)


def _is_one(op: Any, arg: Any, flags: int, char: str) -> bool:
    if op is c.IN:
        negated = arg[0][0] is c.NEGATE
        return any(_is_one(*item, flags, char) for item in arg[negated:]) is not negated
    if op is c.RANGE:
        return len(char) == 1 and bool(arg[0] <= ord(char) <= arg[1])
    if op is c.CATEGORY:
        return bool(re.match(CATEGORIES[arg], char, re.ASCII if flags & re.ASCII else 0))
    if op is c.ANY:
        return char != "\n" or bool(flags & re.DOTALL)
    return (len(char) == 1 and ord(char) == arg) is (op is c.LITERAL)


CATEGORIES = {
    c.CATEGORY_DIGIT: r"\d",
    c.CATEGORY_NOT_DIGIT: r"\D",
    c.CATEGORY_SPACE: r"\s",
    c.CATEGORY_NOT_SPACE: r"\S",
    c.CATEGORY_WORD: r"\w",
    c.CATEGORY_NOT_WORD: r"\W",
}


def hashable(arg: Any) -> Any:
    return tuple(map(hashable, arg)) if isinstance(arg, list | tuple) else arg


def parse(pattern: re.Pattern[Any]) -> tuple[Any, int]:
    """The tree of a pattern, and its flags; one of bytes is read as Latin-1."""
    text, flags = pattern.pattern, pattern.flags
    if isinstance(text, bytes):
        text, flags = text.decode("latin-1"), flags | re.ASCII
    tree = parser.parse(text, flags & ~re.DEBUG)
    return tree, tree.state.flags | flags


class Counted:
    """A pattern whose steps are counted."""

    def __init__(self, pattern: re.Pattern[Any], few: int = FEW) -> None:
        self.tree, self.flags = parse(pattern)
        self._few = few
        self.steps, self._text = 0, ""
        self._groups: dict[int, tuple[int, int]] = {}
        self._matcher = self._sequence(list(self.tree), self.flags)

    def find_all(self, text: str) -> list[tuple[int, int]]:
        """The spans of all matches, as `finditer` finds them."""
        self._text, self.steps, found = text, 0, []
        at = least = 0
        with deep():
            while at <= len(text):
                self._groups.clear()
                end = self._matcher(at, self._end_from(at + least))
                if end < 0:
                    at, least = at + 1, 0
                else:  # behind an empty match another one may begin, which is not empty
                    found.append((at, end))
                    at, least = end, int(end == at)
        return found

    def first(self, text: str) -> bool:
        """Whether the beginning of the text matches."""
        self._text, self.steps = text, 0
        self._groups.clear()
        with deep():
            return self._matcher(0, lambda at: at) >= 0

    def full(self, text: str) -> bool:
        """Whether the whole text matches."""
        self._text, self.steps = text, 0
        self._groups.clear()
        with deep():
            return self._matcher(0, lambda at: at if at == len(text) else -1) >= 0

    @staticmethod
    def _end_from(least: int) -> Then:
        return lambda at: at if at >= least else -1

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TooMany

    def _sequence(self, items: list[Any], flags: int) -> Matcher:
        matchers = [self._item(op, arg, flags) for op, arg in items]

        def run(index: int, at: int, then: Then) -> int:
            if index == len(matchers):
                return then(at)
            return matchers[index](at, lambda after: run(index + 1, after, then))

        return lambda at, then: run(0, at, then)

    def _item(self, op: Any, arg: Any, flags: int) -> Matcher:
        if op in ONE:
            return self._one(op, hashable(arg), flags)
        make: Callable[[Any, int], Matcher] = getattr(self, f"_{str(op).lower()}")
        return make(arg, flags)

    def _one(self, op: Any, arg: Any, flags: int) -> Matcher:
        def match(at: int, then: Then) -> int:
            self._step()
            here = self._text[at : at + 1]
            return then(at + 1) if here and is_one(op, arg, flags, here) else -1

        return match

    def _at(self, where: Any, flags: int) -> Matcher:
        def is_word(at: int) -> bool:
            here = self._text[at : at + 1] if at >= 0 else ""
            return bool(re.match(r"\w", here, re.ASCII if flags & re.ASCII else 0))

        def match(at: int, then: Then) -> int:
            self._step()
            text = self._text
            if where in (c.AT_BEGINNING, c.AT_BEGINNING_STRING):
                line = where is c.AT_BEGINNING and flags & re.MULTILINE
                good = at == 0 or (bool(line) and text[at - 1] == "\n")
            elif where is c.AT_END:
                last = at == len(text) or text[at:] == "\n"
                good = last or (bool(flags & re.MULTILINE) and text[at] == "\n")
            elif where is c.AT_END_STRING:
                good = at == len(text)
            else:
                good = (is_word(at - 1) != is_word(at)) is (where is c.AT_BOUNDARY)
            return then(at) if good else -1

        return match

    def _branch(self, arg: Any, flags: int) -> Matcher:
        ways = [self._sequence(list(way), flags) for way in arg[1]]

        def match(at: int, then: Then) -> int:
            for way in ways:
                self._step()
                if (end := way(at, then)) >= 0:
                    return end
            return -1

        return match

    def _subpattern(self, arg: Any, flags: int) -> Matcher:
        group, add, remove, inner = arg
        body = self._sequence(list(inner), (flags | add) & ~remove)
        if group is None:
            return body

        def match(at: int, then: Then) -> int:
            before = self._groups.get(group)

            def ended(end: int) -> int:
                self._groups[group] = (at, end)
                return then(end)

            found = body(at, ended)
            if found < 0:
                if before is None:
                    self._groups.pop(group, None)
                else:
                    self._groups[group] = before
            return found

        return match

    def _groupref(self, group: int, flags: int) -> Matcher:
        def match(at: int, then: Then) -> int:
            self._step()
            if group not in self._groups:
                return -1
            start, end = self._groups[group]
            said, here = self._text[start:end], self._text[at : at + end - start]
            same = said.lower() == here.lower() if flags & re.IGNORECASE else said == here
            return then(at + len(said)) if same else -1

        return match

    def _bounds(self, least: int, most: Any) -> tuple[int, int]:
        if most is c.MAXREPEAT:
            return min(least, self._few), sys.maxsize
        return min(least, self._few), int(min(most, self._few))

    def _max_repeat(self, arg: Any, flags: int) -> Matcher:
        least, most = self._bounds(*arg[:2])
        inner = list(arg[2])
        if len(inner) == 1 and inner[0][0] in ONE:
            return self._run(*inner[0], flags, least, most)
        body = self._sequence(inner, flags)

        def again(count: int, at: int, then: Then) -> int:
            self._step()
            if count < most:
                end = body(
                    at, lambda after: again(count + 1, after, then) if after > at or count < least else -1
                )
                if end >= 0:
                    return end
            return then(at) if count >= least else -1

        return lambda at, then: again(0, at, then)

    def _run(self, op: Any, arg: Any, flags: int, least: int, most: int) -> Matcher:
        arg = hashable(arg)

        def match(at: int, then: Then) -> int:
            end, last = at, min(len(self._text), at + most)
            while end < last and is_one(op, arg, flags, self._text[end]):
                self._step()
                end += 1
            while end >= at + least:
                self._step()
                if (found := then(end)) >= 0:
                    return found
                end -= 1
            return -1

        return match

    def _min_repeat(self, arg: Any, flags: int) -> Matcher:
        least, most = self._bounds(*arg[:2])
        body = self._sequence(list(arg[2]), flags)

        def again(count: int, at: int, then: Then) -> int:
            self._step()
            if count >= least and (end := then(at)) >= 0:
                return end
            if count == most:
                return -1
            return body(
                at, lambda after: again(count + 1, after, then) if after > at or count < least else -1
            )

        return lambda at, then: again(0, at, then)

    def _possessive_repeat(self, arg: Any, flags: int) -> Matcher:
        return self._atomic(self._max_repeat(arg, flags))

    def _atomic_group(self, arg: Any, flags: int) -> Matcher:
        return self._atomic(self._sequence(list(arg), flags))

    def _atomic(self, body: Matcher) -> Matcher:
        def match(at: int, then: Then) -> int:
            end = body(at, lambda after: after)
            return then(end) if end >= 0 else -1

        return match

    def _assert(self, arg: Any, flags: int) -> Matcher:
        seen = self._seen(arg, flags)
        return lambda at, then: then(at) if seen(at) else -1

    def _assert_not(self, arg: Any, flags: int) -> Matcher:
        seen = self._seen(arg, flags)
        return lambda at, then: -1 if seen(at) else then(at)

    def _seen(self, arg: Any, flags: int) -> Callable[[int], bool]:
        direction, inner = arg
        body = self._sequence(list(inner), flags)
        back = inner.getwidth()[0] if direction < 0 else 0

        def seen(at: int) -> bool:
            self._step()
            return at >= back and body(at - back, lambda after: after) >= 0

        return seen
