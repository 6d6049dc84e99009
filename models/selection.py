"""Records picked to be changed or deleted together: by a filter, some ids at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.base import locked, rows
from models.feedback import Feedback
from models.reading import Filter, conditions


def rows_of(
    workspace_id: str, project_id: str | None, chosen: Filter, ids: Sequence[str]
) -> list[dict[str, Any]]:
    """Those of the ids that a filter means, to be changed within the open transaction."""
    found = Feedback.select().where(*conditions(workspace_id, project_id, chosen), Feedback.id.in_(ids))
    return rows(locked(found.order_by(Feedback.id)))


def count(workspace_id: str, project_id: str | None, chosen: Filter, ids: Sequence[str] | None = None) -> int:
    """How many records a filter means, of these ids when some are given."""
    found = Feedback.select().where(*conditions(workspace_id, project_id, chosen))
    return int((found if ids is None else found.where(Feedback.id.in_(ids))).count())


def newest(
    workspace_id: str, project_id: str | None, chosen: Filter, ids: Sequence[str] | None, *, limit: int
) -> list[dict[str, Any]]:
    """The newest records that a filter means, of these ids when some are given."""
    found = Feedback.select().where(*conditions(workspace_id, project_id, chosen))
    if ids is not None:
        found = found.where(Feedback.id.in_(ids))
    return rows(found.order_by(Feedback.id.desc()).limit(limit))


def delete(ids: Sequence[str]) -> None:
    """Deletes records and their history within the open transaction; keys they were sent with stay used."""
    if ids:
        Feedback.delete().where(Feedback.id.in_(ids)).execute()
