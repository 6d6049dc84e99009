"""Projects, as they are made, and what of the usual areas weighs more in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.contract import Fault, invalid
from gateway.access import audit_log
from gateway.core.ids import new_id
from models.tables.workspace import Project, count_projects

MOST_PROJECTS = 1_000  # of a workspace: pages of the inbox offer all of them


def create_project(
    workspace_id: str, name: str, now: int, *, origin: str | None = None, by: str = audit_log.COMMAND_LINE
) -> str:
    """Stores a new project and returns its id. `by` is the id of the key that asks for it.

    Raises Refused (400) where a workspace has as many as it may have.
    """
    if count_projects(workspace_id) >= MOST_PROJECTS:
        raise invalid(Fault("name", f"A workspace has at most {MOST_PROJECTS:,} projects"))
    project_id = new_id("prj")
    Project.create(id=project_id, workspace=workspace_id, name=name, origin=origin, created_at=now)
    audit_log.note(workspace_id, by, "project.created", project_id, name=name)
    return project_id


def switch_usual_areas(row: Mapping[str, Any], off: Sequence[str], by: str = audit_log.COMMAND_LINE) -> None:
    """Switches the usual areas of these names off in a project, all others on.

    Within the open transaction.
    """
    before, now = row["usual_areas_off"], list(off) or None
    if now != before:
        Project.update(usual_areas_off=now).where(Project.id == row["id"]).execute()
        changes = {"usual_areas_off": {"from": before, "to": now}}
        audit_log.note(row["workspace"], by, "project.changed", row["id"], changes=changes)
