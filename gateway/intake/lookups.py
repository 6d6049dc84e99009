"""Workspaces and projects, as the routes beside the feedback doors ask for them."""

from __future__ import annotations

from adapters.contract import Adapter, Answer, Ask, Inbound, Lookup, Problem, Refused, Reply
from gateway.access.caller import Caller
from gateway.access.projects import create_project
from gateway.intake import auth, idempotency, limits
from models.database.base import rows
from models.tables.workspace import Project, Workspace, list_projects


def look_up(adapter: Adapter, lookup: Lookup, inbound: Inbound) -> Reply:
    """Answers one route beside the feedback doors: who, how much, what is asked, what is found."""
    caller = auth.identify(adapter, lookup.scope, inbound)
    limits.spend(caller, inbound)
    ask = lookup.ask(inbound)
    return lookup.reply(inbound, _ANSWERS[ask.what](caller, adapter, inbound, ask))


def _workspaces(caller: Caller, adapter: Adapter, inbound: Inbound, ask: Ask) -> Answer:
    found = rows(Workspace.select().where(Workspace.id == caller.workspace_id))
    return Answer(tuple(found), len(found))


def _projects(caller: Caller, adapter: Adapter, inbound: Inbound, ask: Ask) -> Answer:
    _own_workspace(caller, ask)
    found, total = list_projects(
        caller.workspace_id, only=caller.project_id, name=ask.name, offset=ask.offset, limit=ask.limit
    )
    end = ask.offset + len(found)
    return Answer(tuple(found), total, end if found and end < total else None)


def _project(caller: Caller, adapter: Adapter, inbound: Inbound, ask: Ask) -> Answer:
    allowed = caller.project_id in (None, ask.project_id)
    found = list_projects(caller.workspace_id, only=ask.project_id)[0] if allowed else []
    if not found:
        raise Refused(Problem(404, "not_found", "Not found."))
    return Answer(tuple(found), 1)


def _create_project(caller: Caller, adapter: Adapter, inbound: Inbound, ask: Ask) -> Answer:
    _own_workspace(caller, ask)
    if caller.project_id is not None:
        raise Refused(Problem(403, "forbidden", "Forbidden."))
    with idempotency.claimed(caller, adapter, inbound):
        project_id = create_project(
            caller.workspace_id, ask.name, inbound.received_at, origin="api", by=caller.key_id
        )
    return Answer(tuple(list_projects(caller.workspace_id, only=project_id)[0]), 1)


def _widget(caller: Caller, adapter: Adapter, inbound: Inbound, ask: Ask) -> Answer:
    found = rows(Project.select().where(Project.id == caller.default_project_id))
    return Answer(tuple(found), len(found))


def _own_workspace(caller: Caller, ask: Ask) -> None:
    """Another's workspace and one that does not exist are answered alike."""
    if ask.workspace_id != caller.workspace_id:
        raise Refused(Problem(403, "forbidden", "Forbidden."))


_ANSWERS = {
    "workspaces": _workspaces,
    "projects": _projects,
    "project": _project,
    "create_project": _create_project,
    "widget": _widget,
}
