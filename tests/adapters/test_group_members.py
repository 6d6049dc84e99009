"""Deliveries of several members: a bad one is held, and its siblings are stored all the same."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from models import Delivery, Event, Feedback, Quarantine
from models.database.base import database
from models.tables.delivery import whole
from tests.conftest import Call, Tenant
from tests.intake.test_deliveries import MADE, sender

both = pytest.mark.both


def alerts(body: bytes) -> bytes:
    sent = json.loads(body)
    sent["alerts"][1] = {"status": "firing", "labels": {}, "startsAt": "2026-05-04T07:30:00Z"}
    return json.dumps(sent).encode()


def messages(body: bytes) -> bytes:
    sent = json.loads(body)
    del sent["messages"][1]["incident"]["id"]
    return json.dumps(sent).encode()


def items(body: bytes) -> bytes:
    sent = json.loads(body)
    sent["page"]["list"][1] = {"words": "elsewhere"}
    return json.dumps(sent).encode()


def envelope(body: bytes) -> bytes:
    lines = body.split(b"\n")
    return b"\n".join([*lines[:6], b'{"contexts": {"feedback": {"message": 7}}}', *lines[7:]])


# What makes the second member of a delivery unreadable, by dialect, and whether only that is held.
SPOILT: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
    "alertmanager": (alerts, True),
    "grafana": (alerts, True),
    "pagerduty": (messages, True),
    "generic": (items, True),
    "sentry_envelope": (envelope, False),
}


def test_every_dialect_is_here() -> None:
    assert set(SPOILT) == set(MADE)


@both(long=True)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "grafana" else pytest.mark.long) for name in SPOILT]
)
def test_siblings_are_stored(call: Call, tenant: Tenant, name: str) -> None:
    """Of three members two become records; the third is held, and its replay makes no second ones."""
    body_of, options = MADE[name]
    spoil, apart = SPOILT[name]
    body = spoil(body_of(3))
    sender(call, tenant, name, options)(body)
    (held,) = Quarantine.select()
    (delivery,) = Delivery.select()

    assert Feedback.select().count() == 2
    assert whole(delivery.id) == body
    assert all(bytes(event.payload) for event in Event.select())
    assert (len(bytes(held.payload)) < len(body)) is apart

    assert call("POST", f"/gateway/v1/quarantine/{held.id}/replay").json["replayed"] is False
    assert Feedback.select().count() == 2


@both(long=True)
def test_held_items_by_a_better_map(call: Call, tenant: Tenant) -> None:
    """Items that a map did not fit are read once it does, though the body around them is not there."""
    send = sender(call, tenant, "generic", {"map": {"items": "page.list[?kind=='a']", "text": "text"}})
    said = [{"kind": "a", "text": "One"}, {"kind": "a", "words": "Two"}, {"kind": "b", "words": "Three"}]
    send(json.dumps({"page": {"list": said}}).encode())
    (hook,) = database.execute_sql("SELECT options FROM hook").fetchone()
    changed = hook.replace('"text": "text"', '"text": "text || words"').replace(
        '"text":"text"', '"text":"text || words"'
    )
    database.execute_sql("UPDATE hook SET options = ?", (changed,))
    assert call("POST", f"/gateway/v1/quarantine/{Quarantine.get().id}/replay").status_code == 200

    assert sorted(row.text for row in Feedback.select()) == ["One", "Two"]
