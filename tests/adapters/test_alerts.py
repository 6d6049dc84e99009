"""Reading alerts without trust: times, words, labels and what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.common.alerts import fingerprint_of, option_words
from adapters.common.plain_text import one_line
from adapters.common.severities import severity_of
from adapters.common.times import moment_of
from adapters.common.untrusted_json import first_scalar, first_text, first_url


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2026-05-04T07:30:00Z", 1_777_879_800_000),
        ("2026-05-04T07:30:00.123456789Z", 1_777_879_800_123),
        ("2026-05-04T09:30:00.5+02:00", 1_777_879_800_500),
        ("2016-08-12 15:26:29 UTC", 1_471_015_589_000),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times(text: str, milliseconds: int | None) -> None:
    """Offsets and nanoseconds are read; the year 1, as Go writes no time, and nonsense are none."""
    assert moment_of(text) == milliseconds


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        *(("critical", 5), ("page", 5), ("FATAL", 5), ("P1", 5), ("error", 4), ("high", 4), ("P2", 4)),
        *(("warning", 3), ("medium", 3), ("P3", 3), ("low", 2), ("P4", 2), (" info ", 1), ("P5", 1)),
        *(("none", None), ("", None), ("purple", None)),
    ],
)
def test_severities(word: str, severity: int | None) -> None:
    """Every usual word for how bad it is has a number; none and other words have none."""
    assert severity_of(word) == severity


def test_fingerprints() -> None:
    """A computed fingerprint is 64-bit FNV-1a, the same whatever the order of labels."""
    assert fingerprint_of({}) == "cbf29ce484222325"
    assert fingerprint_of({"a": "1", "b": "2"}) == fingerprint_of({"b": "2", "a": "1"})
    assert fingerprint_of({"a": "1", "b": "2"}) != fingerprint_of({"a": "1b", "2": ""})


@pytest.mark.parametrize("value", [None, True, 7, 1.5, [], {}, ["a"], {"a": 1}, "", " \n"])
def test_what_is_no_text_is_passed_over(value: Any) -> None:
    """A value of another type or only white space is as good as absent."""
    assert first_text({"a": value, "b": " later "}, "a", "b") == "later"
    assert first_text({"a": value}, "a") == ""


def test_words_may_be_numbers() -> None:
    """An id written as a number is read as its digits, but true and false are no words."""
    assert first_scalar({"a": True, "b": 9007199254740993123}, "a", "b") == "9007199254740993123"


def test_only_web_addresses_are_addresses() -> None:
    """A path or a script is no address, the next candidate is taken."""
    assert (
        first_url({"a": "/graph", "b": "javascript:alert(1)", "c": "https://x.example"}, *"abc")
        == "https://x.example"
    )
    assert first_url({"a": "/graph"}, "a") == ""


def test_titles_are_one_line() -> None:
    """A title is one line of at most 200 characters."""
    assert one_line(" a\n b\t c ") == "a b c"
    assert one_line("x" * 201) == "x" * 199 + "…"


@pytest.mark.parametrize(
    ("given", "words"),
    [(["A", 1, "B"], ["A", "B"]), ("A, B", ["A", "B"]), ([], []), (None, ["D"]), (7, ["D"])],
)
def test_options_that_list_words(given: Any, words: Any) -> None:
    """Words are listed as an array or with commas; anything else leaves the default."""
    assert set(option_words({"names": given}, "names", ("D",))) == set(words)
