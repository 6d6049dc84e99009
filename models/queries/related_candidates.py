"""What the search for related records asks: which words are common, and who has a rare one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import fn

from models.database.base import database, rows
from models.database.query_dialects import PRIMARY
from models.queries.ordering import NEWEST, ordered
from models.tables.feedback import Feedback
from models.tables.similarity import READ, SPOKEN


def newest(workspace_id: str, project_id: str | None, limit: int) -> list[dict[str, Any]]:
    """{id, language, words} of the newest records, their searched words (models.tables.search_words) cut."""
    words = fn.SUBSTR(Feedback.words, 1, READ).alias("words")
    found = Feedback.select(Feedback.id, Feedback.language, words)
    found = found.where(*_mine(workspace_id, project_id))
    index = "feedback_list" if project_id is None else "feedback_project"
    return rows(ordered(database.obj.through(found, index), NEWEST, None).limit(limit))


def texts(workspace_id: str, project_id: str | None, ids: Sequence[str]) -> list[dict[str, Any]]:
    """{id, language, title, text} of these records, the newest first, texts cut, if they hold people's words.

    Those that their senders took back are left out.
    """
    if not ids:
        return []
    text = fn.SUBSTR(Feedback.text, 1, READ).alias("text")
    found = Feedback.select(Feedback.id, Feedback.language, Feedback.title, text)
    spoken = (Feedback.type.in_(SPOKEN), Feedback.retracted_at.is_null())
    found = found.where(Feedback.id.in_(list(ids)), *_mine(workspace_id, project_id), *spoken)
    return rows(database.obj.through(found, PRIMARY).order_by(Feedback.id.desc()))


def _mine(workspace_id: str, project_id: str | None) -> list[Any]:
    mine = [Feedback.workspace_id == workspace_id]
    return mine if project_id is None else [*mine, Feedback.project_id == project_id]
