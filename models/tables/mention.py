"""Who is named in notes, and has seen it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peewee import BigIntegerField, ForeignKeyField, TextField

from models.database.base import Table, insert_all, values
from models.tables.feedback import Feedback
from models.tables.user import User

MOST = 100  # unread ones that are counted


class Mention(Table):
    """A person who is named in a note of a record; `id` is the note's event with the person behind it.

    Times are milliseconds UTC. `read_at` is when the person saw the record after that.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField()
    user = ForeignKeyField(User, on_delete="CASCADE", index=False)
    feedback = ForeignKeyField(Feedback, on_delete="CASCADE")
    at = BigIntegerField()
    read_at = BigIntegerField(null=True)


def add_all(found: Iterable[dict[str, object]]) -> None:
    """Stores mentions within the open transaction."""
    insert_all(Mention, [values(Mention, {"read_at": None, **one}) for one in found])


def unread(user_id: str) -> int:
    """How many mentions a person has not seen, MOST at most."""
    mine = Mention.select(Mention.id).where((Mention.user == user_id) & Mention.read_at.is_null())
    return int(mine.limit(MOST).count())


def is_unread(user_id: str, feedback_id: str) -> bool:
    """Whether a person has not seen a mention in a record's notes."""
    return bool(Mention.select().where(_unread(user_id, feedback_id)).exists())


def read(user_id: str, feedback_id: str, at: int) -> None:
    """Notes within the open transaction that a person sees a record."""
    Mention.update(read_at=at).where(_unread(user_id, feedback_id)).execute()


def _unread(user_id: str, feedback_id: str) -> Any:
    mine = (Mention.user == user_id) & (Mention.feedback == feedback_id)
    return mine & Mention.read_at.is_null()
