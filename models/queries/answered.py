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
    told = fn.EXISTS(Event.select(SQL("1")).where((Event.feedback == Feedback.id) & (Event.type == EVENT)))
    return [told if wanted else ~told]
