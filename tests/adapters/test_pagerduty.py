"""PagerDuty: signatures while secrets are rotated, and the life of an incident."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from adapters.common.signatures import hmac_hex
from adapters.contract import Problem
from adapters.contract.record import Record
from adapters.pagerduty import ADAPTER, OLD_STATES, STATES
from tests.adapters.alert_senders import check_hostile, hook, mutations, proves, request, sample
from tests.conftest import SHARED

SECRET, OLD = "new-secret-of-pagerduty", "the-one-before"
HOOK = hook(ADAPTER, SECRET, OLD)
BODY = '{"event": {"event_type": "incident.triggered", "data": {"title": "Küche"}}}'.encode()
GOOD = f"v1={hmac_hex(SECRET, BODY)}"
GOOD_OLD = f"v1={hmac_hex(OLD, BODY)}"


def read(sent: Any, **headers: str) -> list[Record]:
    return ADAPTER.doors[0].read(request(ADAPTER, sent, **headers))


def event(kind: Any = "incident.triggered", **data: Any) -> dict[str, Any]:
    return {"event": {"id": "01E", "event_type": kind, "data": {"id": "PI", "title": "Disk is full", **data}}}


@pytest.mark.parametrize(
    "header",
    [
        GOOD,
        GOOD_OLD,
        f"v1={'0' * 64},{GOOD}",
        f"{GOOD_OLD} , v1={'0' * 64}",
        f"v2=abc,, v1 ,{GOOD}",
    ],
)
def test_any_good_signature_is_good(header: str) -> None:
    """One entry by one live secret is enough; spaces and other versions do not matter."""
    assert proves(ADAPTER, request(ADAPTER, BODY, x_pagerduty_signature=header), HOOK)


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            ",",
            "v1=",
            "v1",
            GOOD[3:],
            GOOD[:-1],
            f"{GOOD}0",
            GOOD.upper(),
            f"v0={GOOD[3:]}",
            f"v2={GOOD[3:]}",
        ),
        *(f"v1={'0' * 64}", f"v1={'é' * 64}", "v1=\udcff", f"{GOOD};{GOOD}", f"sha256={GOOD[3:]}"),
    ],
)
def test_anything_else_proves_nothing(header: str) -> None:
    """A wrong, cut, malformed or non-ASCII signature is none, also when the secret is shown beside it."""
    shown = request(ADAPTER, BODY, x_pagerduty_signature=header, authorization=f"Bearer {SECRET}")

    assert not proves(ADAPTER, request(ADAPTER, BODY, x_pagerduty_signature=header), HOOK)
    assert not proves(ADAPTER, shown, HOOK)


@pytest.mark.parametrize("at", [0, len(BODY) // 2, len(BODY) - 1])
def test_a_flipped_byte(at: int) -> None:
    """One changed bit of the body breaks the signature."""
    flipped = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]

    assert not proves(ADAPTER, request(ADAPTER, flipped, x_pagerduty_signature=GOOD), HOOK)


def test_a_secret_that_is_no_longer_live() -> None:
    """After a rotation has ended the old secret proves nothing, and no secret proves nothing at all."""
    assert not proves(ADAPTER, request(ADAPTER, BODY, x_pagerduty_signature=GOOD_OLD), hook(ADAPTER, SECRET))
    assert not proves(ADAPTER, request(ADAPTER, BODY, x_pagerduty_signature=GOOD), hook(ADAPTER))


def test_old_webhooks_show_the_secret() -> None:
    """Version 2 signs nothing: without a signature header the secret is shown instead."""
    assert proves(ADAPTER, request(ADAPTER, authorization=f"Bearer {SECRET}"), HOOK)
    assert not proves(ADAPTER, request(ADAPTER, authorization=f"Bearer {SECRET}x"), HOOK)
    assert not proves(ADAPTER, request(ADAPTER), HOOK)


def test_advice_and_busy() -> None:
    """The advice holds address and hook; a 429 stays one, since PagerDuty tries again."""
    assert ADAPTER.signed
    shown = ADAPTER.signed.advice.format(url="https://gw.example/hooks/x", secret="abc", hook_id="hk_1")

    assert "Webhook URL: https://gw.example/hooks/x" in shown
    assert "hook rotate hk_1 --secret" in shown
    assert ADAPTER.refuse(Problem(429, "rate_limited", "Slow down")).status == 429


@pytest.mark.parametrize(("kind", "state"), STATES.items())
def test_states(kind: str, state: str) -> None:
    """Every event of an incident's life says its state."""
    [record] = read(event(kind))

    assert (record.state, record.incident_key, record.kind) == (state, "PI", kind)


