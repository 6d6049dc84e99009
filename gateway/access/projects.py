"""Projects, as they are made."""

from __future__ import annotations

from gateway.access import audit_log
from gateway.core.ids import new_id
from models.tables.workspace import Project


def create_project(
    workspace_id: str, name: str, now: int, *, origin: str | None = None, by: str = audit_log.COMMAND_LINE
) -> str:
    """Stores a new project and returns its id. `by` is the id of the key that asks for it."""
    project_id = new_id("prj")
    Project.create(id=project_id, workspace=workspace_id, name=name, origin=origin, created_at=now)
    audit_log.note(workspace_id, by, "project.created", project_id, name=name)
    return project_id
