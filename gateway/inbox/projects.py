"""Projects: what each is called, what weighs more in it, how long it keeps things, where issues go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from adapters.contract import Fault, Refused
from gateway.api.admin.request_schemas import MOST_RULES
from gateway.inbox.api_calls import ask
from gateway.inbox.i18n import _
from gateway.inbox.pages import go, page
from gateway.inbox.refusals import refusal
from gateway.inbox.settings import every, setting, told

ONE = "GET /gateway/v1/projects/<project_id>"
PREVIEW = "POST /gateway/v1/projects/<project_id>/retention/preview"
CHANGE = "PATCH /gateway/v1/projects/<project_id>"
DAYS = ("retention_days", "payload_retention_days")
MARKS = ("pages", "names", "phrases")
WHOLE = re.compile("-?[0-9]{1,9}")

Faults = dict[str, list[str]]  # what is wrong, by field


@page("/settings/projects", "viewer")
def projects() -> ResponseReturnValue:
    return _list_page()


def _list_page(faults: list[str] | None = None) -> ResponseReturnValue:
    rows = every("GET /gateway/v1/projects")
    return setting("projects", "projects.html", 400 if faults else 200, rows=rows, faults=faults)


@page("/settings/projects", "admin", method="POST")
def create_project() -> ResponseReturnValue:
    try:
        made = ask("POST /gateway/v1/projects", body={"name": request.form.get("name", "")})
    except Refused as refused:
        return _list_page(told(refused))
    return go(f"/settings/projects/{made['project_id']}", _("Created."))


@page("/settings/projects/<project_id>", "viewer")
def project(project_id: str) -> ResponseReturnValue:
    return _page(ask(ONE, project_id=project_id))


def _page(
    row: dict[str, Any],
    given: Mapping[str, Any] | None = None,
    rules: list[dict[str, Any]] | None = None,
    faults: Faults | None = None,
) -> ResponseReturnValue:
    """The page of a project, with what was `given` in a form that could not be taken."""
    kept = [{**rule, **{name: "\n".join(rule[name]) for name in MARKS}} for rule in row["areas"] or []]
    return setting(
        "projects",
        "project.html",
        400 if faults else 200,
        row=row,
        given={**row, **(given or {})},
        rules=kept if rules is None else rules,
        marks=MARKS,
        full=len(row["areas"] or []) >= MOST_RULES,
        faults=faults or {},
    )


@page("/settings/projects/<project_id>", "admin", method="POST")
def change_project(project_id: str) -> ResponseReturnValue:
    """Name, repository and retention, as far as the form has them.

    Before records or payloads that there are would go, the answer says how many and asks.
    """
    given = {
        name: request.form[name].strip() for name in ("name", "repository", *DAYS) if name in request.form
    }
    sent: dict[str, Any] = {name: text if text or name == "name" else None for name, text in given.items()}
    sent |= {name: int(text) for name, text in given.items() if name in DAYS and WHOLE.fullmatch(text)}
    try:
        if not request.form.get("sure") and (loss := _loss(project_id, sent)):
            row = ask(ONE, project_id=project_id)
            return setting("projects", "retention.html", row=row, given=given, loss=loss)
        ask(CHANGE, body=sent, project_id=project_id)
    except Refused as refused:
        return _page(ask(ONE, project_id=project_id), given, faults=_by_field(refused))
    return go(f"/settings/projects/{project_id}", _("Saved."))


def _loss(project_id: str, sent: Mapping[str, Any]) -> dict[str, Any] | None:
    """What would go by the days that are sent, when these are others than now and anything would."""
    row = ask(ONE, project_id=project_id)
    days = {name: sent[name] for name in DAYS if name in sent and sent[name] != row[name]}
    if not any(days.values()):
        return None
    loss: dict[str, Any] = ask(PREVIEW, body=days, project_id=project_id)
    return loss if any(loss[name] for name in ("records", "payloads", "quarantine")) else None


@page("/settings/projects/<project_id>/areas", "admin", method="POST")
def change_areas(project_id: str) -> ResponseReturnValue:
    """The rules of what weighs more and which of the usual areas do, all at once; or all as it comes."""
    row, rules = ask(ONE, project_id=project_id), list(_rules())
    sent = [rule for rule in rules if not _left_out(rule)]
    body: dict[str, Any] = {"areas": None}
    if request.form.get("act") != "usual":
        if sent or row["areas"] is not None:
            body["areas"] = [_sent(rule) for rule in sent]
        shown, on = request.form.getlist("usual-shown"), request.form.getlist("usual")
        off = {name for name in shown if name not in on}
        off |= {name for name in row["usual_areas_off"] if name not in shown}
        body["usual_areas_off"] = sorted(off)
    try:
        ask(CHANGE, body=body, project_id=project_id)
    except Refused as refused:
        return _page(row, rules=sent, faults=_by_field(refused))
    return go(f"/settings/projects/{project_id}", _("Saved."))


def _rules() -> Iterable[dict[str, Any]]:
    """The rules of the form as they were typed, those already kept first."""
    numbers = sorted(
        {int(found[1]) for name in request.form if (found := re.fullmatch(r"(\d{1,3})-name", name))}
    )
    for number in numbers:
        yield {
            name: request.form.get(f"{number}-{name}", "") for name in ("name", "points", *MARKS, "remove")
        }


def _left_out(rule: Mapping[str, str]) -> bool:
    """Whether a rule is to be removed, or nothing was typed."""
    return bool(rule["remove"]) or not any(rule[name].strip() for name in ("name", *MARKS))


def _sent(rule: Mapping[str, str]) -> dict[str, Any]:
    """A rule as the API takes it: a mark on each line."""
    points = int(rule["points"]) if WHOLE.fullmatch(rule["points"]) else rule["points"]
    lines = {name: [line.strip() for line in rule[name].splitlines() if line.strip()] for name in MARKS}
    return {"name": rule["name"].strip(), "points": points, **lines}


def _by_field(refused: Refused) -> Faults:
    """What the API says is wrong, by the field of the form: areas.0.pages.2 is told at 0-pages."""
    told(refused)
    found: Faults = {}
    for fault in refused.problem.faults or (Fault("body", refused.problem.message),):
        parts = fault.field.split(".")
        field = "-".join(parts[1:3]) if parts[0] == "areas" and len(parts) > 2 else fault.field
        which = f"{parts[3]}: " if len(parts) > 3 else ""
        number = f"{int(parts[3]) + 1}: " if which and parts[3].isdecimal() else which
        found.setdefault(field, []).append(f"{number}{refusal(fault.message)}")
    return found
