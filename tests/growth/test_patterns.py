"""No regular expression takes steps that grow faster than the text it looks at, whatever the text."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from adapters import flora
from gateway.destinations.by_kind import discord, mattermost
from gateway.intake import redaction
from gateway.server import early_errors
from gateway.triage import impact, phrases
from models.queries.email_addresses import Address
from tests.growth.backtracking import Counted, TooMany
from tests.growth.patterns import Attacks, Found, every_pattern

FASTER = 2.3  # times the steps for twice the text, from which on it is not the text alone that grew
SPARE = 20  # steps that a text may take for its beginning and its end


@cache
def found() -> dict[str, Found]:
    """What is found when a test asks: it loads every module."""
    return every_pattern()


def made() -> dict[str, tuple[set[str], list[re.Pattern[Any]]]]:
    """Patterns that are made while the program runs, by the function that makes them, and their uses."""
    addresses = [Address("a-b@example.org"), Address("a\u0308\u0323@b\xfccher.example")]
    return {
        "adapters.flora:identifier": ({"fullmatch"}, [re.compile(f"ws_[^{flora.SPACE}]+")]),
        "gateway.destinations.markdown_text:escaped": (
            {"sub"},
            [re.compile(f"[{re.escape(one.MARKDOWN.marks)}]") for one in (discord, mattermost)],
        ),
        "gateway.intake.redaction:_list": ({"search"}, [redaction._list("variables")]),
        "gateway.intake.redaction:_member": ({"search"}, [redaction._member(("token", "response_url"))]),
        "gateway.server.early_errors:_doors": ({"fullmatch"}, [early_errors._doors()]),
        "gateway.triage.impact:_beginning": ({"match"}, [impact._beginning(("/checkout", "/pay"))]),
        "gateway.triage.phrases:__init__": ({"search", "match"}, [one._pattern for one in phrases._made]),
        "models.queries.email_addresses:__init__": (
            {"search", "finditer"},
            [one._pattern for one in addresses],
        ),
    }


def patterns() -> dict[str, Found]:
    return {
        **{name: item for name, item in found().items() if item.pattern is not None},
        **{
            f"{where} {number}": Found(where, pattern, used)
            for where, (used, patterns) in made().items()
            for number, pattern in enumerate(patterns)
        },
    }


def ways(counted: Counted, names: set[str]) -> Iterator[Callable[[str], object]]:
    if names & {"search", "sub", "subn", "split", "findall", "finditer"}:
        yield counted.find_all
    if "fullmatch" in names:
        yield counted.full
    if "match" in names:
        yield counted.first


def grows(item: Found, times: int, alphabet: int, most: int = 10_000) -> str | None:
    """A text on which a pattern's steps grow faster than it does; None when there is none."""
    assert item.pattern is not None
    attacks, counted = Attacks(item.pattern), Counted(item.pattern)
    pairs = list(zip(attacks.texts(times, alphabet), attacks.texts(2 * times, alphabet), strict=True))
    assert pairs
    pairs = pairs[:: max(1, len(pairs) // most)]
    for way in ways(counted, item.ways):
        for small, large in pairs:
            try:
                way(small)
                before = counted.steps
                way(large)
                if counted.steps > FASTER * before + SPARE:
                    return small
            except TooMany:
                return small
    return None


@pytest.mark.long
def test_every_pattern_is_tried() -> None:
    """A pattern that is only made while the program runs has an example here; nothing here is left over."""
    assert {name for name, item in found().items() if item.pattern is None} == set(made())
    assert len(found()) > 90


@pytest.mark.parametrize(
    ("times", "alphabet", "most"),
    [(12, 2, 50), pytest.param(60, 9, 10_000, marks=pytest.mark.long)],
    ids=["short", "long"],
)
def test_steps_grow_as_the_text_does(times: int, alphabet: int, most: int) -> None:
    """Twice the text takes a pattern at most 2.3 times the steps, on texts made for it from its own parts."""
    bad = {name: grows(item, times, alphabet, most) for name, item in patterns().items()}

    assert {name: text for name, text in bad.items() if text is not None} == {}


@pytest.mark.parametrize(
    "pattern",
    [
        r"[\s_-]+(?:severity|priority)\Z",
        r"https?://\S+|\S+@\S+",
        r"<([^<>]*\|[^<>]*)>",
        r"(?:a|aa)+b",
        r"(?:\w+\s?)*!",
        r"^\s*(.*?)\s*$",
        r"\d+(?=x)",
    ],
)
def test_what_is_slow_is_seen(pattern: str) -> None:
    """Patterns that take the square of the text's length, or worse, are told from the others."""
    assert grows(Found("", re.compile(pattern), {"search", "fullmatch"}), 12, 2) is not None


def test_counts_what_python_does() -> None:
    """What is counted finds what Python's own engine finds."""
    dice = random.Random(1)
    for item in patterns().values():
        pattern: Any = item.pattern
        texts, counted = list(Attacks(pattern).texts(6, 2)), Counted(pattern, few=10**6)
        for text in dice.sample(texts, 2):
            coded = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
            text = coded.decode("latin-1") if isinstance(coded, bytes) else text
            assert counted.find_all(text) == [one.span() for one in pattern.finditer(coded)], pattern
