"""A record's append-only history; the raw payload of every delivery hangs on its event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peewee import BigIntegerField, BlobField, CompositeKey, ForeignKeyField, TextField, fn

from models.database.base import JSONText, Table, database, rows
from models.tables.feedback import Feedback, iso


class Event(Table):
    """Something that happened to a record: received, updated, retracted, ... `at` is milliseconds UTC.

    Kept with the other events of its record. `detail` says through which door, with which key and
    request; `payload` is the body as it came, after content decoding. When the delivery made several
    records, `payload` is this one's part of it and `delivery_id` names the rest (models.tables.delivery).
    """

    id = TextField()
    feedback = ForeignKeyField(Feedback, backref="events", on_delete="CASCADE")
    type = TextField()
    at = BigIntegerField()
    detail = JSONText()
    payload = BlobField(null=True)
    delivery_id = TextField(null=True)

    class Meta:
        primary_key = CompositeKey("feedback", "id")
        without_rowid = True


EventKey = tuple[str, str]  # the record and the event's own id
HISTORY = 20  # events that are deleted together with their record
_FORGET = "UPDATE event SET payload = NULL WHERE feedback_id = ? AND id = ? AND payload IS NOT NULL"
WITHOUT_PAYLOAD = (Event.id, Event.feedback, Event.type, Event.at, Event.detail, Event.delivery_id)


def of(
    feedback_id: str, *, limit: int | None, after: str | None = None, payloads: bool = True
) -> list[dict[str, Any]]:
    """A record's events, oldest first, starting after the id `after`; without the payload column if asked."""
    columns = () if payloads else WITHOUT_PAYLOAD
    found = Event.select(*columns).where(Event.feedback == feedback_id)
    if after is not None:
        found = found.where(Event.id > after)
    return rows(found.order_by(Event.id).limit(limit))


def deliveries(feedback_id: str, *, limit: int) -> list[dict[str, Any]]:
    """A record's events that have a payload, newest first."""
    found = Event.select().where((Event.feedback == feedback_id) & Event.payload.is_null(False))
    return rows(found.order_by(Event.id.desc()).limit(limit))


def exists(feedback_id: str, event_id: str) -> bool:
    """Whether a record has this event."""
    return bool(Event.select().where((Event.feedback == feedback_id) & (Event.id == event_id)).exists())


def details(keys: Sequence[EventKey]) -> dict[str, dict[str, Any]]:
    """The details of some events, with their `type`, by the events' own ids."""
    records, names = {record for record, _ in keys}, [name for _, name in keys]
    found = Event.select(Event.id, Event.type, Event.detail).where(
        Event.feedback.in_(records), Event.id.in_(names)
    )
    return {row["id"]: {**row["detail"], "type": row["type"]} for row in rows(found)} if keys else {}


def crowded(ids: Sequence[str], most: int = HISTORY) -> list[str]:
    """Those of these records that have more events than so many.

    To delete such a record at once would hold up others: first its events go, some at a time.
    """
    if not ids:
        return []
    found = Event.select(Event.feedback).where(Event.feedback.in_(list(ids))).group_by(Event.feedback)
    return [row["feedback"] for row in rows(found.having(fn.COUNT(Event.id) > most))]


def delete_some(feedback_id: str, before: int | None, at_most: int) -> int:
    """Deletes the oldest events of a record, those from before a time if one is given; how many there were.

    Within the open transaction.
    """
    mine = Event.feedback == feedback_id
    if before is not None:
        mine &= Event.at < before
    some = [row["id"] for row in rows(Event.select(Event.id).where(mine).order_by(Event.id).limit(at_most))]
    if some:
        Event.delete().where((Event.feedback == feedback_id) & Event.id.in_(some)).execute()
    return len(some)


def forget_payloads(events: Sequence[EventKey]) -> int:
    """Removes the raw payloads of events that have one, within the open transaction; how many there were."""
    return sum(database.execute_sql(_FORGET, key).rowcount for key in events)


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """An event as the API shows it, its payload as text (bytes that are no UTF-8 appear as U+FFFD).

    With `envelope`, what its delivery's records share (models.tables.delivery), when the row has that.
    """
    return {
        "id": row["id"],
        "feedback_id": row["feedback"],
        "type": row["type"],
        "at": iso(row["at"]),
        "detail": row["detail"],
        "payload": _text(row["payload"]),
        "envelope": _text(row.get("envelope")),
    }


def _text(data: Any) -> str | None:
    return None if data is None else bytes(data).decode("utf-8", "replace")
