"""`feedback-gateway project`."""

from __future__ import annotations

from typing import Any

import click

from adapters.contract import Refused
from gateway.access import audit_log, bootstrap, projects
from gateway.api.admin.projects import USUAL, usual
from gateway.background import project_learning
from gateway.cli.command import command, name_option, workspace_of
from gateway.cli.errors import Failure, NotHere
from gateway.core.config import Config, learning_off
from gateway.core.ids import now_ms
from gateway.triage import active_model
from models.database.base import writing
from models.tables import workspace as tables
from models.tables.feedback import iso
from models.tables.workspace import Workspace, list_projects

AREAS = click.Choice(USUAL)


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


@command(project, "areas")
@click.argument("project_id")
@click.option("--off", multiple=True, type=AREAS, help="A usual area that does not weigh more here.")
@click.option("--on", multiple=True, type=AREAS, help="One that does again.")
def project_areas(project_id: str, off: tuple[str, ...], on: tuple[str, ...]) -> tuple[Any, str]:
    """Show what weighs more in a project, and switch usual areas off or on."""
    workspace_id = _workspace(project_id)
    if both := sorted({*off} & {*on}):
        raise click.UsageError(f"{', '.join(both)}: give --on or --off")
    with writing():
        row = list_projects(workspace_id, only=project_id)[0][0]
        names = {*(row["usual_areas_off"] or ()), *off} - {*on}
        if off or on:
            projects.switch_usual_areas(row, [name for name in USUAL if name in names])
    told = usual(names)
    areas = [("on " if one["on"] else "off", one) for one in told["usual_areas"]]
    areas += [("own", one) for one in row["areas"] or []]
    lines = [f"{one['points']}  {state}  {one['name']}" for state, one in areas]
    return {"project_id": project_id, "areas": row["areas"], **told}, "\n".join(lines)


@command(project, "learning")
@click.argument("project_id")
def project_learning_shown(project_id: str) -> tuple[Any, str]:
    """Show what a project has learnt from its people, and when it learns next."""
    return _learning(_workspace(project_id), project_id)


@command(project, "learn")
@click.argument("project_id")
def project_learn(project_id: str) -> tuple[Any, str]:
    """Learn what a project's people corrected, now and in this process."""
    if why := learning_off():
        raise click.ClickException(why)
    from gateway.triage.training.learn_projects import learnt  # takes a second

    workspace_id = _workspace(project_id)
    active_model.connect(Config.from_env().model_path)
    one = project_learning.at_once(workspace_id, project_id, audit_log.COMMAND_LINE)
    with writing():
        project_learning.begin(one)
    (row,) = learnt([(workspace_id, project_id)])
    with writing():
        project_learning.finish(one, row)
    shown, line = _learning(workspace_id, project_id)
    if shown["refusal"]:
        raise click.ClickException(f"not learnt, all is as it was: {shown['refusal']}")
    return shown, line


@command(project, "unlearn")
@click.argument("project_id")
@click.option("--lesson", metavar="FEEDBACK_ID", help="Only what people said of this record.")
def project_unlearn(project_id: str, lesson: str | None) -> tuple[Any, str]:
    """Take back what a project has learnt: all of it, or one lesson."""
    workspace_id = _workspace(project_id)
    if lesson is None:
        project_learning.forget(workspace_id, project_id, audit_log.COMMAND_LINE)
    elif not project_learning.change_lesson(workspace_id, project_id, lesson, False, audit_log.COMMAND_LINE):
        raise NotHere(f"nobody corrected {lesson} in this project")
    return _learning(workspace_id, project_id)


def _workspace(project_id: str) -> str:
    found = tables.workspace_of(project_id)
    if found is None:
        raise NotHere(f"no project {project_id}")
    return found


def _learning(workspace_id: str, project_id: str) -> tuple[dict[str, Any], str]:
    state = project_learning.state(workspace_id, project_id)
    shown = {"project_id": project_id, **state}
    shown |= {name: iso(state[name]) for name in project_learning.TIMES}
    line = f"{project_id}: nothing is learnt"
    if state["version"]:
        line = f"{project_id}: {state['version']}, learnt from {state['learnt_corrections']} corrections"
        line += f" on {shown['learnt_at']}"
    if shown["next_at"]:
        line += f"; next on {shown['next_at']} from {state['corrections']}"
    return shown, line
