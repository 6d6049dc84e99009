"""Deliveries of several members: a bad one is held, and its siblings are stored all the same."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from adapters.common.envelopes import MOST_ITEMS
from models import Delivery, Event, Feedback, Quarantine
from models.database.base import database
from models.tables.delivery import whole
from tests.conftest import Call, Tenant
from tests.intake.test_deliveries import MADE, kept_of, sender

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


# What makes the second member of a delivery unreadable, by dialect.
SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "alertmanager": alerts,
    "grafana": alerts,
    "pagerduty": messages,
    "generic": items,
    "sentry_envelope": envelope,
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
    body = SPOILT[name](body_of(3))
    sender(call, tenant, name, options)(body)
    (held,) = Quarantine.select()
    (delivery,) = Delivery.select()

    assert Feedback.select().count() == 2
    assert whole(delivery.id) == kept_of(name, body)
    assert all(bytes(event.payload) for event in Event.select())
    assert len(bytes(held.payload)) < len(body)

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


@both(long=True)
def test_the_rest_of_an_envelope(call: Call, tenant: Tenant) -> None:
    """Of an envelope of too many items the first are stored, and a replay stores the rest."""
    body_of, options = MADE["sentry_envelope"]
    shared = b'{"event_id": "%032x"}\n' % 7  # by which all of them are known
    body = shared + body_of(MOST_ITEMS + 2).partition(b"\n")[2]
    sender(call, tenant, "sentry_envelope", options)(body)
    held = f"/gateway/v1/quarantine/{Quarantine.get().id}"
    stored = Feedback.select().count()

    assert stored == MOST_ITEMS
    assert call("POST", f"{held}/replay").json["replayed"] is True
    assert Feedback.select().count() == MOST_ITEMS + 2
