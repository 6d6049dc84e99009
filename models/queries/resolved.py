"""What was resolved over a period."""

from __future__ import annotations

from typing import Any

from peewee import fn

from models.database.base import database, rows
from models.queries.feedback_query import Filter, conditions
from models.tables.feedback import Feedback

NEWEST = 5_000  # resolved records that are looked at, those that came last
LONGEST = 2_000  # characters of a text


def resolved(workspace_id: str, project_id: str | None, since: int, until: int) -> list[dict[str, Any]]:
    """Records that were resolved from `since` until `until` and still are, those of the highest impact first.

    Each with id, title, the beginning of its text, category, impact, received_at and resolved_at. No index
    leads from a time to what was resolved then: of a workspace's resolved records the NEWEST are read.
    """
    shown = (Feedback.id, Feedback.title, Feedback.category, Feedback.impact, Feedback.received_at)
    text = fn.SUBSTR(Feedback.text, 1, LONGEST).alias("text")
    mine = conditions(workspace_id, project_id, Filter(status=("resolved",), until=until))
    newest: Any = Feedback.select(*shown, Feedback.resolved_at, text).where(*mine)
    newest = database.obj.through(newest, "feedback_status")
    newest = newest.order_by(Feedback.received_at.desc(), Feedback.id.desc()).limit(NEWEST)
    found = [row for row in rows(newest) if row["resolved_at"] and since <= row["resolved_at"] < until]
    return sorted(found, key=lambda row: (-row["impact"], row["id"]))
