"""What the tests of alert senders share: a hook, requests, and fixtures with something hostile in them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import strategies as st

from adapters.contract import Adapter, Hook, Inbound
from adapters.contract.record import Record
from tests.adapters.test_adapters import FIXTURES, inbound_of
from tests.conftest import SHARED

NOW = 1_795_249_602_859  # milliseconds
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
ODD = st.sampled_from(["", " ", 0, -1, 1e300, 10**30, [], {}, [[]], [{}], {"": None}, "firing"])
ANY_JSON = ODD | st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def hook(adapter: Adapter, *secrets: str, **options: Any) -> Hook:
    return Hook("hk_test", adapter.name, secrets, options=options)


def request(adapter: Adapter, body: bytes | Any = b"{}", **headers: str) -> Inbound:
    """A request to an adapter's first door; header names are written with underscores."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Inbound("POST", adapter.doors[0].path, named, raw, params={"hook_id": "hk_test"}, received_at=NOW)


def proves(adapter: Adapter, inbound: Inbound, hook: Hook) -> bool:
    """Whether the request proves its origin; an exception is a no, as in the gateway."""
    assert adapter.signed
    try:
        return adapter.signed.verify(inbound, hook)
    except Exception:
        return False


def sample(adapter: Adapter, name: str, **options: Any) -> list[Record]:
    """What a vendor's own payload becomes; skips where the collection of samples is not at hand."""
    path = SHARED / "samples" / adapter.name / name
    if not path.exists():
        pytest.skip(f"no vendor samples at {path.parent}")
    inbound = Inbound("POST", adapter.doors[0].path, {}, path.read_bytes(), options=options)
    return adapter.doors[0].read(inbound)


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a JSON value, the value itself first."""
    yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*here, key))


def mutations(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """A dialect's fixture requests, with the value at any one place replaced by any JSON value."""
    requests = [json.loads(path.read_text())["request"] for path in sorted((FIXTURES / name).glob("*.json"))]
    spots = [(sent, place) for sent in requests if "json" in sent for place in places(sent["json"])]

    def replaced(spot: tuple[dict[str, Any], tuple[Any, ...]], value: Any) -> dict[str, Any]:
        sent = copy.deepcopy(spot[0])
        parent, place = sent, ("json", *spot[1])
        for key in place[:-1]:
            parent = parent[key]
        parent[place[-1]] = value
        return sent

    return st.builds(replaced, st.sampled_from(spots), ANY_JSON)


def check_hostile(adapter: Adapter, sent: dict[str, Any]) -> None:
    """Whatever is in a payload, it becomes records that can be written as JSON, the same ones twice."""
    inbound = inbound_of(sent)
    door = next(door for door in adapter.doors if door.method == inbound.method)
    records = door.read(inbound)

    assert door.read(inbound_of(sent)) == records
    json.dumps([asdict(record) for record in records], allow_nan=False)
    for record in records:
        said = record.text and record.title and "\n" not in record.title
        assert record.unreadable or said or (record.retracts and record.comment)
        assert len(record.title) <= 200
        assert record.severity in (None, 1, 2, 3, 4, 5)
        assert all(isinstance(tag, str) for tag in record.tags)
        assert all(
            isinstance(key, str | None) for key in (record.dedupe_key, record.incident_key, record.joins)
        )
        assert (record.state is None) == (record.incident_key is None)
    assert door.reply(inbound, []).status < 300
