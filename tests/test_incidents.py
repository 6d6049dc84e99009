"""Stories of several deliveries: one record in the right state, whatever order they arrive in."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract import Adapter, Inbound
from adapters.record import Record
from adapters.signatures import refuse
from gateway import auth, store, triage
from gateway.caller import Caller
from gateway.ids import new_id
from models import Dedupe, Event, Feedback
from models.incident import RANKS, STATUS
from tests.conftest import Tenant
from tests.test_adapters import DIALECTS, FIXTURES, door_of, inbound_of

pytestmark = pytest.mark.both(long=True)

HOUR = 3_600_000
START = 1_795_000_000_000
MONITOR, PAGER, ELSEWHERE = (Adapter(name, (), refuse) for name in ("monitor", "pager", "elsewhere"))


def delivery(state: str, at: int, key: str, story: str = "disk-7", **more: Any) -> Record:
    words = more.pop("text", f"Disk is {state}")
    return Record(
        text=words,
        title=words,
        type="alert",
        severity=3,
        incident_key=story,
        state=state,  # type: ignore[arg-type]
        dedupe_key=key,
        occurred_at=START + at * HOUR,
        **more,
    )


def deliver(tenant: Tenant, record: Record, adapter: Any = MONITOR) -> Any:
    caller = Caller("hk_1", tenant.workspace_id, None, tenant.project_id, frozenset({"ingest"}), None, None)
    inbound = Inbound("POST", "/hooks/x/hk_1", {}, b"{}", request_id=new_id("req"), received_at=START)
    (saved,) = store.save(caller, adapter, inbound, [record], [triage.label(record)])
    return saved


VOLATILE = ("id", "received_at", "updated_at")


def story(tenant: Tenant) -> dict[str, Any]:
    (row,) = list(Feedback.select().dicts())
    return {name: value for name, value in row.items() if name not in VOLATILE}


def clear() -> None:
    for table in (Event, Dedupe, Feedback):
        table.delete().execute()


LIFE = [
    delivery("triggered", 1, "a"),
    delivery("triggered", 2, "b", text="Disk is at 95 percent", tags=("host:db1",)),
    delivery("acknowledged", 3, "c"),
    delivery("note", 4, "d", text="Somebody is looking"),
    delivery("resolved", 5, "e"),
    delivery("triggered", 6, "f", text="Disk is full again"),
    delivery("resolved", 7, "g"),
]


def test_a_life(tenant: Tenant) -> None:
    """Triggered, repeated, acknowledged, noted, resolved, reopened, resolved: one record with its history."""
    statuses = []
    for record in LIFE:
        deliver(tenant, record)
        statuses.append(story(tenant)["status"])
    end = story(tenant)
    history = [event.type for event in Event.select().order_by(Event.id)]

    assert statuses == ["open", "open", "acknowledged", "acknowledged", "resolved", "open", "resolved"]
    assert history == ["received", "repeated", "acknowledged", "note", "resolved", "reopened", "resolved"]
    assert end["occurrences"] == 3
    assert (end["first_seen_at"], end["last_seen_at"]) == (START + HOUR, START + 7 * HOUR)
    assert end["resolved_at"] == START + 7 * HOUR
    assert end["text"] == "Disk is full again"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(order=st.permutations([*LIFE, *LIFE[:3], LIFE[5]]), upto=st.integers(1, 11))
def test_any_order_and_doubles(tenant: Tenant, order: list[Record], upto: int) -> None:
    """The same deliveries in any order, some of them twice, end in the same record."""
    seen = order[:upto]
    clear()
    for record in seen:
        deliver(tenant, record)
    arrived = story(tenant)
    clear()
    for record in sorted(
        {record.dedupe_key: record for record in seen}.values(), key=lambda r: r.dedupe_key or ""
    ):
        deliver(tenant, record)

    assert arrived == story(tenant)


def stories(name: str) -> list[list[Record]]:
    """The stories that a source's fixtures tell in at least two deliveries."""
    adapter, told = DIALECTS[name], dict[str, dict[str, Record]]()
    for path in sorted((FIXTURES / name).glob("*.json")):
        case = json.loads(path.read_text())
        if not any(record.get("incident_key") for record in case.get("records", [])):
            continue
        inbound = inbound_of(case["request"])
        for record in door_of(adapter, inbound).read(inbound):
            if record.incident_key and record.dedupe_key and not (record.replaceable or record.retracts):
                told.setdefault(record.incident_key, {}).setdefault(record.dedupe_key, record)
    return [list(deliveries.values())[:5] for deliveries in told.values() if len(deliveries) > 1]


TOLD = [(name, number) for name in sorted(DIALECTS) for number in range(len(stories(name)))]


def test_sources_tell_stories() -> None:
    """Every source of alerts, CI runs or threads has a story of several deliveries among its fixtures."""
    assert {name for name, _ in TOLD} >= {
        "alertmanager",
        "datadog",
        "github",
        "gitlab",
        "grafana",
        "pagerduty",
        "sentry",
        "slack",
    }


