"""Records whose assignee may not take care of them any more, which nobody does then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.database.base import database, rows, update
from models.tables import outbox, own_event
from models.tables.feedback import Feedback
from models.tables.user import User


def gone(roles: Sequence[str]) -> list[dict[str, str]]:
    """The users without access, or with none of these roles: `id` and `workspace`."""
    lost = User.disabled_at.is_null(False) | User.role.not_in(list(roles))
    return rows(User.select(User.id, User.workspace).where(lost).order_by(User.id))


def has_any(workspace_id: str, user_id: str) -> bool:
    """Whether somebody takes care of a record."""
    return bool(_of(workspace_id, user_id).limit(1).exists())


def release(workspace_id: str, user_id: str, by: str, at: int, limit: int) -> int:
    """Takes some records from a user, within the open transaction; how many. `by` is who acts."""
    found = rows(database.obj.free(_of(workspace_id, user_id).order_by(Feedback.received_at).limit(limit)))
    for row in found:
        detail = {"changes": {"assignee": {"from": user_id, "to": None}}, "key_id": by}
        own_event.add("assigned", row, detail, at, outbox.ASSIGNED)
        update(Feedback, row["id"], {"assignee": None, "updated_at": max(at, row["updated_at"] + 1)})
    return len(found)


def _of(workspace_id: str, user_id: str) -> Any:
    mine = (Feedback.workspace_id == workspace_id) & (Feedback.assignee == user_id)
    found = Feedback.select().where(mine, Feedback.assignee.is_null(False))
    return database.obj.through(found, "feedback_assignee")
