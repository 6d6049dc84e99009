"""The labels people gave: what the classifier can learn from, and be measured against."""

from __future__ import annotations

from typing import Any

from peewee import SQL

from models.database.base import database, rows
from models.tables.feedback import Feedback

COLUMNS = (
    Feedback.title,
    Feedback.text,
    Feedback.language,
    Feedback.category,
    Feedback.category_origin,
    Feedback.sentiment,
    Feedback.sentiment_origin,
)


# In the words of the index of migration 0011_learnt.
_CORRECTED = "retracted_at IS NULL AND (category_origin = 'corrected' OR sentiment_origin = 'corrected')"


def corrected(workspace_id: str, project_id: str | None = None) -> int:
    """How many records of a workspace, or of a project of it, people gave another category or sentiment."""
    found = Feedback.select(Feedback.id).where(Feedback.workspace_id == workspace_id, SQL(_CORRECTED))
    if project_id is not None:
        found = found.where(Feedback.project_id == project_id)
    # Named: without statistics the embedded database takes any of the many indexes of a workspace.
    return int(database.obj.through(found, "feedback_corrected").count())


def labelled(origin: str, workspace_id: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
    """Records whose category or sentiment has this `origin` (corrected or declared), the newest change first.

    What its sender took back is left out. Without `workspace_id` those of all workspaces.
    """
    found = Feedback.select(*COLUMNS).where(
        (Feedback.category_origin == origin) | (Feedback.sentiment_origin == origin),
        Feedback.retracted_at.is_null(),
    )
    if workspace_id is not None:
        found = found.where(Feedback.workspace_id == workspace_id)
    return rows(found.order_by(Feedback.updated_at.desc(), Feedback.id.desc()).limit(limit))
