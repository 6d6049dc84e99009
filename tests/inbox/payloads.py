"""Fixtures of every sender with other words in their texts, at one place or at many."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from adapters.contract import Adapter, Door, Inbound, Refused
from tests.adapters.test_adapters import CASES, DIALECTS, door_of, inbound_of

Change = Callable[[int, str], str]
FORM = "application/x-www-form-urlencoded"


def walked(value: Any, change: Change, count: Iterator[int]) -> Any:
    """A JSON value with each of its texts changed, by its number."""
    if isinstance(value, dict):
        return {name: walked(item, change, count) for name, item in value.items()}
    if isinstance(value, list):
        return [walked(item, change, count) for item in value]
    return change(next(count), value) if isinstance(value, str) else value


def payload(request: dict[str, Any], change: Change) -> bytes:
    """A fixture's body with each text changed: JSON, lines of JSON, or a form, also with JSON in it."""
    count = iter(range(100_000))
    if "json" in request:
        return json.dumps(walked(request["json"], change, count)).encode()
    text = request["text"]
    if request.get("headers", {}).get("content-type", "") == FORM:
        pairs = [(name, _text(value, change, count)) for name, value in parse_qsl(text)]
        return urlencode(pairs, errors="surrogatepass").encode()
    lines = text.split("\n") if len(text.split("\n")) > 1 else [text]
    return "\n".join(_text(line, change, count, sized=len(lines) > 1) for line in lines).encode(
        "utf-8", "replace"
    )


def _text(text: str, change: Change, count: Iterator[int], *, sized: bool = False) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return change(next(count), text)
    if not isinstance(value, dict | list):
        return change(next(count), text)
    if sized and isinstance(value, dict):  # an item of an envelope, whose length is another one now
        value = {name: item for name, item in value.items() if name != "length"}
    return json.dumps(walked(value, change, count))


# Of each sender the largest fixtures, which have nearly every text that the others have.
FULLEST = {
    name: sorted((path for path in CASES if path.parent.name == name), key=lambda path: -path.stat().st_size)[
        :2
    ]
    for name in DIALECTS
}


@dataclass(frozen=True)
class Case:
    """A fixture, and which of its texts may be any words without it being refused or kept unread."""

    path: Path
    adapter: Adapter
    request: dict[str, Any]
    places: tuple[int, ...]
    free: frozenset[int]

    def body(self, words: Callable[[int], str], where: frozenset[int]) -> bytes:
        return payload(self.request, lambda at, text: words(at) if at in where else text)


def case_of(path: Path) -> Case | None:
    """A fixture that becomes records, or None."""
    case = json.loads(path.read_text())
    request, adapter = case["request"], DIALECTS[path.parent.name]
    if not case.get("records") or not ("json" in request or "text" in request):
        return None
    inbound = inbound_of(request)
    door = door_of(adapter, inbound)
    found: list[int] = []
    payload(request, lambda at, text: found.append(at) or text)  # type: ignore[func-returns-value]
    good = read(door, inbound, payload(request, lambda at, text: text))

    def is_free(place: int) -> bool:
        changed = payload(request, lambda at, text: f"plain words {at}" if at == place else text)
        return good is not None and read(door, inbound, changed) == good

    return Case(path, adapter, request, tuple(found), frozenset(filter(is_free, found)))


def read(door: Door, inbound: Inbound, body: bytes) -> int | None:
    """How many records a body becomes; None when it is refused or kept unread."""
    try:
        records = door.read(replace(inbound, body=body, checked={}))
    except Refused:
        return None
    return None if any(record.unreadable for record in records) else len(records)
