"""What one request reads is bounded, however much a workspace holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.access import hooks, projects
from gateway.cli import main
from gateway.core.config import Config
from gateway.core.ids import now_ms
from models import HookRow, Project
from models.queries import bounded_pages
from models.tables import event, workspace
from tests.conftest import Call, Tenant

HOOKS, PROJECTS = "/gateway/v1/hooks", "/gateway/v1/projects"
Counted = Callable[[Any, str], list[int]]


@pytest.fixture(name="counted")
def _counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Counts the rows that a module's queries read: counted(module, "rows")."""

    def counted(module: Any, name: str) -> list[int]:
        sizes: list[int] = []
        read = getattr(module, name)

        def reading(*args: Any, **options: Any) -> Any:
            found = read(*args, **options)
            sizes.append(len(found))
            return found

        monkeypatch.setattr(module, name, reading)
        return sizes

    return counted


def walked(call: Call, path: str, name: str) -> list[str]:
    """The ids of a list, page by page of two."""
    ids, cursor = [], ""
    while cursor is not None:
        page = call("GET", f"{path}?limit=2{cursor and f'&cursor={cursor}'}").json
        ids += [row[name] for row in page["data"]]
        cursor = page["next_cursor"]
    return ids


@pytest.mark.both
def test_a_page_of_hooks_reads_a_page_of_rows(call: Call, tenant: Tenant, counted: Counted) -> None:
    """In the order they were made, also where several were made in one moment or one is deleted meanwhile."""
    made = [call("POST", HOOKS, json={"source": "github"}).json["hook_id"] for _ in range(7)]
    HookRow.update(created_at=now_ms()).where(HookRow.id.in_(made[2:])).execute()
    rows = counted(hooks, "rows")
    whole = [row["hook_id"] for row in call("GET", HOOKS).json["data"]]

    assert sorted(whole) == sorted(made)
    assert walked(call, HOOKS, "hook_id") == whole
    assert max(rows[1:]) == 3  # two, and one to see that there are more
    cursor = call("GET", f"{HOOKS}?limit=3").json["next_cursor"]
    call("DELETE", f"{HOOKS}/{cursor}")
    rest = call("GET", f"{HOOKS}?cursor={cursor}").json["data"]
    assert [row["hook_id"] for row in rest] == whole[3:]


@pytest.mark.both
def test_a_page_of_projects_reads_a_page_of_rows(call: Call, tenant: Tenant, counted: Counted) -> None:
    for number in range(5):
        call("POST", PROJECTS, json={"name": f"Project {number}"})
    rows = counted(workspace, "rows")

    ids = walked(call, PROJECTS, "project_id")
    assert ids == sorted(row["id"] for row in Project.select(Project.id).dicts()) and len(ids) == 6
    assert max(rows) == 3


def test_a_workspace_has_no_more_projects_than_its_pages_can_show(
    call: Call, tenant: Tenant, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told in the dialect of whoever asks for one more, and nothing is made."""
    monkeypatch.setattr(projects, "MOST_PROJECTS", 2)
    assert call("POST", PROJECTS, json={"name": "Second"}).status_code == 201
    native = call("POST", PROJECTS, json={"name": "Third"})
    flora = call("POST", "/api/v1/projects", json={"name": "Third", "workspace_id": tenant.workspace_id})
    monkeypatch.setenv("GATEWAY_DATABASE_URL", config.database_url)
    monkeypatch.setenv("GATEWAY_DATA_DIR", config.data_dir)
    shell = CliRunner().invoke(main, ["project", "create", "Third"])

    assert (native.status_code, flora.status_code, shell.exit_code) == (400, 400, 1)
    for told in (native.text, flora.text, shell.stderr):
        assert "at most 2 projects" in told
    assert Project.select().count() == 2


@pytest.mark.parametrize("name", ["raw", "deliveries"])
def test_deliveries_beside_a_record_fit_in_memory(
    call: Call, monkeypatch: pytest.MonkeyPatch, counted: Counted, name: str
) -> None:
    """As many of the newest as there is room for, and one at least."""
    monkeypatch.setattr(bounded_pages, "AT_HAND", 5_000)
    sent = {"text": "The map is blank", "subject": {"note": "x" * 2_000}}
    made = call("POST", "/gateway/v1/feedback", json=sent).json["id"]
    first = event.of(made, limit=1)[0]
    for number in range(6):
        event.Event.create(**{**first, "id": f"{first['id']}{number}"}, force_insert=True)
    rows = counted(event, "rows")
    shown = call("GET", f"/gateway/v1/feedback/{made}?expand={name}").json[name]

    assert [item["event_id"][-1] for item in shown] == ["5", "4"]
    assert max(rows) == 2
    monkeypatch.setattr(bounded_pages, "AT_HAND", 1)
    assert len(call("GET", f"/gateway/v1/feedback/{made}?expand={name}").json[name]) == 1
