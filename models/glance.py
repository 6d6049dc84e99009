"""What an overview adds to the numbers of the API: how impact is spread, and what the newest are about."""

from __future__ import annotations

from typing import Any

from peewee import SQL, fn

from models.base import rows
from models.feedback import Feedback
from models.reading import Filter, conditions


def by_impact(workspace_id: str, chosen: Filter) -> dict[int, int]:
    """How many of the records that a filter means have each impact."""
    found = Feedback.select(Feedback.impact, fn.COUNT(SQL("1")).alias("records")).where(
        *conditions(workspace_id, None, chosen)
    )
    return {row["impact"]: row["records"] for row in rows(found.group_by(Feedback.impact))}


def subjects(workspace_id: str, chosen: Filter, *, limit: int) -> list[dict[str, Any]]:
    """What the newest of the records that a filter means are about."""
    found = Feedback.select(Feedback.subject).where(*conditions(workspace_id, None, chosen))
    return [row["subject"] for row in rows(found.order_by(Feedback.id.desc()).limit(limit))]
