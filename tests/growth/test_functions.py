"""Whatever reads a text of strangers takes time that grows as the text does, on the real engine."""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

import adapters
from adapters.common import plain_text, severities
from adapters.contract import strict_json
from adapters.contract.record import Record
from gateway.api import filters
from gateway.background import keywords, minhash
from gateway.core import client_address
from gateway.intake import batch_items, repeat_reports, store
from gateway.triage import tokenizer as triage
from models.queries.personal_data import Person
from models.tables import search_words as searched

pytestmark = pytest.mark.long

# What is repeated: signs that begin or end something for one of the readers.
SEEDS = (
    *("a", " ", "\n", "\r", "\t", "-", "_", "[", "]", "(", "<", "{", "}", '"', "'", "&", "@", "`", "%", "#"),
    *("/", "/a", "\\", "a.", "1", "1.", "!", "?", ".", ",", ";", "=", ":", ":)", "d'", "a-", "a'", "\x00"),
    *("<@1>", "<a|b>", "&amp;", "%%%", "@a", "a@", "```", "http://a ", "www.", "**", "- ", "<!--", "<img"),
    *("[P1]", "[Triggered on {a}]", "[[a](", "![a](b)", "[Monitor Status](http://a", "at a(", '"a" ', "-a "),
    *("é", "\u0301", "\u0315\u0300", "\u0344", "ß", "ﷺ", "한", "🙂", "İ", "\ud83d"),
)
LENGTH, TIMES = 20_000, 4  # characters, and how many times as many
FASTER = 8.0  # times the CPU: between 4 of what grows as the text does and 16 of what grows as its square
LEAST = 0.002  # seconds of CPU, below which nothing is told
TRIES = 4  # other programs are in the way at times, and never make a square look like less


def readers() -> dict[str, Callable[[str], object]]:
    """The functions of a dialect's modules that take one value, and those of the trunk that read texts."""
    found: dict[str, Callable[[str], object]] = {
        "discord": lambda said: plain_text.discord_plain(said, {"1": "n" * 100}),
        "labels": lambda said: severities.severity_of_labels([said]),
        "json": lambda said: strict_json.parse(said.encode("utf-8", "replace")),
        "json text": lambda said: strict_json.parse(b'"' + said.encode("utf-8", "replace")),
        "words": keywords.words,
        "pieces": lambda said: minhash.pieces(said.split()),
        "fingerprint": lambda said: repeat_reports.fingerprint(Record(said)),
        "searched": lambda said: searched.words_of({"title": "", "text": said, "language": None}),
        "query": searched.read_query,
        "triage": triage.read,
        "shorten": store.shorten,
        "bounded": store.bounded,
        "lines": lambda said: batch_items.items_of(said.encode("utf-8", "replace"), "application/x-ndjson"),
        "array": lambda said: batch_items.items_of(b"[" + said.encode("utf-8", "replace"), ""),
        "filter": filters.parse,
        "filter q": lambda said: filters.parse(f"q={said}"),
        "proxies": lambda said: client_address.client_address(
            "10.0.0.1", {"x-forwarded-for": said, "forwarded": said}, client_address.networks("10.0.0.0/8")
        ),
        "person": Person("a.b@example.org").mentioned,
        "payload": Person("a.b@example.org").is_in,
    }
    for module in pkgutil.walk_packages(adapters.__path__, "adapters."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if inspect.isfunction(value) and value.__module__ == module.name and takes_one(value):
                found[f"{module.name.rpartition('.')[2]}.{name}"] = value
    return found


def takes_one(function: Callable[..., object]) -> bool:
    """Whether a function needs one value, which may be a text."""
    needed = [
        one
        for one in inspect.signature(function).parameters.values()
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    return [one.annotation for one in needed] in (["str"], ["Any"])


def cpu(act: Callable[[str], object], said: str) -> float:
    """The seconds of CPU that a reader takes, whatever it says of the text."""
    began = time.thread_time()
    with suppress(Exception):
        act(said)
    return time.thread_time() - began


@pytest.fixture(name="no_pauses", autouse=True)
def _no_pauses() -> Iterator[None]:
    """Collecting garbage takes its time at moments that have nothing to do with the text."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", readers())
def test_time_grows_as_the_text_does(name: str) -> None:
    """Four times the text takes a reader at most eight times as long; a square would be sixteen times."""
    act: Any = readers()[name]
    for seed in SEEDS:
        for end in ("", "!"):
            short, long = seed * (LENGTH // len(seed)) + end, seed * (TIMES * LENGTH // len(seed)) + end
            for _ in range(TRIES):
                before, after = min(cpu(act, short), cpu(act, short)), cpu(act, long)
                if after <= max(LEAST, FASTER * before):
                    break
            else:
                pytest.fail(f"{seed + end!r}: {before:.4f} s, and {after:.4f} s of {TIMES} times as much")
