"""The contract of every dialect: golden records and replies per fixture, and no crash on garbage.

A fixture is `tests/fixtures/<dialect>/<case>.json`: the `request`, and either the `records` it
becomes with the `reply` its sender gets, or the reply it is `refused` with.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import adapters
from adapters.contract import Adapter, Door, Inbound, Refused, Reply
from adapters.contract.record import Record, Saved
from tests.conftest import SHARED

FIXTURES = Path(__file__).parent.parent / "fixtures"
DIALECTS = adapters.load()
CASES = sorted(path for name in DIALECTS for path in (FIXTURES / name).glob("*.json"))
DOORS = [(adapter, door) for adapter in DIALECTS.values() for door in adapter.doors]
REQUEST_ID = "req_01M7YKE0A03YQ5NJTZ5ZC6B55X"
RECEIVED_AT = 1_795_249_602_859
EMPTY = asdict(Record(text=""))
# What a stored record looks like to a reply, where the request itself does not decide it.
STORED = {
    "id": "fb_01M7YKE0A594P82105QQX7AK1Z",
    "project_id": "prj_01M7YKE090FQ7NS816W2RSSN01",
    "category": "praise",
    "sentiment": "positive",
    "impact": 3,
    "received_at": "2026-11-21T08:26:42.859Z",
}
SCORES = {"bug": 0.2, "feature": 0.05, "question": 0.1, "praise": 0.6, "other": 0.05}


def inbound_of(request: dict[str, Any]) -> Inbound:
    body = request.get("text", "").encode() if "json" not in request else json.dumps(request["json"]).encode()
    return Inbound(
        request.get("method", "POST"),
        request["path"],
        request.get("headers", {}),
        body,
        request.get("query", {}),
        request.get("params", {}),
        options=request.get("options", {}),
        request_id=REQUEST_ID,
        received_at=RECEIVED_AT,
    )


def door_of(adapter: Adapter, inbound: Inbound) -> Door:
    return next(d for d in adapter.doors if (d.method, d.path) == (inbound.method, inbound.path))


def as_json(reply: Reply) -> Any:
    """An answer as fixtures write it: one that is no JSON by its type only."""
    body = reply.content_type if isinstance(reply.body, bytes) else reply.body
    return json.loads(json.dumps({"status": reply.status, "body": body}))


def shown(record: Record) -> Any:
    """A record without what it leaves at its default, the way fixtures write it."""
    told = {k: v for k, v in asdict(record).items() if k == "text" or v != EMPTY[k]}
    return json.loads(json.dumps(told, default=bytes.decode))


def name_of(value: Any) -> str:
    return (
        f"{value.parent.name}/{value.stem}" if isinstance(value, Path) else str(getattr(value, "name", value))
    )


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_fixture(path: Path) -> None:
    """A fixture's request becomes its records and its reply, or is refused with its refusal."""
    case, adapter = json.loads(path.read_text()), DIALECTS[path.parent.name]
    inbound = inbound_of(case["request"])
    door = door_of(adapter, inbound)

    if "refused" in case:
        with pytest.raises(Refused) as refused:
            door.read(inbound)
        assert as_json(adapter.refuse(refused.value.problem)) == case["refused"]
        return
    records = door.read(inbound)
    saved = [Saved("created", STORED, SCORES) for _ in records]
    assert [shown(record) for record in records] == case["records"]
    assert as_json(door.reply(inbound, saved)) == case["reply"]


@pytest.mark.parametrize("name", DIALECTS)
def test_has_fixtures_and_a_page(name: str) -> None:
    """Every dialect has fixtures of what it takes and what it refuses, and a page that says what it is."""
    cases = [json.loads(path.read_text()) for path in CASES if path.parent.name == name]
    page = FIXTURES.parent.parent / "docs" / "dialects" / f"{name}.md"

    assert any("records" in case for case in cases)
    turned_away = [case for case in cases if "refused" in case or not case["records"]]
    kept = [case for case in cases for record in case.get("records", ()) if record.get("unreadable")]
    assert turned_away or kept
    assert page.read_text().startswith(f"# {name}")


@pytest.mark.parametrize(("adapter", "door"), DOORS, ids=lambda value: getattr(value, "path", None))
def test_every_door_has_a_fixture(adapter: Adapter, door: Door) -> None:
    """No door is without a fixture."""
    paths = {
        json.loads(path.read_text())["request"]["path"] for path in CASES if path.parent.name == adapter.name
    }

    assert door.path in paths


GARBAGE = [
    b"",
    b" \n",
    b"[]",
    b"null",
    b"true",
    b'"text"',
    b"12",
    b'{"a": 1}',
    b"{",
    b"\xff\xfe",
    b"\x00",
    b"NaN",
    b"[" * 100_000,
    b'{"text": 1, "summary": [], "value": {}, "message": null, "id": 7, "projectId": {}}',
]


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:24]))
@pytest.mark.parametrize(("adapter", "door"), DOORS, ids=lambda value: getattr(value, "path", None))
def test_garbage_is_refused_in_dialect(adapter: Adapter, door: Door, body: bytes) -> None:
    """Bodies that mean nothing are refused with a 400 that is JSON and says why; they never crash.

    From senders that prove their origin they are kept as unreadable, or ignored, instead.
    """
    inbound = Inbound(door.method, door.path, {}, body)
    if adapter.signed:
        assert all(record.unreadable for record in door.read(inbound))
        return
    with pytest.raises(Refused) as refused:
        door.read(inbound)

    problem = refused.value.problem
    assert problem.status == 400
    assert problem.message in json.dumps(adapter.refuse(problem).body, ensure_ascii=False)


@pytest.mark.skipif(not (SHARED / "samples").exists(), reason="no collection of recorded payloads here")
def test_recorded_payloads() -> None:
    """Every payload in a collection of recorded ones becomes records, nothing, or a reason; none raises."""
    outcomes: dict[str, list[str]] = {}
    for name, adapter in DIALECTS.items():
        if adapter.signed is None:
            continue
        for path in sorted((SHARED / "samples" / name).glob("*.*")):
            door = adapter.doors[0]
            records = door.read(
                Inbound(door.method, door.path, {}, path.read_bytes(), received_at=RECEIVED_AT)
            )
            reply = door.reply(Inbound(door.method, door.path, {}, path.read_bytes()), [])
            kinds = "quarantined" if any(record.unreadable for record in records) else "recorded"
            outcomes.setdefault(kinds if records else "ignored", []).append(f"{name}/{path.name}")

            assert 200 <= reply.status < 300
            json.dumps([asdict(record) for record in records])
    assert len(outcomes["recorded"]) > len(outcomes["ignored"])


@pytest.mark.parametrize("adapter", DIALECTS.values(), ids=name_of)
def test_reading_leaves_the_request_alone(adapter: Adapter) -> None:
    """A request can be read twice with the same result: replays and previews depend on it."""
    for path in CASES:
        case = json.loads(path.read_text())
        if path.parent.name != adapter.name or "records" not in case:
            continue
        inbound = inbound_of(case["request"])
        door = door_of(adapter, inbound)

        assert door.read(inbound) == door.read(inbound)
