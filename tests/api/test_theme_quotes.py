"""Quotes of a theme: short, telling, each of somebody else; and what they cost, whatever was said."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api import theme_quotes
from gateway.api.theme_quotes import LONGEST, as_markdown, passage, quotes

TERMS = ["export", "slow"]


@pytest.fixture(name="choose")
def _choose(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The texts of the quotes chosen from (who, text) in the order of their closeness."""

    def choose(*said: tuple[str | None, str], limit: int = 5) -> list[str]:
        rows = [
            {
                "id": f"fb_{n}",
                "source": "native",
                "received_at": 0,
                "words": text,
                "who": who,
                "closeness": 0.5,
            }
            for n, (who, text) in enumerate(said)
        ]
        monkeypatch.setattr(theme_quotes, "closest_words", lambda *_: rows)
        return [one["text"] for one in quotes("th", TERMS, 0, 1, limit)]

    return choose


def test_different_people_first(choose: Any) -> None:
    """One person is quoted twice only when there is nobody else; who gave no name may be anybody."""
    first, again = "The export is so slow today", "Slow export of my big table"
    assert choose(("ann", first), ("ann", again), ("ben", "Exports crawl, really slow"), limit=2) == [
        "Exports crawl, really slow",
        first,
    ]
    assert len(choose((None, first), (None, "Export: slow pages everywhere"))) == 2
    assert set(choose(("ann", first), ("ann", "Why would exporting take hours"))) == {
        first,
        "Why would exporting take hours",
    }


def test_not_the_same_twice(choose: Any) -> None:
    """Of those who say it in the same words one is enough, while others say it in their own."""
    same = "The export is slow"
    found = choose(("ann", same), ("ben", f"{same}!"), ("cas", "Export runs for an hour"), limit=2)

    assert sorted(found) == ["Export runs for an hour", same]


def test_what_tells_most_comes_first(choose: Any) -> None:
    """A text that names what the theme is about is quoted before one that does not; a word comes last."""
    found = choose(
        ("ann", "slow"), ("ben", "It has been like that for a while now"), ("cas", "Export is slow, alas")
    )

    assert found == ["Export is slow, alas", "It has been like that for a while now", "slow"]


def test_the_sentences_that_tell() -> None:
    """Of a long text those sentences are quoted that name the theme, whole."""
    around = "We met on a sunny day and talked about many things of no matter at all. " * 6
    told = "Then the export began. It was slow beyond belief."

    assert passage(f"{around}{told} {around}", TERMS) == told
    assert passage("  Export\n\nis slow.  ", TERMS) == "Export is slow."
    assert passage("", TERMS) == passage(" \n ", TERMS) == ""
    assert passage("x" * 3_000, TERMS) == "x" * LONGEST + " …"


@given(st.text(max_size=400), st.integers(1, 5))
def test_words_of_the_record(text: str, times: int) -> None:
    """A quote is never longer than it may be, and says nothing that does not stand in the text."""
    found = passage(text * times, TERMS)

    assert len(found) <= LONGEST + 2
    assert set(found.removesuffix(" …").split()) <= set((text * times).split()) or " …" in found


def test_markdown_is_made_of_words_alone() -> None:
    """No quote, label or source breaks out: each is escaped, and stands in a block of its own."""
    words = "# <b>x</b> [a](javascript:b) **c**"
    one = {"id": "fb_1", "text": words, "source": "na*tive", "received_at": "2026-01-01T00:00:00.000Z"}
    made = as_markdown(words, "th_1", [one])

    assert made.count("](<") == 2 and "/records/fb_1>)" in made and "/themes/th_1>)" in made
    plain = re.sub(r"\\.", "", made)  # without what is escaped
    assert "<b>" not in plain and "](javascript" not in plain and "**" not in plain
    assert "\n> \\# \\<b\\>" in made and "na\\*tive" in made
