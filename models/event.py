"""A record's append-only history; the raw payload of every delivery hangs on its event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peewee import BigIntegerField, BlobField, CompositeKey, ForeignKeyField, TextField

from models.base import JSONText, Table, rows
from models.feedback import Feedback, iso


class Event(Table):
    """Something that happened to a record: received, updated, retracted, ... `at` is milliseconds UTC.

    Kept with the other events of its record. `detail` says through which door, with which key and
    request; `payload` is the body as it came, after content decoding. When the delivery made several
    records, `payload` is this one's part of it and `delivery_id` names the rest (models.delivery).
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


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """An event as the API shows it, its payload as text (bytes that are no UTF-8 appear as U+FFFD).

    With `envelope`, what its delivery's records share (models.delivery), when the row has that.
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