@pytest.mark.parametrize("most", [4, pytest.param(5, marks=pytest.mark.long)])
@pytest.mark.parametrize(("name", "number"), TOLD)
def test_sources_in_any_order(tenant: Tenant, name: str, number: int, most: int) -> None:
    """A source's own deliveries of one story end in one record in the same state, in every order."""
    deliveries, ends = stories(name)[number][:most], []
    for order in permutations(deliveries):
        clear()
        for record in [*order, order[0]]:
            deliver(tenant, record, DIALECTS[name])
        ends.append(story(tenant))

    assert all(end == ends[0] for end in ends)
    newest = max(
        deliveries, key=lambda r: (r.state != "note", r.occurred_at or START, RANKS[r.state or "note"])
    )
    assert ends[0]["status"] == STATUS[newest.state or "note"]


def test_same_delivery_again(tenant: Tenant) -> None:
    """A delivery that was seen changes nothing and adds no event."""
    deliver(tenant, LIFE[0])
    before = story(tenant)

    assert deliver(tenant, LIFE[0]).outcome == "unchanged"
    assert (story(tenant), Event.select().count()) == (before, 1)


def test_reach_follows_occurrences(tenant: Tenant) -> None:
    """An alert that fires again and again weighs more."""
    impacts = []
    for n in range(25):
        deliver(tenant, delivery("triggered", n, f"n{n}", text="Disk is nearly full"))
        impacts.append(story(tenant)["impact"])

    assert impacts == sorted(impacts)
    assert impacts[-1] == impacts[0] + 3


def test_stories_are_apart(tenant: Tenant, other: Tenant) -> None:
    """Other keys, other sources and other workspaces are other stories."""
    deliver(tenant, delivery("triggered", 1, "a"))
    deliver(tenant, delivery("triggered", 1, "b", story="disk-8"))
    deliver(tenant, delivery("triggered", 1, "a"), ELSEWHERE)
    deliver(other, delivery("triggered", 1, "a"))

    assert Feedback.select().count() == 4


@pytest.mark.parametrize("paged_first", [True, False])
def test_another_source_joins(tenant: Tenant, paged_first: bool) -> None:
    """PagerDuty's deliveries join the story that the monitoring tool tells, whichever comes first."""
    alert = delivery("triggered", 1, "a")
    page = delivery("acknowledged", 2, "p", story="PD1", joins="disk-7")
    done = delivery("resolved", 3, "q", story="PD1", joins="disk-7")
    for record in [page, alert, done] if paged_first else [alert, page, done]:
        deliver(tenant, record, PAGER if record.joins else MONITOR)
    end = story(tenant)

    assert (end["status"], end["occurrences"], Event.select().count()) == ("resolved", 1, 3)
    assert end["text"] == "Disk is triggered"


def test_a_root_that_arrives_after_its_replies(tenant: Tenant) -> None:
    """What edits, takes back or votes for a delivery finds the record it was merged into."""
    reply = delivery("note", 2, "reply", text="Same here")
    root = delivery("triggered", 1, "root", text="The lamp is broken")
    for record in (reply, root):
        deliver(tenant, record)
    edited = replace(root, text="The lamp is fine", title="The lamp is fine", replaceable=True)
    outcomes = [
        deliver(tenant, record).outcome
        for record in (
            edited,
            Record("", dedupe_key="v", votes_for="root"),
            Record("", dedupe_key="reply", retracts=True),
            Record("", dedupe_key="root", retracts=True),
        )
    ]

    assert outcomes == ["updated", "updated", "ignored", "retracted"]
    assert (story(tenant)["text"], story(tenant)["votes"]) == ("The lamp is fine", 1)


def test_a_late_earlier_version(tenant: Tenant) -> None:
    """An edit that arrives after a newer one changes nothing."""
    first = Record("One", dedupe_key="m", replaceable=True, occurred_at=START)
    third = replace(first, text="Three", occurred_at=START + 2)
    second = replace(first, text="Two", occurred_at=START + 1)
    outcomes = [deliver(tenant, record).outcome for record in (first, third, second)]

    assert outcomes == ["created", "updated", "unchanged"]
    assert story(tenant)["text"] == "Three"


def test_votes(tenant: Tenant) -> None:
    """A vote adds to the record it names, once, and to its reach; a vote for the unknown is ignored."""
    deliver(tenant, Record("The dark theme hurts my eyes", type="chat", dedupe_key="m1"))
    before = story(tenant)
    votes = [
        Record("", type="chat", dedupe_key=key, votes_for=target)
        for key, target in (("v1", "m1"), ("v2", "m2"))
    ]
    outcomes = [deliver(tenant, vote).outcome for vote in [*votes, votes[0]]]

    assert outcomes == ["updated", "ignored", "ignored"]
    assert (story(tenant)["votes"], story(tenant)["impact"]) == (1, before["impact"] + 1)


def test_memory_is_forgotten(app: Flask) -> None:
    """Hooks and keys of another database are not remembered."""
    auth._hooks["hk"] = (1e18, 1e18, {"id": "hk"})
    auth.forget()

    assert not auth._hooks
