"""Who looks at a record now. Nothing of it is kept: it ends by itself, and with the session."""

from __future__ import annotations

from peewee import BigIntegerField, CompositeKey, ForeignKeyField

from models.database.base import Table, database, rows
from models.tables.feedback import Feedback
from models.tables.user import Session, User

LASTS = (
    50_000  # milliseconds that somebody counts as present after a sign of life; a page gives one each 20 s
)


class Presence(Table):
    """A session that shows a record, until so many milliseconds UTC unless it says so again."""

    feedback = ForeignKeyField(Feedback, on_delete="CASCADE", index=False)
    session = ForeignKeyField(Session, on_delete="CASCADE")
    until = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("feedback", "session")


def keep(feedback_id: str, session: str, now: int) -> None:
    """Notes within the open transaction that a session shows a record."""
    database.execute_sql(
        "INSERT INTO presence (feedback_id, session_id, until) VALUES (?, ?, ?) "
        "ON CONFLICT (feedback_id, session_id) DO UPDATE SET until = excluded.until",
        (feedback_id, session, now + LASTS),
    )


def end(feedback_id: str, session: str) -> None:
    """Notes within the open transaction that a session shows a record no more."""
    mine = (Presence.feedback == feedback_id) & (Presence.session == session)
    Presence.delete().where(mine).execute()


def forget(now: int, limit: int) -> int:
    """Deletes some that have ended, within the open transaction; how many."""
    ended = rows(Presence.select().where(Presence.until < now).order_by(Presence.until).limit(limit))
    for row in ended:
        end(row["feedback"], row["session"])
    return len(ended)


def others(workspace_id: str, feedback_id: str, user_id: str, now: int) -> list[str]:
    """The names of the workspace's other people who look at a record now, by name."""
    here = Presence.select(Presence.session).where(Presence.feedback == feedback_id, Presence.until >= now)
    digests = [row["session"] for row in rows(here)]
    if not digests:
        return []
    theirs = Session.select(Session.user).where(Session.digest.in_(digests), Session.expires_at > now)
    ids = {row["user"] for row in rows(theirs)} - {user_id}
    people = User.select(User.name).where(User.id.in_(sorted(ids)), User.workspace == workspace_id)
    return sorted(row["name"] for row in rows(people.where(User.disabled_at.is_null())))
