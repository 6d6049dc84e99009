"""A first workspace, its project and its key."""

from __future__ import annotations

from typing import Any

from gateway.access.api_keys import SCOPES, create_key
from gateway.access.projects import create_project
from gateway.core.ids import new_id, now_ms
from models.database.base import serialise, writing
from models.migrations import migrate
from models.tables.workspace import Project, Workspace

__all__ = ["create_project", "create_workspace", "initialise"]


def initialise(workspace: str | None, project: str | None) -> dict[str, Any]:
    """Migrates, creates what is absent and says what is there, as `create_workspace` does."""
    migrate()
    return create_workspace(workspace, project)


def create_workspace(workspace: str | None, project: str | None) -> dict[str, Any]:
    """Creates what is absent, in a database with today's schema, and says what is there.

    The result's `key` is the key's text when the workspace is new, else None. Its `key_id` is then
    None too.
    """
    with writing():
        serialise([("workspaces",)])
        row = _named(workspace)
        now = now_ms()
        if row is not None:
            project_id = row.default_project_id
            if project is not None:
                known = Project.get_or_none((Project.workspace == row.id) & (Project.name == project))
                project_id = known.id if known else create_project(row.id, project, now)
            return {"workspace_id": row.id, "project_id": project_id, "key_id": None, "key": None}
        workspace_id = new_id("ws")
        Workspace.create(id=workspace_id, name=workspace or "Default", created_at=now)
        project_id = create_project(workspace_id, project or "Default", now)
        Workspace.update(default_project_id=project_id).where(Workspace.id == workspace_id).execute()
        key_id, key = create_key(workspace_id, name="first key", scopes=SCOPES)
    return {"workspace_id": workspace_id, "project_id": project_id, "key_id": key_id, "key": key}


def _named(workspace: str | None) -> Workspace | None:
    """The workspace of this name, or without a name the first one."""
    rows = Workspace.select().order_by(Workspace.id)
    found: Workspace | None = (rows.where(Workspace.name == workspace) if workspace else rows).first()
    return found
