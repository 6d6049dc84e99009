"""The one JSON parser: what it refuses, what it cleans, and that it never does worse."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract.strict_json import MAX_DEPTH, InvalidJSON, parse

REFUSED = {
    b"": "empty",
    b" \r\n\t ": "empty",
    b"{": "line 1",
    b'{"a":1} x': "column 9",
    b"{'a':1}": "line 1",
    b"NaN": "NaN",
    b"[-Infinity]": "Infinity",
    b"1e400": "range",
    b"[-1e999]": "range",
    b"9" * 5000: "digits",
    b"\xff": "UTF-8",
    b'"\xc3"': "UTF-8",
    b'"\xed\xa0\x80"': "UTF-8",  # a surrogate encoded as if it were a character
    '"é"'.encode("latin-1"): "UTF-8",
    '{"a":1}'.encode("utf-16"): "UTF-8",
    b'"\x00"': "valid JSON",
    b'"\n"': "valid JSON",
    b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1): "deeper",
    b"[" * 100_000: "deeper",
    b'{"a":' * 100_000: "deeper",
}


@pytest.mark.parametrize(("body", "why"), REFUSED.items(), ids=lambda value: repr(value)[:30])
def test_refuses(body: bytes, why: str) -> None:
    """What is not one strict JSON text is refused, and the message says why."""
    with pytest.raises(InvalidJSON, match=why):
        parse(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'"\uDE00 alone"', "\ufffd alone"),
        (rb'{"k\u0000":["a\u0000b"]}', {"k\ufffd": ["a\ufffdb"]}),
        (rb'"\\ud800 is only text"', r"\ud800 is only text"),
        (b'["' + b"[" * 500 + b'"]', ["[" * 500]),
        (b"[" + b"[]," * 500 + b"[]]", [[]] * 501),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)),
        (b"1E3", 1000.0),
        (b"-0", 0),
    ],
    ids=repr,
)
def test_accepts(body: bytes, value: Any) -> None:
    """What is JSON is read as Python reads it, with NUL and lone surrogates replaced."""
    assert parse(body) == value


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(ANY_JSON)
def test_reads_what_json_writes(value: Any) -> None:
    """Every value that JSON can write and a database can store is read back equal."""
    clean = json.loads(json.dumps(value).replace(r"\u0000", r"\ufffd"))

    assert parse(json.dumps(value).encode()) == clean


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_never_crashes(body: bytes) -> None:
    """Any bytes give a value a database can hold, or InvalidJSON."""
    try:
        value = parse(body)
    except InvalidJSON:
        return

    json.dumps(value, ensure_ascii=False).encode()


@given(
    ANY_JSON.map(lambda value: json.dumps(value).encode()), st.integers(min_value=0), st.binary(max_size=3)
)
def test_broken_json_never_crashes(body: bytes, at: int, junk: bytes) -> None:
    """Valid JSON with bytes overwritten gives a value or InvalidJSON."""
    at %= len(body)
    with contextlib.suppress(InvalidJSON):
        parse(body[:at] + junk + body[at + len(junk) :])
