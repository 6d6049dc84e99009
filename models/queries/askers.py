"""Who asked about a theme: its records that have an author's address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.database.base import only, rows
from models.tables import theme
from models.tables.feedback import Feedback

_AT_ONCE = 500  # rows in memory at a time
_COLUMNS = (Feedback.id, Feedback.project_id, Feedback.author_email, Feedback.subject)


def askers(workspace_id: str, project_id: str | None, lasting_id: str) -> Iterator[dict[str, Any]]:
    """A theme's records with an author's address, the oldest first: id, project_id, author_email, subject."""
    after = ""
    while True:
        mine = Feedback.id.in_(theme.members(lasting_id)) & (Feedback.workspace_id == workspace_id)
        found = Feedback.select(*_COLUMNS).where(
            mine & (Feedback.id > after) & Feedback.author_email.is_null(False)
        )
        some = rows(only(found, {Feedback.project_id: project_id}).order_by(Feedback.id).limit(_AT_ONCE))
        yield from some
        if len(some) < _AT_ONCE:
            return
        after = some[-1]["id"]
