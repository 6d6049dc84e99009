"""The records that changes of a feed tell of, as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.database.base import database, only, rows
from models.database.query_dialects import PRIMARY
from models.queries import bounded_pages
from models.tables.feedback import Feedback

Row = dict[str, Any]


def with_records(
    workspace_id: str, project_id: str | None, changes: Sequence[Row]
) -> list[tuple[Row, Row | None]]:
    """The first changes, each with its record, or None where that is not there or of another project.

    As many as fit in memory, and one at least.
    """
    ids = {change["feedback_id"] for change in changes}
    mine = only(Feedback.select(*bounded_pages.COLUMNS), {Feedback.project_id: project_id})
    mine = mine.where(Feedback.workspace_id == workspace_id, Feedback.id.in_(sorted(ids)))
    found = {row["id"]: row for row in rows(database.obj.through(mine, PRIMARY))} if ids else {}
    weights = {name: row["weight"] for name, row in found.items()}
    some = changes[: bounded_pages.fit(weights.pop(change["feedback_id"], 0) for change in changes)]
    told = {change["feedback_id"] for change in some}
    filled = bounded_pages.filled([row for name, row in found.items() if name in told])
    known = {row["id"]: row for row in filled}
    return [(change, known.get(change["feedback_id"])) for change in some]
