"""Projects, as they are made."""

from __future__ import annotations

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
