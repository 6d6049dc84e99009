"""Records that are put aside: until a time, until something new comes, or until somebody has them back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.background import waking
from gateway.background.lease import run_once
from gateway.core.ids import new_id, now_ms
from models import Event, Feedback, Job
from models.database.base import writing
from models.tables import snoozes
from tests.conftest import Call

PATH = "/gateway/v1/feedback"


def deliver(call: Call, name: str = "x", value: str = "Slow") -> str:
    """A delivery of the rating of this id, which its sender may send again with other words."""
    sent = {"property": "rating", "value": [value], "trace_id": "t", "id": name}
    assert call("POST", "/v2/feedback", json=sent).status_code == 200
    return str(Feedback.get(Feedback.external_id == name).id)


def later(**length: int) -> str:
    return (datetime.now(UTC) + timedelta(**length)).isoformat()


def types(call: Call, record: str) -> list[str]:
    return [event["type"] for event in call("GET", f"{PATH}/{record}/events").json["data"]]


def worker() -> None:
    """What the worker does of it, now."""
    with writing():
        Job.delete().where(Job.name == waking.WAKE.name).execute()
    assert run_once(waking.WAKE)


@pytest.mark.both
def test_until_a_time(call: Call) -> None:
    """It is shown as snoozed, left out where that is asked for, and back when its time has come."""
    record, other = deliver(call, "a"), deliver(call, "b")
    snoozed = call("PATCH", f"{PATH}/{record}", json={"snooze": {"until": later(hours=1)}}).json
    assert snoozed["wakes_on_delivery"] is True and snoozed["snoozed_until"].endswith("Z")

    def listed(query: str) -> list[str]:
        return [row["id"] for row in call("GET", f"{PATH}?{query}").json["data"]]

    assert listed("") == listed("snoozed=with") == [other, record]
    assert (listed("snoozed=only"), listed("snoozed=without")) == ([record], [other])
    assert listed("snoozed=only&sort=-impact") == listed("snoozed=only&q=slow") == [record]
    worker()
    assert listed("snoozed=only") == [record]
    Feedback.update(snoozed_until=now_ms() - 1).where(Feedback.id == record).execute()
    worker()

    assert listed("snoozed=only") == []
    row = call("GET", f"{PATH}/{record}").json
    assert (row["snoozed_until"], row["wakes_on_delivery"]) == (None, None)
    events = call("GET", f"{PATH}/{record}/events").json["data"]
    assert [event["type"] for event in events[-2:]] == ["snoozed", "woken"]
    assert events[-1]["detail"]["by"] == "time"


@pytest.mark.both
@pytest.mark.parametrize("wakes", [True, False])
def test_by_a_delivery(call: Call, wakes: bool) -> None:
    """Something new wakes it in the delivery's own transaction, unless it sleeps whatever comes."""
    record = deliver(call)
    sleep = {"until": later(days=1), "wakes_on_delivery": wakes}
    call("PATCH", f"{PATH}/{record}", json={"snooze": sleep})
    assert deliver(call, value="Slower") == record

    assert (Feedback.get().wakes_on_delivery is None) == wakes
    assert types(call, record).count("woken") == wakes


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"until": "2020-01-01T00:00:00Z"}, "snooze.until"),
        ({"until": "2300-01-01T00:00:00Z"}, "snooze.until"),
        ({"until": "tomorrow"}, "snooze.until"),
        ({"until": "0h"}, "snooze.until"),
        ({"until": 7}, "snooze.until"),
        ({"until": None, "wakes_on_delivery": False}, "snooze"),
        ({"wakes_on_delivery": "yes"}, "snooze.wakes_on_delivery"),
        ({"for": "1h"}, "snooze.for"),
        ("1h", "snooze"),
    ],
)
def test_what_is_refused(call: Call, sent: Any, field: str) -> None:
    """A time that is over or none, and what nothing would wake: by the field's name."""
    answer = call("PATCH", f"{PATH}/{deliver(call)}", json={"snooze": sent})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_until_nothing_but_a_delivery(call: Call) -> None:
    """Without a time the worker never wakes it."""
    record = deliver(call)
    shown = call("PATCH", f"{PATH}/{record}", json={"snooze": {}}).json
    assert (shown["snoozed_until"], shown["wakes_on_delivery"]) == (None, True)
    worker()
    assert Feedback.get().wakes_on_delivery == 1
    deliver(call, value="Slower")
    assert Feedback.get().wakes_on_delivery is None


@pytest.mark.both
def test_a_wake_is_one_transaction(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped between the event and the record it leaves neither; the next one wakes it once."""
    record = deliver(call)
    call("PATCH", f"{PATH}/{record}", json={"snooze": {"until": "1h"}})
    Feedback.update(snoozed_until=1).execute()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(snoozes, "update", killed)
        with pytest.raises(KeyboardInterrupt), writing():
            snoozes.wake(now_ms(), 10)
    assert Feedback.get().snoozed_until == 1 and not Event.select().where(Event.type == "woken").count()

    worker()
    worker()
    assert Feedback.get().wakes_on_delivery is None
    assert Event.select().where(Event.type == "woken").count() == 1


ACTS = st.lists(
    st.sampled_from(["timed", "quiet", "forever", "wake", "resolve", "reopen", "deliver", "pass", "work"]),
    max_size=12,
)


@given(acts=ACTS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order(call: Call, acts: list[str]) -> None:
    """In whichever order: it sleeps exactly while nothing has woken it, and says when it woke."""
    with writing():
        Feedback.delete().execute()
    name = new_id("x")
    record = deliver(call, name)
    asleep: tuple[bool, bool] | None = None  # whether it wakes on a delivery, and whether its time has come
    woken, words = 0, 0
    bodies: dict[str, dict[str, Any]] = {
        "timed": {"snooze": {"until": "1h"}},
        "quiet": {"snooze": {"until": "1h", "wakes_on_delivery": False}},
        "forever": {"snooze": {}},
        "wake": {"snooze": None},
        "resolve": {"status": "resolved"},
        "reopen": {"status": "open"},
    }
    for act in acts:
        if act in bodies:
            assert call("PATCH", f"{PATH}/{record}", json=bodies[act]).status_code == 200
        if act in ("timed", "quiet", "forever"):
            asleep = act != "quiet", False
        elif act in ("wake", "resolve") or (act == "deliver" and asleep and asleep[0]):
            woken, asleep = woken + (asleep is not None), None
        elif act == "work" and asleep and asleep[1]:
            woken, asleep = woken + 1, None
        if act == "deliver":
            words += 1
            assert deliver(call, name, f"Slow {words}") == record
        elif act == "pass" and asleep is not None:
            timed = Feedback.update(snoozed_until=1).where(Feedback.snoozed_until.is_null(False))
            asleep = asleep[0], timed.execute() > 0
        elif act == "work":
            worker()
        row = Feedback.get(Feedback.id == record)
        assert row.wakes_on_delivery == (None if asleep is None else int(asleep[0])), acts
        assert types(call, record).count("woken") == woken, acts
