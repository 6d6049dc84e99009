"""The page of runs: what they are, how far, what they made; started and ended by whoever may."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from gateway.background.lease import Work, run_once
from gateway.runs import lifecycle, registry, worker
from models import Audit, Run
from models.database.base import writing
from models.tables import run
from models.tables.workspace import Workspace
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader

Make = Callable[..., Reader]
START = "/settings/runs/start/export-feedback"


def test_a_run_from_the_page(reader: Make, call: Call) -> None:
    """Started by a form it waits, and is done a moment later with a file to take."""
    call("POST", "/gateway/v1/feedback", json={"text": "The export stalls"})
    ann = reader("viewer")
    assert "No runs yet." in ann.get("/settings/runs").text
    assert ann.post(START, {"filter": "", "format": "csv", "fields": ""}).status_code == 303
    page = ann.get("/settings/runs").text
    assert "pending" in page and '<progress max="100" value="0">' in page
    assert "format: csv" in page
    run_once(Work(run.WORKS[0], worker.do_runs))
    page = ann.get("/settings/runs").text
    assert "completed" in page
    found = re.search(r'href="(/files/asset_\w+/feedback-\d+\.csv)"', page)
    assert found and "The export stalls" in ann.get(found[1]).text


def test_what_a_form_is_told(reader: Make) -> None:
    """What is wrong is said beside what was given; nothing is started."""
    ann = reader("admin")
    answer = ann.post(START, {"filter": "color=<red>"})
    assert answer.status_code == 400
    assert "inputs.filter" in answer.text
    assert 'value="color=&lt;red&gt;"' in answer.text
    assert ann.post("/settings/runs/start/none", {}).status_code == 404
    assert Run.select().count() == 0


@pytest.mark.parametrize(
    ("role", "allowed"), [("viewer", {"export-feedback"}), ("triager", {"export-feedback"}), ("admin", None)]
)
def test_each_role_starts_what_it_may(reader: Make, role: str, allowed: set[str] | None) -> None:
    """Forms are there for what the role may run; what it may not is a 403, whatever is sent."""
    ann = reader(role)
    page = ann.get("/settings/runs").text
    for technique in registry.load().values():
        path = f"/settings/runs/start/{technique.slug}"
        may = allowed is None or technique.scope in ("read", "triage")[: 1 + (role == "triager")]
        assert (f'action="{path}"' in page) == may, technique.slug
        assert (ann.post(path, {}).status_code != 403) == may, technique.slug


def test_a_run_is_cancelled(reader: Make) -> None:
    """By an admin, once; the trail tells who."""
    ann, ben = reader("admin"), reader("viewer")
    ben.post(START, {"filter": ""})
    made = Run.get().id
    path = f"/settings/runs/{made}/cancel"
    assert path not in ben.get("/settings/runs").text
    assert path in ann.get("/settings/runs").text
    assert ben.post(path, {}).status_code == 403
    assert ann.post(path, {}).status_code == 303
    assert "cancelled" in ann.get("/settings/runs").text
    assert "ended before" in ann.get(ann.post(path, {}).location).text
    assert [one.target for one in Audit.select().where(Audit.action == "run.cancelled")] == [made]


def test_a_budget(reader: Make, tenant: Tenant) -> None:
    """An admin sets how many runs a month; who comes after the last is told so."""
    ann = reader("admin")
    for text, status in (("x", 400), ("-1", 400), ("1" * 12, 400), ("0" * 10 + "9" * 30, 400), ("1", 303)):
        assert ann.post("/settings/runs/budget", {"runs": text}).status_code == status
    assert "1 more may be started this month" in ann.get("/settings/runs").text
    assert ann.post(START, {"filter": ""}).status_code == 303
    answer = ann.post(START, {"filter": "q=kept"})
    assert "used up its runs" in answer.text and 'value="q=kept"' in answer.text
    ann.post("/settings/runs/budget", {"runs": ""})
    assert Workspace.get_by_id(tenant.workspace_id).runs_a_month is None


def test_hostile_words(reader: Make, tenant: Tenant) -> None:
    """What a run was told, and why it failed, is text."""
    export = registry.load()["export-feedback"]
    with writing():
        row, _ = lifecycle.start(export, {"filter": "q=<script>x</script>"}, tenant.workspace_id, "key")
        lifecycle.end(row["id"], error=("input_unreachable", "<img src=x onerror=alert(1)>"))
    page = reader("admin").get("/settings/runs").text
    assert "<script>x" not in page and "<img src=x" not in page
    assert "input_unreachable" in page and "failed" in page
