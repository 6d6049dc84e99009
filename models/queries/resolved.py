"""What was resolved over a period."""

from __future__ import annotations

from typing import Any

from models.database.base import database, rows
from models.queries import selection
from models.queries.feedback_query import Filter, conditions
from models.tables.feedback import Feedback

NEWEST = 5_000  # resolved records that are looked at, those that came last


def resolved(
    workspace_id: str, project_id: str | None, since: int, until: int, *, limit: int
) -> tuple[list[dict[str, Any]], int]:
    """How many records were resolved from `since` until `until` and still are, behind the first of them.

    Those of the highest impact come first. No index leads from a time to what was resolved then: of a
    workspace's resolved records the NEWEST are looked at.
    """
    mine = conditions(workspace_id, project_id, Filter(status=("resolved",), until=until))
    newest: Any = Feedback.select(Feedback.id, Feedback.impact, Feedback.resolved_at).where(*mine)
    newest = database.obj.through(newest, "feedback_status")
    newest = newest.order_by(Feedback.received_at.desc(), Feedback.id.desc()).limit(NEWEST)
    done = [row for row in rows(newest) if row["resolved_at"] and since <= row["resolved_at"] < until]
    first = [row["id"] for row in sorted(done, key=_heaviest)[:limit]]
    found = selection.newest(workspace_id, project_id, Filter(), first, limit=limit) if first else []
    return sorted(found, key=_heaviest), len(done)


def _heaviest(row: dict[str, Any]) -> tuple[int, str]:
    return -row["impact"], row["id"]
