"""`feedback-gateway project`."""

from __future__ import annotations

from typing import Any

import click

from adapters.contract import Refused
from gateway.access import bootstrap
from gateway.cli.command import command, name_option, workspace_of
from gateway.cli.errors import Failure
from gateway.core.ids import now_ms
from models.database.base import writing
from models.tables.workspace import Workspace, list_projects


@click.group()
def project() -> None:
    """Projects group a workspace's records."""


@command(project, "create")
@click.argument("name", callback=name_option)
@click.option("--workspace", default=None, help="Workspace id [default: the first].")
def project_create(name: str, workspace: str | None) -> tuple[Any, str]:
    """Create a project."""
    workspace_id = workspace_of(workspace)
    try:
        with writing():
            project_id = bootstrap.create_project(workspace_id, name, now_ms())
    except Refused as refused:
        raise Failure(refused.problem.message) from None
    made = {"project_id": project_id, "workspace_id": workspace_id, "name": name}
    return made, f"project {project_id} ({name})"


@command(project, "list")
@click.option("--workspace", default=None, help="Workspace id [default: all].")
def project_list(workspace: str | None) -> tuple[Any, str]:
    """List the projects."""
    workspaces = (
        [workspace_of(workspace)]
        if workspace
        else [row.id for row in Workspace.select().order_by(Workspace.id)]
    )
    shown = [
        {"project_id": row["id"], "workspace_id": row["workspace"], "name": row["name"]}
        for workspace_id in workspaces
        for row in list_projects(workspace_id)[0]
    ]
    return {"projects": shown}, "\n".join(f"{row['project_id']}  {row['name']}" for row in shown)
