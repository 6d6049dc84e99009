"""A batch's body taken apart: where each item begins and ends, without keeping any of them.

A body that begins with a bracket is one JSON array, any other one is NDJSON, a JSON value a line;
a Content-Type of NDJSON says so, too. Only a few copies of the body are ever in memory.
"""

from __future__ import annotations

import json
import re
from typing import Any

from adapters.contract import Problem, Refused

MOST = 10_000  # items in one request
LINES = {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\r\n]*")
_LINE = re.compile(rb"[^ \t\r\n][^\n]*")


def _none(_: str) -> None:
    """A number while items are only looked for: whether it can be used is that item's own matter."""


_FINDER = json.JSONDecoder(parse_float=_none, parse_int=_none, parse_constant=_none, strict=False)


def items_of(body: bytes, content_type: str) -> list[tuple[int, int]]:
    """First byte and end of every item; blank lines are none.

    Raises Refused: 400 (an empty body, an array that is not JSON), 413 (more than MOST).
    """
    start = len(_BOM) if body.startswith(_BOM) else 0
    first = _LINE.search(body, start)
    if first is None:
        raise Refused(Problem(400, "invalid_json", "body was empty"))
    lines = content_type.partition(";")[0].strip().lower() in LINES
    if body[first.start()] == ord("[") and not lines:
        return _in_array(body, first.start() + 1)
    found: list[tuple[int, int]] = []
    for line in _LINE.finditer(body, start):
        if len(found) == MOST:
            raise _too_many()
        found.append(line.span())
    return found


def _in_array(body: bytes, at: int) -> list[tuple[int, int]]:
    """The items of a JSON array whose first item is looked for from `at` on."""
    # Brackets, quotes and commas are single bytes in UTF-8 and never part of another character: read
    # as Latin-1, a character is a byte, and no text is four times as large as its bytes.
    text, found = body.decode("latin-1"), list[tuple[int, int]]()
    at = _skip(text, at)
    if text[at : at + 1] == "]":
        return _ended(text, at, found)
    while True:
        if len(found) == MOST:
            raise _too_many()
        try:
            end: int = _FINDER.raw_decode(text, at)[1]
        except (ValueError, RecursionError):
            raise _malformed(f"byte {at}, item {len(found)}") from None
        found.append((at, end))
        at = _skip(text, end)
        mark = text[at : at + 1]
        if mark == "]":
            return _ended(text, at, found)
        if mark != ",":
            raise _malformed(f"byte {at}, after item {len(found) - 1}")
        at = _skip(text, at + 1)


def _ended(text: str, at: int, found: list[Any]) -> list[Any]:
    """What was found, if nothing stands behind the array."""
    if _skip(text, at + 1) < len(text):
        raise _malformed(f"byte {at + 1}, after the array")
    return found


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _malformed(where: str) -> Refused:
    return Refused(Problem(400, "invalid_json", f"body was not a valid JSON array ({where})"))


def _too_many() -> Refused:
    return Refused(Problem(413, "too_large", f"A batch has at most {MOST} items."))
