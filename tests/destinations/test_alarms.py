"""Spikes and silences: what is out of the ordinary is told once, with the numbers that say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.background.lease import run_once
from gateway.core.ids import now_ms
from gateway.destinations import alarms, managing, silences, spikes
from models import Feedback, HookRow, Job, Outcome, Outgoing
from models.database.base import writing
from tests.conftest import Call, Tenant
from tests.destinations.conftest import Add, Subscribe, now_of

pytestmark = pytest.mark.both(long=True)
PATH = "/gateway/v1/feedback"
HOUR, DAY, WEEK = 3_600_000, 86_400_000, 604_800_000  # milliseconds

Look = Callable[..., list[Outgoing]]


@pytest.fixture(name="look")
def _look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """Looks for what is to be raised at a time, and returns all that was."""

    def look(now: int) -> list[Outgoing]:
        monkeypatch.setattr(alarms, "now_ms", lambda: now)
        Job.delete().execute()
        assert run_once(alarms.LOOK)
        return list(Outgoing.select().order_by(Outgoing.id))

    return look


def came(call: Call, text: str, at: int, count: int) -> None:
    """So many records that came within the hour before a time."""
    batch = [{"text": f"{text} {number}"} for number in range(count)]
    answer = call("POST", f"{PATH}/batch", json=batch)
    assert answer.status_code == 200, answer.text
    made = Feedback.update(received_at=at - HOUR // 2, status="resolved").where(
        Feedback.text.startswith(text)
    )
    assert made.execute() == count


@pytest.mark.parametrize(
    ("count", "before", "usual"),
    [
        (27, [3, 3, 2, 4], 3),
        (11, [3, 3, 2, 4], None),
        (4, [0, 0, 0, 0], None),  # too few to be one
        (6, [0, 0, 0, 0], 0),
        (0, [50, 50, 50, 50], None),  # downwards is none
        (140, [100, 100, 100, 100], None),
        (160, [100, 100, 100, 100], 100),
        (160, [100, 20, 180, 100], None),  # it was never steady
        (60, [2, 2, 500, 2], 2),  # one spike of before does not hide the next
    ],
)
def test_what_a_spike_is(count: int, before: list[int], usual: float | None) -> None:
    """Far above the median of before, by how those spread."""
    assert spikes.usual_of(count, before) == usual


def test_a_spike(call: Call, subscribe: Subscribe, add: Add, look: Look) -> None:
    """People and programs are told the numbers, people the highest records, too, and again after a while."""
    now = now_ms() // 60_000 * 60_000
    for week, count in enumerate((2, 3, 3, 4), 1):
        came(call, f"Week {week}", now - week * WEEK, count)
    came(call, "Long ago", now - 9 * WEEK, 1)
    subscribe(9, events=["spike.started"], filter="status=open")
    add(9, events=["spike.started"])
    add(9, events=["spike.started"], filter="category=praise&min_impact=14")
    add(9)
    assert look(now) == []
    came(call, "Checkout", now, 27)
    people, program = look(now)
    assert "Spike: 27 in an hour, usual 3" in people.body and "2, 3, 3, 4" in people.body
    assert people.body.count("Checkout") == spikes.MOST_SHOWN
    assert '"count":27' in program.body and '"usual":3.0' in program.body
    assert len(look(now)) == 2
    assert len(look(now + 60_000)) == 2
    came(call, "Once more", now + 7 * HOUR, 30)
    assert len(look(now + 7 * HOUR)) == 4
    Feedback.delete().where(Feedback.text.startswith("Checkout")).execute()
    assert people.id not in {row.id for row in Outgoing.select()}


def test_no_spike_of_the_first_weeks(call: Call, subscribe: Subscribe, look: Look) -> None:
    """Where nobody knows yet what is usual nothing is out of the ordinary."""
    now = now_ms()
    came(call, "The first", now - WEEK, 1)
    came(call, "Many", now, 40)
    subscribe(9, events=["spike.started"])
    assert look(now) == []


@pytest.mark.parametrize(
    ("hours", "quiet", "usual"),
    [
        (range(100), 2, None),
        (range(100), 3, 1),
        ([*range(0, 50), *range(90, 140)], 3, 1),  # an outage of once is not usual
        ([*range(0, 50), *range(90, 140), *range(180, 200)], 122, None),
        ([*range(0, 50), *range(90, 140), *range(180, 200)], 123, 41),
        (range(9), 500, None),  # seldom used
        (range(0, 70), 500, None),  # too new
    ],
)
def test_what_a_silence_is(hours: Any, quiet: int, usual: int | None) -> None:
    """Three times as long as the longest gap but one."""
    minutes = [hour * HOUR for hour in hours]
    found = silences.usual_of(minutes, minutes[-1] + quiet * HOUR)
    assert found == (None if usual is None else usual * HOUR)


def test_a_silence(call: Call, subscribe: Subscribe, tenant: Tenant, look: Look) -> None:
    """A hook is missed once, again when it was heard meanwhile, and never once it is deleted."""
    now = now_ms() // 60_000 * 60_000
    sent = {"source": "generic", "options": {"map": {"text": "t"}}}
    hooks = [call("POST", "/gateway/v1/hooks", json={**sent, "name": name}) for name in ("Shop", "Other")]
    shop, other = (answer.json["hook_id"] for answer in hooks)

    def heard(name: str, *hours: int) -> None:
        row = {"workspace_id": tenant.workspace_id, "key_id": name, "source": "generic"}
        row["outcome"] = "accepted"
        with writing():
            for hour in hours:
                Outcome.create(**row, minute=now + hour * HOUR, requests=1, records=1)

    heard(shop, *range(-100, 0, 2))
    heard(other, *range(-100, 1, 2))
    made = subscribe(9, events=["hook.silent"])
    subscribe(9)
    assert look(now) == []
    (row,) = look(now + 5 * HOUR)
    assert row.type == "hook.silent" and "Silent: Shop: nothing for 7 hours" in row.body
    assert shop in row.body and "longer than 2 hours" in row.body
    found = look(now + 8 * HOUR)
    assert [other in one.body for one in found] == [False, True]
    assert len(look(now + 40 * HOUR)) == 2
    heard(shop, *range(42, 60, 2))
    HookRow.update(deleted_at=now).where(HookRow.id == other).execute()
    assert len(look(now + 59 * HOUR)) == 2
    assert [shop in one.body for one in look(now + 200 * HOUR)] == [True, False, True]
    assert set(now_of(made)["alarms"]) == {shop, other}


def test_an_alarm_while_paused(call: Call, subscribe: Subscribe, look: Look) -> None:
    """It is held."""
    now = now_ms()
    for week in range(1, 5):
        came(call, f"Week {week}", now - week * WEEK, 1)
    came(call, "Long ago", now - 9 * WEEK, 1)
    came(call, "Checkout", now, 12)
    made = subscribe(9, events=["spike.started"])
    managing.change(now_of(made), {"state": "paused"}, by="key_test")
    assert [row.state for row in look(now)] == ["held"]