@pytest.mark.parametrize(("kind", "state"), OLD_STATES.items())
def test_old_states(kind: str, state: str) -> None:
    """The older words say the same, in versions 1 and 2."""
    incident = {"id": "PI", "trigger_summary_data": {"description": "Disk is full"}}
    [first] = read({"messages": [{"type": kind, "data": {"incident": incident}}]})
    [second] = read({"messages": [{"event": kind, "incident": incident}]})

    assert (first.state, second.state) == (state, state)
    assert (first.title, second.incident_key) == ("Disk is full", "PI")


@pytest.mark.parametrize(
    "kind",
    [
        *("incident.escalated", "incident.reassigned", "incident.delegated", "incident.service_updated"),
        *(
            "incident.responder.added",
            "incident.workflow.started",
            "incident.role.assigned",
            "service.created",
        ),
        *("incident.custom_field_values.updated", "pagey.ping", "something.new"),
    ],
)
def test_ignored(kind: str) -> None:
    """What changes nothing here is ignored, also what is not known yet."""
    assert read(event(kind)) == []


@pytest.mark.parametrize(
    ("data", "severity"),
    [
        *(({"priority": {"summary": f"P{n}"}, "urgency": "low"}, 6 - n) for n in range(1, 6)),
        ({"priority": {"summary": "SEV-1"}}, 5),
        ({"priority": {"summary": "Ours"}, "urgency": "high"}, 4),
        ({"priority": None, "urgency": "high"}, 4),
        ({"priority": None, "urgency": "low"}, 2),
        ({}, None),
    ],
)
def test_severity(data: dict[str, Any], severity: int | None) -> None:
    """The priority counts when its name says something, else the urgency."""
    [record] = read(event(**data))

    assert record.severity == severity


def test_keys_of_deliveries() -> None:
    """X-Webhook-Id is one delivery, whatever is in it; without it the event's id and type are."""
    assert read(event(), x_webhook_id="abc")[0].dedupe_key == "abc"
    assert read(event())[0].dedupe_key == "01E:incident.triggered"


def test_the_key_of_the_monitoring_tool_joins() -> None:
    """incident_key is what another source knows the story by."""
    assert read(event(incident_key="agg-1"))[0].joins == "agg-1"
    assert read(event(incident_key=None))[0].joins is None


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({}, "event: Required"),
        ({"event": "incident.triggered"}, "event: Expected object, received string"),
        ({"event": {"event_type": 7}}, "event.event_type: Required"),
        (event(id=None), "incident.id: Required"),
        ({"messages": ["x"]}, "messages: Expected array of objects"),
        ({"messages": [{}]}, "messages.event: Required"),
        ([], "body: Expected object, received array"),
    ],
)
def test_what_is_not_understood_is_kept(sent: Any, why: str) -> None:
    """A delivery in another shape is kept with what is wrong with it."""
    assert [record.unreadable for record in read(sent)] == [why]


@settings(max_examples=150, deadline=None)
@given(mutations("pagerduty"))
def test_survives_hostile_values(sent: dict[str, Any]) -> None:
    """Any JSON value at any place gives records or a reason to keep the delivery raw, never a crash."""
    check_hostile(ADAPTER, sent)


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("incident_triggered.json", "triggered"),
        ("incident_acknowledged.json", "acknowledged"),
        ("incident_resolved.json", "resolved"),
        ("incident_priority_updated.json", "triggered"),
    ],
)
def test_vendor_incident(name: str, state: str) -> None:
    """The documented incident gives what the tables say."""
    [record] = sample(ADAPTER, name)

    assert (record.title, record.severity, record.state) == ("A little bump in the road", 5, state)
    assert record.subject["url"] == "https://acme.pagerduty.com/incidents/PGR0VU2"
    assert (record.incident_key, record.joins) == ("PGR0VU2", "d3640fbd41094207a1c11e58e46b1662")
    assert record.author.name == "Tenex Engineer"
    assert record.tags[:2] == ("service:API Service", "team:Engineering")
    assert record.occurred_at == 1_601_664_322_169


def test_vendor_status_update_and_service() -> None:
    """A published status update is a note on its incident; a changed service is ignored."""
    [record] = sample(ADAPTER, "incident_status_update_published.json")

    assert (record.state, record.incident_key) == ("note", "PGR0VU2")
    assert record.title == "A little bump in the road"
    assert record.text == "A fix for this incident is being developed"
    assert sample(ADAPTER, "service_updated.json") == []


def test_vendor_vector() -> None:
    """A signature made as PagerDuty's page says is good, by either of its two secrets' entries."""
    path = SHARED / "samples" / "_vectors" / "pagerduty.json"
    if not path.exists():
        pytest.skip(f"no vendor vectors at {path.parent}")
    vector = json.loads(path.read_text())
    inbound = request(ADAPTER, vector["body"].encode(), x_pagerduty_signature=vector["X-PagerDuty-Signature"])

    assert proves(ADAPTER, inbound, hook(ADAPTER, vector["secret"]))
    assert not proves(ADAPTER, inbound, hook(ADAPTER, "another"))
