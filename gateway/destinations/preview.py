"""What a destination would be sent, made of the newest records that it would be told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.contract import Fault, Refused, invalid
from gateway.api import filters
from gateway.core.ids import new_id, now_ms
from gateway.destinations import digests, links, messages, subscription
from gateway.destinations.deliveries import change_of
from gateway.destinations.kind import Change, Kind
from gateway.destinations.message import Message
from gateway.destinations.notifying import MOST_SHOWN
from gateway.destinations.shared_view import filter_of
from models.queries import feedback_query
from models.queries.feedback_query import Filter
from models.tables import outbox

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent: the `body`, and the `message` that it was written from if it is for people.

    `feedback_id` is the newest record that it tells of; None for a digest, and for a test, which is shown
    when there is none.
    """

    body: str
    message: Message | None
    feedback_id: str | None


def preview(kind: Kind, workspace_id: str, project_id: str | None, sent: Row) -> Preview | None:
    """What is sent of the first of the `events` in `sent`, as its filter, thin and subscription say.

    None for a digest of a time in which nothing happened. Nothing is stored. Raises Refused (400) for a
    filter that cannot be read.
    """
    one: dict[str, Any] = {"id": new_id("dst"), "workspace_id": workspace_id, "project_id": project_id}
    one |= {"thin": bool(sent.get("thin")), "subscription": sent.get("subscription") or {}}
    found, chosen = subscription.of(one), _filter(workspace_id, sent.get("filter", ""))
    if kind.is_for_people and found.content == subscription.DIGEST:
        made = digests.of_subscription(one, now_ms())
        return None if made is None else _of_message(kind, made[0], None)
    most = MOST_SHOWN if kind.is_for_people and found.is_scheduled else 1
    rows, _rest = feedback_query.page(workspace_id, project_id, chosen, limit=most)
    told = next((name for name in sent.get("events", ()) if name in outbox.RECORDS), None)
    if told is None or not rows:
        told, rows = outbox.TEST, []
    changes = [_change(one, told, row) for row in rows] or [_change(one, told, None)]
    newest = rows[0]["id"] if rows else None
    if kind.render is not None:
        return Preview(kind.render(changes[0]), None, newest)
    named = found.include_author
    if len(changes) == 1:
        return _of_message(kind, messages.of_change(changes[0], include_author=named), newest)
    return _of_message(kind, _together(changes, told, sent.get("filter", ""), named), newest)


def _of_message(kind: Kind, message: Message, newest: str | None) -> Preview:
    assert kind.write is not None, "it is for people"
    return Preview(kind.write(message), message, newest)


def _together(changes: Sequence[Change], told: str, filter_: str, named: bool) -> Message:
    """Changes as people are told of them once a day or week, the highest impact first."""
    highest = sorted(changes, key=lambda change: -change.data.get("impact", 0))
    url, count = links.of_list(filter_), {told: len(changes)}
    return messages.of_many(highest, count, url, now_ms(), follows=False, include_author=named)


def _filter(workspace_id: str, text: str) -> Filter:
    wrong: list[Fault] = []
    try:
        asked = filters.read(filter_of(workspace_id, text), (), wrong)
    except Refused as refused:
        wrong += refused.problem.faults
    if wrong:
        raise invalid(*(Fault(f"filter.{fault.field}", fault.message) for fault in wrong))
    return asked.chosen


def _change(one: Row, told: str, row: Row | None) -> Change:
    """A change of this type, as if it were now."""
    change = {"type": told, "at": now_ms(), "workspace_id": one["workspace_id"], "event_id": None}
    change |= {"project_id": row["project_id"] if row else one["project_id"], "data": None}
    change |= {"feedback_id": row["id"] if row else None, "destination_id": one["id"]}
    return change_of(one, change, None if told in outbox.GONE else row, {})
