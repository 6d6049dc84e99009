"""What a destination would be sent, made of the newest records that it would be told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.contract import Fault, invalid
from gateway.api import filters
from gateway.core.ids import new_id, now_ms
from gateway.destinations import links, messages, subscription
from gateway.destinations.deliveries import change_of
from gateway.destinations.kind import Change, Kind
from gateway.destinations.message import Message
from gateway.destinations.telling import MOST_SHOWN
from models.queries import feedback_query
from models.queries.feedback_query import Filter
from models.tables import outbox

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent: the `body`, and the `message` that it was written from if it is for people.

    `feedback_id` is the newest record that it tells of; None when there is none, and what is shown is a test.
    """

    body: str
    message: Message | None
    feedback_id: str | None


def preview(kind: Kind, workspace_id: str, project_id: str | None, sent: Row) -> Preview | None:
    """What is sent of the first of the `events` in `sent`, as its filter, thin and subscription say.

    None for a digest, which is of a time and not of records. Nothing is stored. Raises Refused (400) for a
    filter that cannot be read.
    """
    chosen = _filter(sent.get("filter", ""))
    when: Row = sent.get("subscription") or {}
    if when.get("content") == subscription.DIGEST:
        return None
    is_together = kind.is_for_people and when.get("when", subscription.EACH) != subscription.EACH
    most = MOST_SHOWN if is_together else 1
    found, _rest = feedback_query.page(workspace_id, project_id, chosen, limit=most)
    events = [name for name in sent.get("events", ()) if name in outbox.TYPES]
    told = events[0] if found and events else outbox.TEST
    one: Row = {
        "id": new_id("dst"),
        "workspace_id": workspace_id,
        "project_id": project_id,
        "thin": bool(sent.get("thin")),
    }
    rows: list[Row | None] = [*found] if told in outbox.RECORDS else [None]
    changes = [_change(one, told, row) for row in rows]
    newest = rows[0]["id"] if rows[0] else None
    if kind.render is not None:
        return Preview(kind.render(changes[0]), None, newest)
    named = bool(when.get("include_author"))
    message = messages.of_change(changes[0], include_author=named)
    if len(changes) > 1:
        url, count = links.of_list(sent.get("filter", "")), {told: len(changes)}
        message = messages.of_many(changes, count, url, now_ms(), follows=False, include_author=named)
    assert kind.write is not None, "a kind has one or the other"
    return Preview(kind.write(message), message, newest)


def _filter(text: str) -> Filter:
    wrong: list[Fault] = []
    asked = filters.read(text, (), wrong)
    if wrong:
        raise invalid(*(Fault(f"filter.{fault.field}", fault.message) for fault in wrong))
    return asked.chosen


def _change(one: Row, told: str, row: Row | None) -> Change:
    """A change of this type, as if it were now."""
    change = {"type": told, "at": now_ms(), "workspace_id": one["workspace_id"], "event_id": None}
    change |= {"project_id": row["project_id"] if row else one["project_id"]}
    change |= {"feedback_id": row["id"] if row else None, "destination_id": one["id"]}
    return change_of(one, change, None if told in outbox.GONE else row, {})
