"""What a door makes of a delivery grows as the delivery does, however its parts are multiplied."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from adapters.contract import Refused
from adapters.contract.record import Saved
from tests.adapters.mutation import paths_of, put
from tests.adapters.test_adapters import CASES, DIALECTS, FIXTURES, SCORES, STORED, door_of, inbound_of

Path = tuple[Any, ...]
WORD = "x" * 8
FASTER, SPARE = 2.3, 200  # times as much, and characters that are always there


def at(value: Any, path: Path) -> Any:
    for name in path:
        value = value[name]
    return value


def many(value: Any, times: int) -> Any:
    """An array or object with so many more entries like its first one."""
    if isinstance(value, dict):
        first = next(iter(value.values()), None)
        more = first if isinstance(first, dict) else str(first)[:20]
        return {**value, **{f"n{number}": more for number in range(times)}}
    item = value[0]
    more = [f"{item}{number}" if isinstance(item, str) else copy.deepcopy(item) for number in range(times)]
    return [*value, *more]


def sizes(request: dict[str, Any], name: str, sent: Any) -> tuple[int, int]:
    """Characters of a delivery, and of the records and the answer it becomes."""
    adapter, inbound = DIALECTS[name], inbound_of({**request, "json": sent})
    door = door_of(adapter, inbound)
    try:
        records = door.read(inbound)
        reply = door.reply(inbound, [Saved("created", STORED, SCORES) for _ in records])
    except Refused as refused:
        records, reply = [], adapter.refuse(refused.problem)
    made = [[asdict(record) for record in records], reply.body]
    return len(inbound.body), len(json.dumps(made, default=list))


def attacked(sent: Any, long: Path, text: Path, times: int) -> Any:
    """A delivery in which one array or object is long, and a text elsewhere."""
    return put(put(sent, text, at(sent, text) + WORD * times), long, many(at(sent, long), times))


def places_in(sent: Any) -> Iterator[tuple[Path, Path]]:
    """Each array and object of a delivery, with each text that is not in it."""
    places = paths_of(sent)
    texts = [path for path in places if isinstance(at(sent, path), str)]
    for path in places:
        if (value := at(sent, path)) and isinstance(value, list | dict):
            yield from ((path, text) for text in texts if text[: len(path)] != path)


def is_bounded(request: dict[str, Any], name: str, long: Path, text: Path, times: int) -> bool:
    """Whether twice as much is made of a delivery of which these parts are twice as long."""
    (sent, made), (twice, more) = (
        sizes(request, name, attacked(request["json"], long, text, size)) for size in (times, 2 * times)
    )
    return more <= FASTER * max(1.0, twice / sent / 2) * made + SPARE


@pytest.mark.parametrize(
    ("name", "case", "long", "text"),
    [
        ("orq", "defects_many", ("value",), ("property",)),
        ("orq", "evaluation_string_array", ("values",), ("human_review_id",)),
        ("alertmanager", "firing", ("alerts",), ("groupKey",)),
        ("grafana", "firing", ("alerts",), ("receiver",)),
        ("discord", "markup", ("data", "options"), ("data", "resolved", "roles", "701", "name")),
    ],
)
def test_what_all_share_is_short(name: str, case: str, long: Path, text: Path) -> None:
    """A text that a delivery has once, and each of its entries keeps, is cut."""
    request = json.loads((FIXTURES / name / f"{case}.json").read_text())["request"]

    assert is_bounded(request, name, long, text, 200)


@pytest.mark.long
@pytest.mark.parametrize("name", DIALECTS)
def test_what_is_made_grows_as_the_delivery_does(name: str) -> None:
    """Of a delivery with twice as long a list and a text twice as long, at most 2.3 times is made."""
    seen, bad = set[Any](), []
    for path in (path for path in CASES if path.parent.name == name):
        request = json.loads(path.read_text())["request"]
        for long, text in places_in(request["json"]) if "json" in request else ():
            # The same place in several deliveries, or in several entries of a list, is one.
            same = (request["path"], *(tuple(n for n in one if isinstance(n, str)) for one in (long, text)))
            if same not in seen and not is_bounded(request, name, long, text, 100):
                bad.append(f"{path.stem}: {long} {text}")
            seen.add(same)

    assert bad == []
