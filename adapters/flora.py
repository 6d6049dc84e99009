"""FLORA: feedback of agents and people on a creative workspace. Wire format: docs/dialects/flora.md."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import ValidationError, fields

from adapters.common.plain_text import SPACE
from adapters.common.schemas import Payload, Strict, Text, TextList, length, means, one_of
from adapters.contract import (
    Adapter,
    Answer,
    Ask,
    Code,
    Door,
    Fault,
    Idempotency,
    Inbound,
    Lookup,
    Problem,
    Reply,
    invalid,
)
from adapters.contract.description import FieldFault, Shape, Shown, listed, text, whole
from adapters.contract.record import Category, Record, Saved

CATEGORY: dict[str, Category] = {
    "feature_request": "feature",
    "bug": "bug",
    "technique_request": "feature",
    "missing_capability": "feature",
}
REFERENCES = ("workspace_id", "project_id", "run_id", "attempted_tools")

# Our codes in FLORA's closed list, with the published message where there is one.
ERRORS: dict[Code, tuple[str, str | None]] = {
    "invalid_json": ("invalid_json", None),
    "invalid": ("input_validation_error", None),
    "invalid_request": ("input_validation_error", None),
    "unauthorized": ("unauthorized", None),
    "invalid_key": ("invalid_api_key", "Invalid API key."),
    "forbidden": ("forbidden", "Forbidden."),
    "not_found": ("not_found", "Not found."),
    "method_not_allowed": ("not_found", None),
    "too_large": ("input_validation_error", None),
    "unsupported_encoding": ("input_validation_error", None),
    "idempotency_duplicate": ("idempotency_duplicate", "Duplicate idempotency key."),
    "conflict": ("conflict", None),
    "insufficient_credits": ("insufficient_credits", None),
    "rate_limited": ("rate_limited", "Rate limit exceeded."),
    "overloaded": ("service_unavailable", None),
    "internal": ("unknown_error", "An unknown error occurred."),
}
PAGE = 20  # projects in a page when the client names no limit
LONGEST_PAGE = 100


def identifier(prefix: str, name: str) -> Callable[[str], None]:
    """A check of an id's shape; the message is the one FLORA publishes."""
    shape = re.compile(f"{prefix}_[^{SPACE}]+")

    @means(pattern=f"^{shape.pattern}$")
    def check(value: str) -> None:
        if not shape.fullmatch(value):
            raise ValidationError(f"{name} identifier must start with {prefix}_")

    return check


class Feedback(Payload):
    kind = Text(one_of(CATEGORY), required=True)
    summary = Text(length(least=1), required=True)
    detail = Text(length(least=1), required=True)
    attempted_tools = TextList()
    workspace_id = Text(identifier("ws", "Workspace"))
    project_id = Text(identifier("prj", "Project"))
    run_id = Text(identifier("run", "Run"))


class NewProject(Strict):
    workspace_id = Text(identifier("ws", "Workspace"), required=True)
    name = Text(length(least=1), required=True)


class NewProjectName(Strict):
    name = Text(length(least=1), required=True)


class ProjectQuery(Payload):
    workspace_id = Text(identifier("ws", "Workspace"), required=True)


class ProjectPage(ProjectQuery):
    """How pages are asked for; `ask_projects` reads it."""

    query = Text(metadata={"description": "What a project's name must contain."})
    limit = fields.Integer(metadata={"minimum": 1, "maximum": LONGEST_PAGE, "default": PAGE})
    cursor = Text(metadata={"description": "`meta.next_cursor` of the page before."})


class TakenFeedback(Shown):
    feedback_id = text()
    received_at = whole()


class WorkspaceShown(Shown):
    workspace_id = text()
    name = text()
    created_at = whole()
    role = text("member")


class Workspaces(Shown):
    workspaces = listed(WorkspaceShown)


class Project(Shown):
    project_id = text()
    name = text()
    workspace_id = text()
    origin = text(allow_none=True)
    last_modified = fields.Integer(allow_none=True)
    created_at = whole()


class PageMeta(Shown):
    next_cursor = text(allow_none=True)
    total_estimate = whole(minimum=0)


class Projects(Shown):
    projects = listed(Project)
    meta = fields.Nested(PageMeta)


class ErrorTold(Shown):
    sometimes = ("faults",)
    code = text()
    message = text()
    faults = listed(FieldFault, data_key="fields")


class Error(Shown):
    error = fields.Nested(ErrorTold)


def read(inbound: Inbound) -> list[Record]:
    sent = Feedback.of(inbound)
    return [
        Record(
            title=" ".join(sent["summary"].split()),
            text=sent["detail"],
            kind=sent["kind"],
            category=CATEGORY[sent["kind"]],
            subject={name: sent[name] for name in REFERENCES if name in sent},
            workspace_ref=sent.get("workspace_id"),
            project_ref=sent.get("project_id"),
        )
    ]


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    return Reply(201, {"feedback_id": saved[0].id, "received_at": inbound.received_at})


