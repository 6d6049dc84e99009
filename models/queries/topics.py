"""What the search for records of the same topic asks: which words are common, and who has a rare one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import fn

from models.database.base import database, rows
from models.database.query_dialects import PRIMARY
from models.queries.ordering import NEWEST, ordered
from models.tables.feedback import Feedback
from models.tables.similarity import READ, SPOKEN


def newest(workspace_id: str, project_id: str | None, limit: int) -> dict[str, str]:
    """The searched words (models.tables.search_words) of the newest records by their ids, cut."""
    found = Feedback.select(Feedback.id, fn.SUBSTR(Feedback.words, 1, READ).alias("words"))
    found = found.where(*_mine(workspace_id, project_id))
    index = "feedback_list" if project_id is None else "feedback_project"
    some = ordered(database.obj.through(found, index), NEWEST, None).limit(limit)
    return {row["id"]: row["words"] for row in rows(some)}


def texts(workspace_id: str, project_id: str | None, ids: Sequence[str]) -> list[dict[str, Any]]:
    """{id, title, text} of those of these records that hold people's words, the newest first, texts cut.

    Those that their senders took back are left out.
    """
    if not ids:
        return []
    found = Feedback.select(Feedback.id, Feedback.title, fn.SUBSTR(Feedback.text, 1, READ).alias("text"))
    spoken = (Feedback.type.in_(SPOKEN), Feedback.retracted_at.is_null())
    found = found.where(Feedback.id.in_(list(ids)), *_mine(workspace_id, project_id), *spoken)
    return rows(database.obj.through(found, PRIMARY).order_by(Feedback.id.desc()))


def _mine(workspace_id: str, project_id: str | None) -> list[Any]:
    mine = [Feedback.workspace_id == workspace_id]
    return mine if project_id is None else [*mine, Feedback.project_id == project_id]
