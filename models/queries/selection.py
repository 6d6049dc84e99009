"""Records picked to be changed or deleted together: by a filter, some ids at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.database.base import database, kept, locked, rows
from models.database.query_dialects import PRIMARY
from models.queries.feedback_query import Filter, conditions, narrowed
from models.queries.ordering import NEWEST_BY, ordered
from models.tables import outbox
from models.tables.feedback import Feedback


def rows_of(
    workspace_id: str, project_id: str | None, chosen: Filter, ids: Sequence[str]
) -> list[dict[str, Any]]:
    """Those of the ids that a filter means, to be changed within the open transaction."""
    return rows(locked(_found(workspace_id, project_id, chosen, ids).order_by(Feedback.id))) if ids else []


def kept_rows(ids: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of these ids, which nobody changes before the open transaction ends."""
    # In the order in which others take several records, so that no two wait for each other.
    order = (Feedback.received_at.desc(), Feedback.id.desc())
    found = database.obj.through(Feedback.select().where(Feedback.id.in_(list(ids))), PRIMARY)
    return rows(kept(found.order_by(*order))) if ids else []


def ids_of(workspace_id: str, project_id: str | None, chosen: Filter, ids: Sequence[str]) -> set[str]:
    """Those of the ids that a filter means."""
    if not ids:
        return set()
    return {row["id"] for row in rows(_found(workspace_id, project_id, chosen, ids).select(Feedback.id))}


def count(workspace_id: str, project_id: str | None, chosen: Filter, ids: Sequence[str] | None = None) -> int:
    """How many records a filter means, of these ids when some are given."""
    return int(_found(workspace_id, project_id, chosen, ids).count())


def newest(
    workspace_id: str, project_id: str | None, chosen: Filter, ids: Sequence[str] | None, *, limit: int
) -> list[dict[str, Any]]:
    """The newest records that a filter means, of these ids when some are given."""
    found = _found(workspace_id, project_id, chosen, ids)
    return rows(ordered(found, NEWEST_BY[chosen.time], None).limit(limit))


def _found(workspace_id: str, project_id: str | None, chosen: Filter, ids: Sequence[str] | None) -> Any:
    found = Feedback.select().where(*conditions(workspace_id, project_id, chosen))
    if ids is None:
        return narrowed(found, workspace_id, project_id, chosen)
    return database.obj.through(found.where(Feedback.id.in_(list(ids))), PRIMARY)


def delete(ids: Sequence[str]) -> None:
    """Deletes records and their history within the open transaction; keys they were sent with stay used."""
    if ids:
        outbox.note_ids(outbox.DELETED, ids)
        Feedback.delete().where(Feedback.id.in_(ids)).execute()