def refuse(problem: Problem) -> Reply:
    code, message = ERRORS.get(problem.code, ("input_validation_error", None))
    error: dict[str, Any] = {"code": code, "message": message or problem.message}
    if problem.faults:
        error["fields"] = [{"field": fault.field, "message": fault.message} for fault in problem.faults]
    # FLORA's client takes a 409 for retryable unless told otherwise.
    stop = {"x-should-retry": "false"} if problem.status == 409 else {}
    return Reply(problem.status, {"error": error}, {**problem.headers, **stop})


def ask_workspaces(inbound: Inbound) -> Ask:
    return Ask("workspaces")


def show_workspaces(inbound: Inbound, answer: Answer) -> Reply:
    shown = [
        {"workspace_id": row["id"], "name": row["name"], "created_at": row["created_at"], "role": "member"}
        for row in answer.rows
    ]
    return Reply(200, {"workspaces": shown})


def ask_projects(inbound: Inbound) -> Ask:
    query = inbound.query
    sent = ProjectQuery.check(dict(query))
    return Ask(
        "projects",
        workspace_id=sent["workspace_id"],
        name=query.get("query", ""),
        offset=offset_of(query),
        limit=limit_of(query),
    )


def show_projects(inbound: Inbound, answer: Answer) -> Reply:
    meta = {"next_cursor": cursor_of(answer.next_offset), "total_estimate": answer.total}
    return Reply(200, {"projects": [_project(row) for row in answer.rows], "meta": meta})


def ask_project(inbound: Inbound) -> Ask:
    return Ask("project", project_id=inbound.params["project_id"])


def show_project(inbound: Inbound, answer: Answer) -> Reply:
    return Reply(200, _project(answer.rows[0]))


def ask_new_project(inbound: Inbound) -> Ask:
    if "workspace_id" in inbound.params:
        sent = {**NewProjectName.of(inbound), "workspace_id": inbound.params["workspace_id"]}
    else:
        sent = NewProject.of(inbound)
    return Ask("create_project", workspace_id=sent["workspace_id"], name=sent["name"])


def show_new_project(inbound: Inbound, answer: Answer) -> Reply:
    return Reply(201, _project(answer.rows[0]))


def _project(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "project_id": row["id"],
        "name": row["name"],
        "workspace_id": row["workspace"],
        "origin": row["origin"],
        "last_modified": row["last_modified"],
        "created_at": row["created_at"],
    }


def limit_of(query: Mapping[str, str]) -> int:
    """How many items a page is to have. Raises Refused (400); so does `offset_of`."""
    limit = query.get("limit", str(PAGE))
    if not re.fullmatch(r"\d{1,3}", limit, re.ASCII) or not 1 <= int(limit) <= LONGEST_PAGE:
        raise invalid(Fault("limit", f"Number must be from 1 to {LONGEST_PAGE}"))
    return int(limit)


def cursor_of(offset: int | None) -> str | None:
    """Opaque to clients: unpadded base64url of {"offset": 20}, as FLORA's own."""
    if offset is None:
        return None
    text = json.dumps({"offset": offset}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def offset_of(query: Mapping[str, str]) -> int:
    """Where the page begins that the cursor asks for."""
    cursor = query.get("cursor", "")
    if not cursor:
        return 0
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        text = b""
    match = re.fullmatch(rb'\{"offset":(\d{1,9})\}', text)
    if match is None:
        raise invalid(Fault("cursor", "Invalid cursor"))
    return int(match[1])


ADAPTER = Adapter(
    name="flora",
    doors=(
        Door(
            "/api/v1/feedback",
            read,
            reply,
            shape=Shape(
                summary="Take one piece of feedback.",
                body=Feedback,
                answers={201: TakenFeedback},
                example={"kind": "bug", "summary": "Export stalls", "detail": "It stays at 99 percent."},
            ),
        ),
    ),
    refuse=refuse,
    lookups=(
        Lookup(
            "/api/v1/workspaces",
            ask_workspaces,
            show_workspaces,
            shape=Shape(summary="List the key's workspaces.", answers={200: Workspaces}),
        ),
        Lookup(
            "/api/v1/projects",
            ask_projects,
            show_projects,
            shape=Shape(
                summary="List the projects of a workspace.", query=ProjectPage, answers={200: Projects}
            ),
        ),
        Lookup(
            "/api/v1/projects",
            ask_new_project,
            show_new_project,
            method="POST",
            shape=Shape(summary="Make a project.", body=NewProject, answers={201: Project}),
        ),
        Lookup(
            "/api/v1/projects/<project_id>",
            ask_project,
            show_project,
            shape=Shape(summary="Show one project.", answers={200: Project}),
        ),
        Lookup(
            "/api/v1/workspaces/<workspace_id>/projects",
            ask_new_project,
            show_new_project,
            method="POST",
            shape=Shape(
                summary="Make a project in this workspace.", body=NewProjectName, answers={201: Project}
            ),
        ),
    ),
    title="FLORA",
    error=Error,
    owns=("/api/v1",),
    idempotency=Idempotency(seconds=2 * 3600, repeat="refuse"),
)
