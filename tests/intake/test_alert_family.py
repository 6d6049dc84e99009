"""Firings of one alert and their ends, some of which do not say whose they are, in any order."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract.record import Record
from models import Event, Feedback, Outcome
from models.intake import commit
from models.intake.alert_family import MOST, End, Family, Firing
from tests.adapters.test_adapters import DIALECTS, FIXTURES, door_of, inbound_of
from tests.conftest import Tenant
from tests.intake.test_incidents import HOUR, MONITOR, PAGER, START, clear, deliver, delivery, told

pytestmark = pytest.mark.both(long=True)


def fire(start: int) -> Record:
    return delivery("triggered", start, f"fire{start}", story=f"f:{start}", family="f", text="Disk is full")


def end(at: int, start: int | None = None) -> Record:
    """An end that says which firing's it is, or else has its own moment for a beginning."""
    start = at if start is None else start
    key = f"end{at}:{start}"
    return delivery("resolved", at, key, story=f"f:{start}", family="f", text="Disk is full")


def page(start: int) -> Record:
    """Another source tells of the same firing."""
    more = {"joins": f"f:{start}", "text": "Disk is full"}
    return delivery("triggered", start, f"page{start}", story=f"p:{start}", **more)


def source_of(record: Record) -> Any:
    return PAGER if record.joins else MONITOR


def ends() -> dict[int, int | None]:
    """When each firing that is known began and ended, in hours; an end of none by its own moment."""
    return {
        (row["first_seen_at"] - START) // HOUR: row["resolved_at"] and (row["resolved_at"] - START) // HOUR
        for row in Feedback.select().dicts()
    }


CASES: dict[str, tuple[list[Record], dict[int, int | None]]] = {
    "in turn": ([fire(1), end(2), fire(3), end(4)], {1: 2, 3: 4}),
    "with their starts": ([fire(1), end(2, 1), fire(3), end(4, 3)], {1: 2, 3: 4}),
    "one with its start": ([fire(1), end(2, 1), fire(3), end(4)], {1: 2, 3: 4}),
    "the other with its start": ([fire(1), end(2), fire(3), end(4, 3)], {1: 2, 3: 4}),
    "the first end is lost": ([fire(1), fire(3), end(4)], {1: None, 3: 4}),
    "the second firing is lost": ([fire(1), end(2), end(4)], {1: 2, 4: 4}),
    "the first firing is lost": ([end(2), fire(3), end(4)], {2: 2, 3: 4}),
    "both ends of one are told": ([fire(1), end(2, 1), end(2)], {1: 2, 2: 2}),
    "another source tells it": ([page(1), fire(1), end(2)], {1: 2}),
    "another source tells the first": ([page(1), fire(1), end(2), fire(3)], {1: 2, 3: None}),
    "another source tells the second": ([fire(1), page(3), fire(3), end(4)], {1: None, 3: 4}),
}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(name, marks=[pytest.mark.long] if len(deliveries) > 3 else [])
        for name, (deliveries, _) in CASES.items()
    ],
)
def test_whatever_came_first(tenant: Tenant, case: str) -> None:
    """Each firing has its own end, and each delivery is in the history of one record that it is about."""
    deliveries, expected = CASES[case]
    seen = []
    for order in permutations(deliveries):
        clear()
        for record in order:
            deliver(tenant, record, source_of(record))
        seen.append(told())

        assert ends() == expected
        assert Event.select().count() == len(order)
        for row in Feedback.select().dicts():
            count = 2 if row["triggers"] and row["resolved_at"] else 1
            starts = [START + HOUR * int(record.joins[2:]) for record in order if record.joins]
            count += starts.count(row["first_seen_at"])
            assert Event.select().where(Event.feedback == row["id"]).count() == count
    assert all(one == seen[0] for one in seen)


def test_a_firing_that_is_not_remembered(tenant: Tenant) -> None:
    """Beyond the newest firings an end that names its own is still that one's, and a reminder is no other."""
    for start in range(1, MOST + 3):
        deliver(tenant, fire(start))
    deliver(tenant, delivery("triggered", 1, "reminder", story="f:1", family="f", text="Disk is full"))
    deliver(tenant, end(MOST + 5, 1))

    assert ends() == {start: MOST + 5 if start == 1 else None for start in range(1, MOST + 3)}


ALERTS = {"alertmanager": "resolved", "grafana": "resolved_with_another_start"}


