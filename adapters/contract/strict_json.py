"""The one JSON parser: strict, depth-limited, and clean for a database.

Refused: anything but UTF-8 (a byte order mark is allowed), NaN and infinities also when written
as 1e400, integers beyond Python's digit limit, nesting deeper than `MAX_DEPTH`, trailing words.
Replaced by U+FFFD inside strings and names: NUL and lone surrogates, which no text column can hold;
truncated emoji send the latter. A name given twice keeps its last value, as in JavaScript.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_DEPTH = 100

_NEEDS_CLEANING = re.compile(rb"\\u(?:0000|d[89a-f])", re.IGNORECASE)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# A string (possessive, and an unterminated one runs to the end: linear time) or one bracket.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z|\\\Z)|[\[{\]}]', re.DOTALL)


class InvalidJSON(ValueError):
    """The bytes are not one strict JSON text; the message says why, without quoting them."""


def _constant(word: str) -> Any:
    raise InvalidJSON(f"{word} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise InvalidJSON("number out of range")
    return number


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_float=_finite)


def parse(body: bytes) -> Any:
    """The value of a JSON text given as bytes. Raises InvalidJSON."""
    if not body.strip():
        raise InvalidJSON("body was empty")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"body was not UTF-8 (byte {error.start})") from None
    # A text cannot be deeper than its count of opening brackets, and counting is nearly free.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _too_deep(body):
        raise InvalidJSON(f"nested deeper than {MAX_DEPTH} levels")
    try:
        value = _DECODER.decode(text)
    except InvalidJSON:
        raise
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidJSON(f"body was not valid JSON ({place}){_broken_by(error)}") from None
    except ValueError:
        raise InvalidJSON("number has too many digits") from None
    return cleaned(value) if _NEEDS_CLEANING.search(body) else value


def cleaned(value: Any) -> Any:
    """The same value with NUL and lone surrogates replaced by U+FFFD, at any depth."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {cleaned(name): cleaned(item) for name, item in value.items()}
    return value


def _broken_by(error: json.JSONDecodeError) -> str:
    """What a template usually breaks a JSON text with, when it is that (adapters.contract.lenient_json mends
    it)."""
    before = error.doc[max(0, error.pos - 100) : error.pos].rstrip()
    if error.msg.startswith("Invalid control character"):
        return ": a line break or other control character within a string"
    if error.msg.startswith("Invalid \\"):
        return ": a backslash within a string"
    if error.msg.startswith("Expecting ',' delimiter") and before.endswith('"'):
        return ": a quote within a string, or no comma behind it"
    if error.msg.startswith("Illegal trailing comma") or (
        before.endswith(",") and error.doc[error.pos : error.pos + 1] in ("}", "]")
    ):
        return ": a comma behind the last item"
    return ""


def _too_deep(body: bytes) -> bool:
    """Whether brackets outside strings nest deeper than MAX_DEPTH."""
    depth = 0
    for token in _TOKEN.finditer(body):
        char = token[0]
        if char in (b"[", b"{"):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif char in (b"]", b"}"):
            depth -= 1
    return False
