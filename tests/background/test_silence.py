"""A dead man's switch: silence is an alert, once, until something is heard again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters import watchdog
from gateway.access import hooks
from gateway.background import silence
from gateway.background.lease import run_once
from gateway.core.ids import now_ms
from models import Event, Feedback, HookRow, Job, Outcome
from models.intake import commit
from models.tables.outcome import MINUTE, last_minute
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both(long=True)

RESOLVED = {"status": "resolved", "labels": {"alertname": "Watchdog"}, "endsAt": "2026-05-04T07:00:00Z"}


@pytest.fixture(name="made")
def _made(tenant: Tenant) -> dict[str, Any]:
    """A hook that may be silent for five minutes."""
    hook = hooks.create_hook(
        watchdog.ADAPTER,
        tenant.workspace_id,
        None,
        public_url="http://x",
        name="Prometheus",
        options={"silence": "5m"},
    )
    return {**hook, "at": now_ms()}


@pytest.fixture(name="look")
def _look(made: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Looks for silence as if so many minutes had passed since the hook was made."""

    def look(minutes: float) -> None:
        monkeypatch.setattr(silence, "now_ms", lambda: made["at"] + round(minutes * MINUTE))
        Job.delete().execute()
        assert run_once(silence.LOOK)

    HookRow.update(created_at=made["at"]).execute()
    return look


def beat(tenant: Tenant, made: dict[str, Any], minutes: int) -> None:
    """What the ledger says of a sign of life so many minutes after the hook was made."""
    at = made["at"] + minutes * MINUTE
    counted = {"minute": at - at % MINUTE, "outcome": "ignored", "requests": 1, "records": 0}
    Outcome.create(workspace_id=tenant.workspace_id, key_id=made["hook_id"], source="watchdog", **counted)


def post(call: Call, made: dict[str, Any], sent: Any = None) -> None:
    headers = {"Authorization": f"Bearer {made['secret']}"}
    data = b"" if sent is None else json.dumps(sent).encode()
    assert call("POST", made["path"], data=data, headers=headers).status_code == 200
    commit.flush()


def test_silence(call: Call, tenant: Tenant, made: dict[str, Any], look: Callable[[float], None]) -> None:
    """A hook that was never heard is an alert after its time, one for all looks, until it is heard."""
    look(4.9)
    assert Feedback.select().count() == 0

    for minutes in (5, 6, 60):
        look(minutes)
    (alert,) = call("GET", "/gateway/v1/feedback").json["data"]
    assert alert["title"] == "Nothing was heard from Prometheus for 5 minutes"
    assert (alert["type"], alert["status"], alert["source"]) == ("alert", "open", "watchdog")
    assert [one["points"] for one in alert["impact_reasons"] if one["part"] == "severity"] == [5]
    assert Event.select().count() == 1

    beat(tenant, made, 62)
    for minutes in (62, 63, 66):
        look(minutes)
    (alert,) = call("GET", "/gateway/v1/feedback").json["data"]
    assert alert["status"] == "resolved"
    assert Event.select().count() == 2

    look(68)
    (alert,) = call("GET", "/gateway/v1/feedback").json["data"]
    assert (alert["status"], alert["occurrences"]) == ("open", 2)


def test_signs_of_life(call: Call, made: dict[str, Any]) -> None:
    """Whatever comes is one: nothing, words, or an alert that fires."""
    firing = {"status": "firing"}
    for sent in (None, "words", {"alerts": [firing]}, {"alerts": [firing, RESOLVED]}):
        Outcome.delete().execute()
        post(call, made, sent)
        assert last_minute(made["hook_id"], "ignored")
    assert Feedback.select().count() == 0


def test_watchdog_that_is_resolved(
    call: Call, tenant: Tenant, made: dict[str, Any], look: Callable[[float], None]
) -> None:
    """Prometheus that has stopped is an alert at once; saying so is no sign of life, the next firing is."""
    post(call, made, {"alerts": [{**RESOLVED, "endsAt": None}]})
    look(1)
    (alert,) = call("GET", "/gateway/v1/feedback").json["data"]
    assert (alert["title"], alert["status"]) == ("Watchdog has stopped firing", "open")

    beat(tenant, made, 2)
    look(2)
    assert call("GET", "/gateway/v1/feedback").json["data"][0]["status"] == "resolved"


def test_ended_hooks_are_silent(made: dict[str, Any], look: Callable[[float], None]) -> None:
    """Nobody waits for a hook that was deleted."""
    hooks.delete_hook(made["hook_id"])
    look(60)

    assert Feedback.select().count() == 0


USUAL = 15  # minutes


@pytest.mark.parametrize(
    ("given", "minutes"),
    [
        *(("15m", 15), ("2h", 120), ("180 s", 3), ("1d", 1440), ("31d", 44640)),
        *((None, USUAL), ("soon", USUAL), ("32d", USUAL), ("1m", USUAL), (7, USUAL)),
    ],
)
def test_how_long(given: Any, minutes: float) -> None:
    """Numbers with a unit, within bounds; what is none is the usual time."""
    assert watchdog.silence_of({} if given is None else {"silence": given}) == minutes * MINUTE


def test_length_is_checked(tenant: Tenant) -> None:
    """A hook with a length that is none, or out of bounds, is not made."""
    for bad in ("soon", "1m", "32d", 7, None):
        with pytest.raises(hooks.HookError, match="from 2m to 31d"):
            hooks.create_hook(watchdog.ADAPTER, tenant.workspace_id, None, options={"silence": bad})
