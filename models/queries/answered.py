"""Whether the author of a record was answered, as its history says."""

from __future__ import annotations

from typing import Any

from peewee import SQL, fn

from models.tables.event import Event
from models.tables.feedback import Feedback
from models.tables.reply import EVENT


def answered(wanted: bool | None) -> list[Any]:
    """What records have in common whose author was answered, or was not; nothing for None."""
    if wanted is None:
        return []
    mine = (Event.feedback == Feedback.id) & (Event.type == EVENT)
    # A value for each record: of EXISTS a server may make a join with the history of all.
    told = fn.COALESCE(Event.select(SQL("1")).where(mine).limit(1), 0)
    return [told == (1 if wanted else 0)]
