"""Runs: long jobs, how far each is and what it made; started by whoever may, ended by admins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g, request
from flask.typing import ResponseReturnValue

from adapters.contract import Problem, Refused
from gateway.access import audit_log
from gateway.inbox.api_calls import ask, caller
from gateway.inbox.i18n import _
from gateway.inbox.pages import go, page
from gateway.inbox.settings import setting, told
from gateway.runs import lifecycle, registry
from gateway.runs.technique import MOST_INPUT
from models.database.base import writing
from models.tables import run
from models.tables.workspace import Workspace

SHOWN = 50  # of the newest
MOST = 999_999_999  # runs that a workspace may be allowed in a month


@page("/settings/runs", "viewer")
def runs() -> ResponseReturnValue:
    return _runs_page()


@page("/settings/runs/start/<slug>", "viewer", method="POST")
def start_run(slug: str) -> ResponseReturnValue:
    """Starts a run with what the form says; an empty field is one that was left out."""
    technique = registry.find(slug)
    known = technique.inputs if technique else ()
    given = {one.id: request.form.get(one.id, "").strip() for one in known}
    needed = {one.id for one in known if not one.optional}
    chosen = {name: text for name, text in given.items() if text or name in needed}
    sent = [{"id": name, "type": "text", "value": text} for name, text in chosen.items()]
    try:
        body = {"inputs": sent, "mode": "async"}
        ask("POST /api/v1/techniques/<technique_id>/runs", body=body, technique_id=slug)
    except Refused as refused:
        if refused.problem.status == 402:
            return _runs_page({slug: given}, [_("This workspace has used up its runs of this month.")])
        return _runs_page({slug: given}, told(refused))
    return go("/settings/runs", _("Started."))


@page("/settings/runs/<run_id>/cancel", "admin", method="POST")
def cancel_run(run_id: str) -> ResponseReturnValue:
    if run.find(g.session["user_workspace"], run_id) is None:
        raise Refused(Problem(404, "not_found", "No such run."))
    done = lifecycle.cancel(g.session["user_workspace"], run_id, g.session["user_id"])
    return go("/settings/runs", _("Cancelled.") if done else _("It had ended before."))


@page("/settings/runs/budget", "admin", method="POST")
def change_budget() -> ResponseReturnValue:
    """How many runs the workspace may start in a month; an empty field is any number."""
    text, workspace_id = request.form.get("runs", "").strip(), g.session["user_workspace"]
    if text and not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST))):
        return _runs_page(faults=[_("Must be a whole number.")])
    allowed = int(text) if text else None
    with writing():
        Workspace.update(runs_a_month=allowed).where(Workspace.id == workspace_id).execute()
        audit_log.note(
            workspace_id, g.session["user_id"], "workspace.changed", workspace_id, runs_a_month=allowed
        )
    return go("/settings/runs", _("Saved."))


def _runs_page(
    given: Mapping[str, Mapping[str, str]] | None = None, faults: list[str] | None = None
) -> ResponseReturnValue:
    """The page, with what was `given` in a form that could not be taken."""
    workspace_id = g.session["user_workspace"]
    scopes = caller().scopes
    known = registry.load()
    rows = run.list_page(workspace_id, limit=SHOWN)
    return setting(
        "runs",
        "runs.html",
        400 if faults else 200,
        rows=[{**row, "name": _name(known, row)} for row in rows],
        open=run.OPEN,
        techniques=[one for one in known.values() if {one.scope, "admin"} & scopes],
        left=lifecycle.left(workspace_id),
        allowed=Workspace.select(Workspace.runs_a_month).where(Workspace.id == workspace_id).scalar(),
        longest=MOST_INPUT,
        most=MOST,
        given=given or {},
        faults=faults,
    )


def _name(known: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    technique = known.get(row["technique"])
    return str(technique.name if technique else row["technique"])
