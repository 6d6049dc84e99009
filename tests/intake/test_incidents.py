"""Stories of several deliveries: one record in the right state, whatever order they arrive in."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.common.signatures import refuse
from adapters.contract import Adapter, Inbound
from adapters.contract.record import Record
from gateway import triage
from gateway.access.caller import Caller
from gateway.core.ids import new_id
from gateway.intake import auth, store
from models import Dedupe, Event, Feedback
from tests.adapters.test_adapters import DIALECTS, FIXTURES, door_of, inbound_of
from tests.conftest import Tenant

pytestmark = pytest.mark.both(long=True)

HOUR = 3_600_000
START = 1_795_000_000_000
NOW = START + 1000 * HOUR  # when everything arrives
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
    inbound = Inbound("POST", "/hooks/x/hk_1", {}, b"{}", request_id=new_id("req"), received_at=NOW)
    (saved,) = store.save(caller, adapter, inbound, [record], [triage.label(record)])
    return saved


VOLATILE = ("id", "received_at", "updated_at")


def story(tenant: Tenant) -> dict[str, Any]:
    (row,) = list(Feedback.select().dicts())
    return {name: value for name, value in row.items() if name not in VOLATILE}


def told() -> list[dict[str, Any]]:
    """All records, without what the hour and chance make of them."""
    found = [{n: v for n, v in row.items() if n not in VOLATILE} for row in Feedback.select().dicts()]
    assert all(row["impact"] == sum(reason["points"] for reason in row["impact_reasons"]) for row in found)
    return sorted(found, key=lambda row: str(row["incident_key"]))


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


# Some of it is only how a comment or newer words found the story.
FOUND = [
    delivery("triggered", 1, "a"),
    delivery("note", 3, "b", stands="resolved", text="Is it over?"),
    delivery("resolved", 2, "c"),
    delivery("note", 5, "d", stands="triggered", text="It is back"),
    delivery("resolved", 7, "a", replaceable=True, text="Disk was full"),
    delivery("note", 6, "e", stands="resolved", text="Thanks"),
    delivery("resolved", 8, "f", quiet=True),
    delivery("resolved", 9, "g", quiet=True),
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


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("life", [LIFE, FOUND])
@given(data=st.data())
def test_any_order_and_doubles(tenant: Tenant, life: list[Record], data: st.DataObject) -> None:
    """The same deliveries in any order, some of them twice, end in the same record."""
    seen = data.draw(st.permutations([*life, *life[:3], life[5]]))[: data.draw(st.integers(1, 11))]
    clear()
    for record in seen:
        deliver(tenant, record)
    arrived = told()
    clear()
    for record in filter(seen.__contains__, life):
        deliver(tenant, record)

    assert arrived == told()


@cache
def stories(name: str) -> list[list[Record]]:
    """The stories that a source's fixtures tell: what tells, edits, votes for and takes back each of them."""
    adapter, told = DIALECTS[name], dict[str, dict[tuple[str, bool, str], Record]]()
    for path in sorted((FIXTURES / name).glob("*.json")):
        case = json.loads(path.read_text())
        if not case.get("records"):
            continue
        inbound = inbound_of(case["request"])
        for record in door_of(adapter, inbound).read(inbound):
            key = record.incident_key or record.votes_for
            if key and record.dedupe_key:
                words = record.text if record.replaceable else ""
                told.setdefault(key, {}).setdefault((record.dedupe_key, record.retracts, words), record)
    return [list(deliveries.values()) for deliveries in told.values() if len(deliveries) > 1]


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


def content(row: dict[str, Any]) -> set[tuple[str, str]]:
    """The names of everything that is known of a record, those of its subject and its tags too.

    But for the mark of who may see it: a secret remark's goes with its words (tests/adapters/test_marks.py).
    """
    authors = {("author", "")} if any(row[f"author_{part}"] for part in ("id", "name", "email")) else set()
    plain = {(name, "") for name in ("title", "text", "kind", "external_id", "occurred_at") if row[name]}
    named = {*(("subject", n) for n in row["subject"]), *(("tags", t) for t in row["tags"])}
    return {*authors, *plain, *(one for one in named if not one[1].startswith("visibility"))}


def tell(tenant: Tenant, name: str, deliveries: list[Record]) -> list[dict[str, Any]]:
    """The records that deliveries end in, each of which may only add to what was known before.

    But a whole one says what is no longer so.
    """
    clear()
    known: dict[str, set[tuple[str, str]]] = {}
    for record in deliveries:
        deliver(tenant, record, DIALECTS[name])
        for row in Feedback.select().dicts():
            before, known[row["id"]] = known.get(row["id"], set()), content(row)
            assert record.whole or before <= known[row["id"]]
    return told()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize(("name", "number"), TOLD)
@given(data=st.data())
def test_sources_in_any_order(tenant: Tenant, name: str, number: int, data: st.DataObject) -> None:
    """Any order of any subset of a story's deliveries, some twice, ends the same, and nothing is emptied."""
    deliveries = stories(name)[number]
    chosen = data.draw(st.lists(st.sampled_from(deliveries), min_size=1, max_size=6, unique_by=id))
    order = data.draw(st.permutations([*chosen, *data.draw(st.lists(st.sampled_from(chosen), max_size=2))]))

    assert tell(tenant, name, order) == tell(tenant, name, chosen)


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


def test_a_resolved_alert_shows_what_is_left(app: Flask, tenant: Tenant) -> None:
    """Its severity goes with the end, also one that is told before its beginning, and comes back with it."""

    def severity() -> tuple[int, str]:
        told = story(tenant)["impact_reasons"]
        assert story(tenant)["impact"] == sum(one["points"] for one in told)
        return next((one["points"], one["why"]) for one in told if one["part"] == "severity")

    said, over = (3, "the sender says severity 3 of 5"), (0, "it is resolved")
    for order in (
        ((1, "triggered", said), (5, "resolved", over), (6, "triggered", said)),
        (
            (5, "resolved", over),
            (1, "triggered", over),
            (6, "acknowledged", said),
        ),
    ):
        for at, state, left in order:
            deliver(tenant, delivery(state, at, f"{state}{at}"))
            assert severity() == left, (at, state)
        clear()
