"""Deliveries that made several records: what is kept beside each one's own part, once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import BlobField, TextField, fn

from models.database.base import JSONText, Table, first, insert, rows
from models.tables.event import Event


class Delivery(Table):
    """One delivery's body without the parts that are kept with the events of its records.

    `envelope` is the body with every record's part cut out. `rest` has those parts, one after the other,
    whose records kept nothing of them, since they were known before. `layout` says for each part, in the
    order of the body, where it began there, its length in bytes, and the id of the event that has it or
    null. The row goes with the last of its parts: a trigger sees to that.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField()
    envelope = BlobField()
    rest = BlobField()
    layout = JSONText()


@dataclass(frozen=True, slots=True)
class Parted:
    """A delivery that is stored in parts: each record's is a place in the body, bytes of its own, or none."""

    id: str
    workspace_id: str
    body: bytes
    parts: Sequence[slice | bytes | None]

    def part(self, number: int) -> tuple[bytes, slice | None, str]:
        """What is kept with a record, where that stands in the body, and the delivery's id."""
        part = self.parts[number]
        if isinstance(part, slice):
            return self.body[part], part, self.id
        return part or b"", None, self.id


def keep(parted: Parted, parts: Iterable[tuple[slice | None, str | None]]) -> None:
    """Stores what is left of a delivery, within the open transaction.

    `parts` are the places of the records' parts in the body, None for one that has none, each with the id of
    the event that has it, None when nothing was stored of it. Nothing is kept of a delivery when that
    is true of all.
    """
    listed = list(parts)
    if not any(event for _, event in listed):
        return
    envelope, rest, layout, end = [], [], [], 0
    for start, stop, event in sorted((place.start, place.stop, event) for place, event in listed if place):
        envelope.append(parted.body[end:start])
        if event is None:
            rest.append(parted.body[start:stop])
        layout.append([start, stop - start, event])
        end = stop
    envelope.append(parted.body[end:])
    row = {"id": parted.id, "workspace_id": parted.workspace_id, "layout": layout}
    insert(Delivery, {**row, "envelope": b"".join(envelope), "rest": b"".join(rest)})


def sizes(feedback_id: str, *, limit: int, after: str | None = None, newest: bool = False) -> list[int]:
    """Of a record's events the bytes of payload and envelope, in the order of models.tables.event.of.

    Or of those that have a payload, the newest first, as models.tables.event.deliveries gives them.
    """
    size = fn.COALESCE(fn.LENGTH(Event.payload), 0).alias("size")
    found = Event.select(Event.delivery_id, size).where(Event.feedback == feedback_id)
    if after is not None:
        found = found.where(Event.id > after)
    if newest:
        found = found.where(Event.payload.is_null(False))
    events = rows(found.order_by(Event.id.desc() if newest else Event.id).limit(limit))
    ids = sorted({event["delivery_id"] for event in events} - {None})
    sized = Delivery.select(Delivery.id, fn.LENGTH(Delivery.envelope).alias("size"))
    kept = rows(sized.where(Delivery.id.in_(ids))) if ids else []
    shared = {row["id"]: row["size"] for row in kept}
    return [event["size"] + shared.get(event["delivery_id"], 0) for event in events]


def enveloped(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Events with the `envelope` of their delivery, None where there is none or no payload any more."""
    ids = {event["delivery_id"] for event in events if event["payload"] is not None} - {None}
    kept: dict[str, Any] = {}
    if ids:
        found = Delivery.select(Delivery.id, Delivery.envelope).where(Delivery.id.in_(sorted(ids)))
        kept = {row["id"]: row["envelope"] for row in rows(found)}
    return [
        {**event, "envelope": kept.get(event["delivery_id"]) if event["payload"] is not None else None}
        for event in events
    ]


def body_of(event: Mapping[str, Any]) -> bytes | None:
    """The whole body of an event's delivery; None when not all of it is kept any more."""
    if event["delivery_id"] is not None:
        return whole(event["delivery_id"])
    return None if event["payload"] is None else bytes(event["payload"])


def whole(delivery_id: str) -> bytes | None:
    """A delivery's body as it came; None when not all of it is kept any more."""
    row = first(Delivery.select().where(Delivery.id == delivery_id))
    if row is None:
        return None
    mine = (Event.delivery_id == delivery_id) & Event.payload.is_null(False)
    parts = {
        one["id"]: bytes(one["payload"]) for one in rows(Event.select(Event.id, Event.payload).where(mine))
    }
    envelope, rest, body = bytes(row["envelope"]), bytes(row["rest"]), bytearray()
    cut = taken = 0  # bytes of the envelope and of the rest that are in the body already
    for start, length, event in row["layout"]:
        missing = start - len(body)
        body += envelope[cut : cut + missing]
        cut += missing
        if event is None:
            body += rest[taken : taken + length]
            taken += length
        elif event in parts:
            body += parts[event]
        else:
            return None
    return bytes(body + envelope[cut:])
