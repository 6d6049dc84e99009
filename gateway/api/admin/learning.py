"""/gateway/v1/projects/<project_id>/learning: what a project has learnt from its people, and the way back."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from adapters.common.schemas import Strict
from adapters.contract import Inbound, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import query_parameters
from gateway.api.admin.request_schemas import project_in_path, unknown
from gateway.background import project_learning
from models.queries import lessons
from models.tables.feedback import iso

SHOWN = 100  # lessons, the newest
LONGEST_TITLE = 200  # characters


class LessonChange(Strict):
    learnt = fields.Boolean(required=True, truthy={True}, falsy={False})


def show_learning(caller: Caller, inbound: Inbound) -> Reply:
    """What a project has learnt, when it learns next, and from which corrections. Raises Refused (404)."""
    if faults := query_parameters.unknown(inbound, ()):
        raise invalid(*faults)
    return Reply(200, _document(caller, project_in_path(caller, inbound)))


def ask_learning(caller: Caller, inbound: Inbound) -> Reply:
    """Learns at once, in the background. Raises Refused (404)."""
    project_id = project_in_path(caller, inbound)
    project_learning.ask(caller.workspace_id, project_id, caller.key_id)
    return Reply(202, _document(caller, project_id))


def forget_learning(caller: Caller, inbound: Inbound) -> Reply:
    """Takes back all that a project has learnt: only later corrections are learnt. Raises Refused (404)."""
    project_id = project_in_path(caller, inbound)
    project_learning.forget(caller.workspace_id, project_id, caller.key_id)
    return Reply(200, _document(caller, project_id))


def change_lesson(caller: Caller, inbound: Inbound) -> Reply:
    """Takes a wrong lesson back, or learns it again; the correction stays. Raises Refused (400, 404)."""
    project_id, learnt = project_in_path(caller, inbound), LessonChange.of(inbound)["learnt"]
    feedback_id = inbound.params["feedback_id"]
    if not project_learning.change_lesson(
        caller.workspace_id, project_id, feedback_id, learnt, caller.key_id
    ):
        raise unknown("lesson")
    return Reply(200, _document(caller, project_id))


def _document(caller: Caller, project_id: str) -> dict[str, Any]:
    state = project_learning.state(caller.workspace_id, project_id)
    found = lessons.shown(caller.workspace_id, project_id, SHOWN)
    return {
        "project_id": project_id,
        **state,
        **{name: iso(state[name]) for name in project_learning.TIMES},
        "lessons": [_lesson(row) for row in found],
    }


def _lesson(row: dict[str, Any]) -> dict[str, Any]:
    before = row["overruled"] or {}
    changed = [name for name in ("category", "sentiment") if row[f"{name}_origin"] == "corrected"]
    return {
        "feedback_id": row["id"],
        "title": row["title"][:LONGEST_TITLE],
        "changes": [{"label": name, "from": before.get(name), "to": row[name]} for name in changed],
        "updated_at": iso(row["updated_at"]),
        "taken_back": bool(row["taken_back"]),
    }