@pytest.mark.long
@pytest.mark.parametrize("told_starts", [True, False])
@pytest.mark.parametrize("source", ALERTS)
def test_real_alerts(tenant: Tenant, source: str, told_starts: bool) -> None:
    """Two firings of the same labels and their ends, as the senders write them, in each order."""
    adapter = DIALECTS[source]

    def sent(name: str, starts: str, ends: str) -> list[Record]:
        case = json.loads((FIXTURES / source / f"{name}.json").read_text())
        for alert in case["request"]["json"]["alerts"][:1]:
            alert |= {"startsAt": starts, "endsAt": ends}
        inbound = inbound_of(case["request"])
        return list(door_of(adapter, inbound).read(inbound)[:1])

    deliveries = []
    for day in ("2026-05-07", "2026-05-08"):
        begun, over = f"{day}T08:00:00Z", f"{day}T09:30:00Z"
        deliveries += sent("firing", begun, "0001-01-01T00:00:00Z")
        deliveries += sent(ALERTS[source], begun if told_starts else over, over)
    seen = []
    for order in permutations(deliveries):
        clear()
        for record in order:
            deliver(tenant, record, adapter)
        seen.append(told())

    assert [(row["status"], row["resolved_at"] - row["first_seen_at"]) for row in seen[0]] == [
        ("resolved", 3 * HOUR // 2)
    ] * 2
    assert all(one == seen[0] for one in seen)


TIMES = st.integers(0, 12)
LOOSE = TIMES.map(lambda at: end(2 * at + 1))
FIRINGS = TIMES.map(lambda at: fire(2 * at))
EXACT = st.tuples(TIMES, TIMES).map(lambda times: end(2 * max(times) + 1, 2 * min(times)))


@pytest.mark.long
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_order(tenant: Tenant, data: st.DataObject) -> None:
    """Firings and ends of whatever times end in the same records, whatever came first or came twice."""
    one = st.one_of(FIRINGS, LOOSE, EXACT)
    chosen = data.draw(st.lists(one, min_size=1, max_size=6, unique_by=(lambda r: r.dedupe_key, story_of)))
    found: list[list[dict[str, Any]]] = []
    for order in (chosen, data.draw(st.permutations([*chosen, *chosen[:1]]))):
        clear()
        for record in order:
            deliver(tenant, record)
        found.append(told())

    assert found[0] == found[1]


def story_of(record: Record) -> tuple[str | None, str | None]:
    """A firing ends once: the next of its ends is the same delivery."""
    return record.incident_key, record.state


def test_deleted_records_take_no_ends(tenant: Tenant) -> None:
    """An end whose firing was deleted is told by itself."""
    deliver(tenant, fire(1))
    Feedback.delete().execute()
    deliver(tenant, end(2))

    assert ends() == {2: 2}


def test_what_people_resolved_stays(tenant: Tenant) -> None:
    """An end that turns out to be another firing's does not take away when somebody resolved it."""
    deliver(tenant, fire(1))
    Feedback.update(status="resolved", resolved_at=START + 2 * HOUR).execute()
    deliver(tenant, end(4))
    assert [row.resolved_at for row in Feedback.select()] == [START + 2 * HOUR]
    deliver(tenant, fire(3))

    assert {(row.status, row.resolved_at) for row in Feedback.select()} == {
        ("resolved", START + 2 * HOUR),
        ("resolved", START + 4 * HOUR),
    }


def test_an_end_beside_is_a_record_as_others(tenant: Tenant) -> None:
    """What turns out to be the end of no firing is counted, and has the reach of its words."""
    deliver(tenant, fire(1))
    deliver(tenant, end(2))
    deliver(tenant, end(2, 1))
    commit.flush()

    assert Feedback.select().count() == 2
    assert sum(row.records for row in Outcome.select()) == 2


def test_deleted_records_stay_deleted(tenant: Tenant) -> None:
    """The exact end of a firing whose record was deleted is told by itself, and what it had stays away."""
    deliver(tenant, fire(1))
    deliver(tenant, fire(3))
    deliver(tenant, end(5))
    Feedback.delete().where(Feedback.first_seen_at == START + 3 * HOUR).execute()
    deliver(tenant, end(4, 3))

    assert ends() == {1: 5, 4: 4}


def test_what_people_set_stays(tenant: Tenant) -> None:
    """An end that turns out to be another firing's does not open what somebody had set."""
    deliver(tenant, fire(1))
    deliver(tenant, end(4))
    Feedback.update(status="ignored", resolved_at=None).execute()
    deliver(tenant, fire(3))

    assert {(row.status, row.resolved_at) for row in Feedback.select()} == {
        ("ignored", None),
        ("resolved", START + 4 * HOUR),
    }


def test_what_is_remembered_is_bounded() -> None:
    """The newest firings, and no end of one that is forgotten."""
    family = Family()
    for at in range(0, 60, 2):
        family.firings.append(Firing(at, f"f:{at}", "fb"))
        family.ends.append(End(at + 1, f"f:{at + 1}", "fb", None, "ev"))
    kept = Family.of(family.remember())

    assert [firing.at for firing in kept.firings] == list(range(60 - 2 * MOST, 60, 2))
    assert [one.at for one in kept.ends] == list(range(61 - 2 * MOST, 61, 2))
