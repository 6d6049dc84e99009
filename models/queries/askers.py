"""Who asked about a theme: its records that have an author's address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.database.base import database, only, rows
from models.database.query_dialects import PRIMARY
from models.tables import theme
from models.tables.feedback import Feedback

_AT_ONCE = 500  # rows in memory at a time
_COLUMNS = (Feedback.id, Feedback.project_id, Feedback.author_email, Feedback.subject)


def askers(workspace_id: str, project_id: str | None, lasting_id: str) -> Iterator[dict[str, Any]]:
    """A theme's records with an author's address, the oldest first: id, project_id, author_email, subject."""
    after = ""
    while ids := theme.members_after(lasting_id, after, _AT_ONCE):
        mine = Feedback.id.in_(ids) & (Feedback.workspace_id == workspace_id)
        found = database.obj.through(Feedback.select(*_COLUMNS).where(mine), PRIMARY)
        asked = only(found.where(Feedback.author_email.is_null(False)), {Feedback.project_id: project_id})
        yield from rows(asked.order_by(Feedback.id))
        after = ids[-1]
