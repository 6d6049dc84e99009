"""Where in a JSON body the values stand that its records were made of.

The body is looked through once more, by the decoder of the standard library, and only when there are
several records.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from adapters.contract import Inbound
from adapters.contract.record import Record

_SPACE = re.compile(r"[ \t\r\n]*")


def _none(_: str) -> None:
    """A number while places are looked for."""


_DECODER = json.JSONDecoder(parse_float=_none, parse_int=_none, parse_constant=_none, strict=False)


class _DiffersError(ValueError):
    """The text is not laid out as the value, such as where a name is given twice."""


def with_parts(inbound: Inbound, made: Iterable[tuple[Record, Any]], *, always: bool = False) -> list[Record]:
    """The records, each of which was made of a value within the JSON body; notes where those stand.

    A single record's is noted only if asked `always`, as where something else is kept beside it.
    """
    pairs = list(made)
    if len(pairs) > 1 or always:
        values = [value for _, value in pairs]
        same = inbound.text is inbound.body  # places in another charset's bytes are not looked for
        places = find(inbound.body, inbound.json, values) if same else [None] * len(values)
        inbound.parts = [place or _written(value) for place, value in zip(places, values, strict=True)]
    return [record for record, _ in pairs]


def _written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def find(body: bytes, parsed: Any, values: Sequence[Any]) -> list[slice | None]:
    """The bytes of each of the values, which are parts of what the body was parsed to.

    None for what was made of parts, for all but the first of the same part, and for everything in a
    body that names something twice.
    """
    finder = _Finder(body, values)
    try:
        finder.find(parsed)
    except (ValueError, IndexError):
        return [None] * len(values)
    return finder.found


class _Finder:
    """One look through a body."""

    def __init__(self, body: bytes, values: Sequence[Any]) -> None:
        # Brackets, quotes and commas are single bytes in UTF-8 and never part of another character: read
        # as Latin-1, a character is a byte.
        self.body, self.text = body, body.decode("latin-1")
        self.found: list[slice | None] = [None] * len(values)
        self.wanted: dict[int, list[int]] = defaultdict(list)
        for number, value in enumerate(values):
            self.wanted[id(value)].append(number)
        self.holders: set[int] = set()

    def find(self, parsed: Any) -> None:
        self._holds(parsed)
        self._pass(parsed, self._skip(3 if self.text.startswith("\xef\xbb\xbf") else 0))

    def _holds(self, value: Any) -> bool:
        """Notes what has a wanted value somewhere within it."""
        if id(value) in self.wanted:
            return True
        if not isinstance(value, dict | list):
            return False
        children = value.values() if isinstance(value, dict) else value
        # A sum, since any() would not look at all of them.
        if sum(self._holds(child) for child in children):
            self.holders.add(id(value))
            return True
        return False

    def _pass(self, value: Any, at: int) -> int:
        """Looks through a value that begins at `at` and returns where it ends."""
        if id(value) in self.holders:
            return self._object(value, at) if isinstance(value, dict) else self._array(value, at)
        end: int = _DECODER.raw_decode(self.text, at)[1]
        if numbers := self.wanted.get(id(value)):
            self.found[numbers.pop(0)] = slice(at, end)
        return end

    def _array(self, value: list[Any], at: int) -> int:
        at = self._after("[", at)
        for number, child in enumerate(value):
            if number:
                at = self._after(",", at)
            at = self._skip(self._pass(child, at))
        self._after("]", at)
        return at + 1

    def _object(self, value: dict[str, Any], at: int) -> int:
        at, count = self._after("{", at), 0
        while self.text[at] != "}":
            if count:
                at = self._after(",", at)
            end: int = _DECODER.raw_decode(self.text, at)[1]
            name = json.loads(self.body[at:end])  # one that had to be cleaned is not found
            at = self._after(":", self._skip(end))
            at = self._skip(self._pass(value.get(name), at))
            count += 1
        if count != len(value):
            raise _DiffersError("a name is given twice")
        return at + 1

    def _after(self, mark: str, at: int) -> int:
        """Where what comes after a mark begins."""
        if self.text[at] != mark:
            raise _DiffersError(f"no {mark} where one was expected")
        return self._skip(at + 1)

    def _skip(self, at: int) -> int:
        space = _SPACE.match(self.text, at)
        return space.end() if space else at
