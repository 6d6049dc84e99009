"""Records that people at a destination are told of, and those whose words are in what is sent to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peewee import BigIntegerField, BooleanField, CompositeKey, ForeignKeyField, TextField, fn

from models.database.base import Table, insert_all, rows, values
from models.tables.destination import ENABLED, Destination
from models.tables.feedback import Feedback
from models.tables.outgoing import Outgoing

# Why people are told of a record that they know, beside the types of changes (models.tables.outbox).
RESOLVED, REOPENED = "feedback.resolved", "feedback.reopened"


class Notification(Table):
    """A record that people at a destination are to be told of, or were. `at` is milliseconds UTC.

    It waits if `at` is behind the destination's `told_at`. `reason` says what there is to tell, `is_over`
    whether the record was resolved or ignored then.
    """

    destination = ForeignKeyField(Destination, on_delete="CASCADE")
    feedback = ForeignKeyField(Feedback, on_delete="CASCADE")
    reason = TextField()
    is_over = BooleanField()
    at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("destination", "feedback")


class Quote(Table):
    """A record whose words are in a delivery beside its own: when the one goes, so does the other.

    A delivery that nobody has had yet is made anew then, of all that is behind `since`, the destination's
    `told_at` before it; null for one that is made of nothing that waited.
    """

    outgoing = ForeignKeyField(Outgoing, on_delete="CASCADE")
    feedback = ForeignKeyField(Feedback, on_delete="CASCADE")
    since = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("outgoing", "feedback")


def known(destination_id: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What a destination is told, or was, of these records."""
    mine = (Notification.destination == destination_id) & Notification.feedback.in_(list(ids))
    return {row["feedback"]: row for row in rows(Notification.select().where(mine))} if ids else {}


def put(destination_id: str, notifications: Sequence[Mapping[str, Any]]) -> None:
    """Has people told of records, each in place of what was to be told of it, within the open transaction."""
    names = [row["feedback"] for row in notifications]
    before = (Notification.destination == destination_id) & Notification.feedback.in_(names)
    Notification.delete().where(before).execute()
    mine = ({**row, "destination": destination_id} for row in notifications)
    insert_all(Notification, [values(Notification, row) for row in mine])


def any_due(now: int) -> bool:
    """Whether people at any destination are to be told now."""
    return bool(_due(now).exists())


def due(now: int, limit: int) -> list[dict[str, Any]]:
    """Some of the destinations at which people are to be told now, those that have waited longest."""
    return rows(_due(now).order_by(Destination.tell_at, Destination.id).limit(limit))


def counts(destination_id: str, since: int, until: int) -> dict[str, int]:
    """How many records wait for each reason, of those put behind `since` and up to `until`."""
    found: Any = Notification.select(Notification.reason, fn.COUNT(Notification.feedback))
    found = found.where(_between(destination_id, since, until)).group_by(Notification.reason)
    return dict(found.order_by(Notification.reason).tuples())


def newest(destination_id: str) -> int:
    """When the last record was put there; 0 when none was."""
    found = Notification.select(fn.MAX(Notification.at)).where(Notification.destination == destination_id)
    return int(found.scalar() or 0)


def followed(destination_id: str, since: int, until: int, limit: int) -> list[dict[str, Any]]:
    """Those of them that were resolved or reopened and have a message that can be changed or followed."""
    mine = (Outgoing.destination == Notification.destination) & (Outgoing.thread == Notification.feedback)
    again = Notification.reason.in_([RESOLVED, REOPENED])
    told = fn.EXISTS(Outgoing.select(Outgoing.id).where(mine & Outgoing.reference.is_null(False)))
    found = Notification.select(Notification.feedback, Notification.reason)
    found = found.where(_between(destination_id, since, until) & again & told)
    return rows(found.order_by(Notification.at).limit(limit))


def highest(destination_id: str, since: int, until: int, limit: int) -> list[dict[str, Any]]:
    """Those that wait, as `counts` has them: `feedback` and `reason`, of the highest impact first."""
    found = Notification.select(Notification.feedback, Notification.reason).join(Feedback)
    found = found.where(_between(destination_id, since, until))
    return rows(found.order_by(Feedback.impact.desc(), Notification.at).limit(limit))


def quote(outgoing_id: str, ids: Sequence[str], since: int | None) -> None:
    """Notes whose words are in a delivery, within the open transaction."""
    made = [{"outgoing": outgoing_id, "feedback": name, "since": since} for name in ids]
    insert_all(Quote, [values(Quote, row) for row in made])


def unquote(feedback_id: str) -> int:
    """Deletes what was or is to be sent with a record's words, within the open transaction; how many."""
    return int(Quote.delete().where(Quote.feedback == feedback_id).execute())


def take_back(ids: Sequence[str]) -> None:
    """Deletes those of these deliveries that quote records, within the open transaction.

    What was in one that nobody has had yet is told anew.
    """
    Quote.delete().where(Quote.outgoing.in_(list(ids))).execute()


def forget(destination_id: str, before: int, limit: int) -> int:
    """Deletes some of what was put before a time, within the open transaction, and says how many."""
    mine = (Notification.destination == destination_id) & (Notification.at < before)
    old = Notification.select(Notification.feedback).where(mine).order_by(Notification.at).limit(limit)
    ids = [row["feedback"] for row in rows(old)]
    gone = (Notification.destination == destination_id) & Notification.feedback.in_(ids)
    return int(Notification.delete().where(gone).execute()) if ids else 0


def _due(now: int) -> Any:
    return Destination.select().where((Destination.state == ENABLED) & (Destination.tell_at <= now))


def _between(destination_id: str, since: int, until: int) -> Any:
    mine = Notification.destination == destination_id
    return mine & (Notification.at > since) & (Notification.at <= until)
