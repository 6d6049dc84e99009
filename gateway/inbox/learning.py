"""What a project has learnt from its people: when, from how many corrections, and the way back."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from gateway.core.config import learning_off
from gateway.inbox.api_calls import ask
from gateway.inbox.i18n import _, full_time
from gateway.inbox.pages import go, page
from gateway.inbox.settings import setting
from models.database.base import dumps

LEARNING = "<project_id>/learning"
SHOW = f"GET /gateway/v1/projects/{LEARNING}"


@page(f"/settings/projects/{LEARNING}", "viewer")
def learning(project_id: str) -> ResponseReturnValue:
    row = ask(SHOW, project_id=project_id)
    project = ask("GET /gateway/v1/projects/<project_id>", project_id=project_id)
    return setting("projects", "learning.html", row=row, project=project, told=told(row), off=learning_off())


@page(f"/settings/projects/{LEARNING}/state", "viewer", seen=False)
def learning_state(project_id: str) -> ResponseReturnValue:
    """How a learning goes: JSON, for its page to ask now and then."""
    row = ask(SHOW, project_id=project_id)
    return Response(dumps({"ended": not row["waiting"], "say": told(row)}), content_type="application/json")


@page(f"/settings/projects/{LEARNING}", "admin", method="POST")
def change_learning(project_id: str) -> ResponseReturnValue:
    """Learns now, or forgets all that was learnt."""
    method = "DELETE" if request.form.get("act") == "forget" else "POST"
    ask(f"{method} /gateway/v1/projects/{LEARNING}", project_id=project_id)
    said = _("Forgotten. New records are labelled without it within seconds.") if method == "DELETE" else ""
    return go(f"/settings/projects/{project_id}/learning", said)


@page("/settings/projects/<project_id>/lessons/<feedback_id>", "triager", method="POST")
def change_lesson(project_id: str, feedback_id: str) -> ResponseReturnValue:
    """Takes a lesson back, or learns it again."""
    learnt = request.form.get("learnt") == "1"
    ask(
        "PATCH /gateway/v1/projects/<project_id>/lessons/<feedback_id>",
        body={"learnt": learnt},
        project_id=project_id,
        feedback_id=feedback_id,
    )
    said = (
        _("It is learnt again.") if learnt else _("Taken back. What was learnt from it goes within seconds.")
    )
    return go(f"/settings/projects/{project_id}/learning", said)


def told(row: dict[str, Any]) -> str:
    """How a project's learning stands, in a sentence or two."""
    if row["version"]:
        counts = {"n": row["learnt_corrections"], "m": row["learnt_confirmations"]}
        at = full_time(row["learnt_at"])
        said = _("Learnt from %(n)s corrections and %(m)s confirmed records on %(at)s.", at=at, **counts)
    else:
        said = _("Nothing is learnt here yet.")
    return f"{said} {_next(row)}"


def _next(row: dict[str, Any]) -> str:
    if row["waiting"] or row["stale"]:
        return _("Next in a moment: the background worker has been asked.")
    if row["next_at"]:
        return _(
            "Next on %(at)s, from %(n)s corrections.", at=full_time(row["next_at"]), n=row["corrections"]
        )
    if row["corrections"] < row["needed"]:
        return _("It begins with %(n)s corrections.", n=row["needed"])
    return _("Next when somebody corrects a record.")
