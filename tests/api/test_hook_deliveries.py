"""What came through a hook: its last delivery, a day's count, what was refused or held, and a silence."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.ids import now_ms
from models import Outcome
from models.tables.feedback import iso
from models.tables.outcome import MINUTE, newest_minutes
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both(long=True)
HOOKS = "/gateway/v1/hooks"
HOUR, DAY = 3_600_000, 86_400_000  # milliseconds


def lately(call: Call, hook_id: str) -> dict[str, Any]:
    (row,) = (one for one in call("GET", HOOKS).json["data"] if one["hook_id"] == hook_id)
    return {
        name: row[name] for name in row if name.endswith(("_at", "_24h", "_since")) and name != "created_at"
    }


def heard(tenant: Tenant, hook_id: str, ago: int, outcome: str = "accepted", requests: int = 1) -> int:
    """Has so many requests ended so, so many milliseconds ago; the minute."""
    minute = (now_ms() - ago) // MINUTE * MINUTE
    row = {"minute": minute, "workspace_id": tenant.workspace_id, "key_id": hook_id, "source": "grafana"}
    Outcome.create(**row, outcome=outcome, requests=requests, records=0)
    return minute


def test_what_came(call: Call, tenant: Tenant) -> None:
    """Deliveries are counted by how they ended; of another hook, and of yesterday, none are."""
    made = call("POST", HOOKS, json={"source": "grafana"}).json
    other = call("POST", HOOKS, json={"source": "grafana"}).json
    proof = {"Authorization": f"Bearer {made['secret']}"}
    alert = {"status": "firing", "labels": {"alertname": "Heat"}}
    for body in ({"alerts": [alert]}, {"alerts": [alert]}, {"alerts": 4}):
        assert call("POST", made["path"], json=body, headers=proof).status_code == 200
    heard(tenant, made["hook_id"], 2 * HOUR, "limited", 7)
    heard(tenant, made["hook_id"], 2 * DAY, "accepted", 100)
    told = lately(call, made["hook_id"])

    assert told["last_delivery_at"] >= iso(now_ms() - 2 * MINUTE)
    assert (told["deliveries_24h"], told["failed_24h"], told["quarantined_24h"]) == (10, 7, 1)
    assert told["silent_since"] is None
    assert lately(call, other["hook_id"]) == {
        "last_delivery_at": None,
        "deliveries_24h": 0,
        "failed_24h": 0,
        "quarantined_24h": 0,
        "silent_since": None,
    }
    changed = call("PATCH", f"{HOOKS}/{made['hook_id']}", json={"options": {}}).json
    assert changed["deliveries_24h"] == 10


def test_silent(call: Call, tenant: Tenant) -> None:
    """A hook that was heard hourly for days and has not been for half a day is silent since then."""
    quiet, lively = (call("POST", HOOKS, json={"source": "grafana"}).json["hook_id"] for _ in range(2))
    minutes = [heard(tenant, quiet, 12 * HOUR + hour * HOUR) for hour in range(96)]
    for hour in range(96):
        heard(tenant, lively, hour * HOUR)

    assert lately(call, quiet)["silent_since"] == iso(max(minutes))
    assert lately(call, lively)["silent_since"] is None
    assert newest_minutes(quiet, 3) == sorted(minutes)[-3:]


def test_a_watchdog_is_judged_by_its_own_silence(call: Call, tenant: Tenant) -> None:
    """A dead man's switch says itself how long it may be silent."""
    sent = {"source": "watchdog", "options": {"silence": "1h"}}
    made = call("POST", HOOKS, json=sent).json["hook_id"]
    heard(tenant, made, 30 * MINUTE, "ignored")
    assert lately(call, made)["silent_since"] is None
    Outcome.delete().execute()
    minute = heard(tenant, made, 2 * HOUR, "ignored")

    assert lately(call, made)["silent_since"] == iso(minute)
