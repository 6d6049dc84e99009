"""Labelling anew as a run: gone on with where a host died, each record once, and told in a report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.background.retriage import EVENT
from gateway.core import pacing
from gateway.files.store import store
from gateway.runs.technique import Task
from gateway.runs.techniques.retriage import TECHNIQUE
from models import Event
from models.tables import asset
from tests.background.test_retriage import TEXTS, age, stored
from tests.background.test_second_reading import PATH
from tests.conftest import Call, Tenant
from tests.runs.conftest import Start
from tests.runs.test_engine import Killed, host, later, row_of

pytestmark = pytest.mark.both


def report_of(tenant: Tenant, run_id: str) -> dict[str, Any]:
    """The report of a run that has completed."""
    row = row_of(run_id)
    assert row["status"] == "completed", row
    (output,) = row["outputs"]
    kept = asset.find(tenant.workspace_id, None, output["asset_id"])
    assert kept is not None
    found: dict[str, Any] = json.loads(b"".join(store().open(kept["sha256"])))
    return found


@pytest.mark.parametrize("deaths", [0, 1, 4])
def test_a_host_dies(
    call: Call, tenant: Tenant, start: Start, monkeypatch: pytest.MonkeyPatch, deaths: int
) -> None:
    """Whichever hosts die in between, each record is counted, changed and told of once, by the run."""
    for name in ("FIRST", "MOST"):
        monkeypatch.setattr(pacing, name, 4)
    items = [{"text": f"{TEXTS[n % 5]} {'x' * n}"} for n in range(60)]
    assert call("POST", f"{PATH}/batch", json=items).json["accepted"] == 60
    age()
    dry = start(TECHNIQUE, {"filter": "category=other", "dry_run": "true"})
    host()
    wanted = report_of(tenant, dry["id"])
    real, left, notes = Task.note, deaths, 0

    def note(self: Task, *words: Any) -> None:
        nonlocal left, notes
        real(self, *words)
        notes += 1
        if left and notes % 3 == 0:
            left -= 1
            raise Killed

    monkeypatch.setattr(Task, "note", note)
    made = start(TECHNIQUE, {"filter": "category=other"})
    told = []
    for _ in range(deaths):
        with pytest.raises(Killed):
            host()
        told.append(row_of(made["id"])["progress"])
        later()
    host()
    report = report_of(tenant, made["id"])

    assert told == sorted(told)
    assert {**report, "seconds": 0, "dry_run": True} == {**wanted, "seconds": 0}
    assert report["changed"] == 60
    events = [row.detail["key_id"] for row in Event.select().where(Event.type == EVENT)]
    assert events == [made["id"]] * 60


def test_a_dry_run_writes_nothing(call: Call, tenant: Tenant, start: Start) -> None:
    """It says what would change, of the run's own project only."""
    call("POST", PATH, json={"text": TEXTS[0]})
    age()
    before = stored()
    for project_id, changed in ((tenant.project_id, 1), ("prj_other", 0)):
        made = start(TECHNIQUE, {"filter": "", "dry_run": "true"}, project_id=project_id)
        host()
        report = report_of(tenant, made["id"])
        assert (report["dry_run"], report["changed"]) == (True, changed)
    assert stored() == before


def test_inputs() -> None:
    """What is wrong with a filter, or with a dry run that is neither true nor false, is said of each."""
    wrong = TECHNIQUE.check({"filter": "colour=red", "dry_run": "maybe"}, "ws", None)
    assert [fault.field for fault in wrong] == ["filter", "dry_run"]
    assert not TECHNIQUE.check({"filter": "category=bug&since=7d", "dry_run": "false"}, "ws", None)
