"""What a destination would be sent, made of the newest record that it would be told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.contract import Fault, invalid
from gateway.api import filters
from gateway.core.ids import new_id, now_ms
from gateway.destinations import messages
from gateway.destinations.fan_out import change_of
from gateway.destinations.kind import Kind
from gateway.destinations.message import Message
from models.queries import feedback_query
from models.tables import outbox


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent: the `body`, and the `message` that it was written from if it is for people.

    `feedback_id` is the record that it tells of; None when there is none, and what is shown is a test.
    """

    body: str
    message: Message | None
    feedback_id: str | None


def preview(kind: Kind, workspace_id: str, project_id: str | None, sent: Mapping[str, Any]) -> Preview:
    """What is sent of the first of the `events` in `sent`, as its filter, thin and subscription say.

    Nothing is stored. Raises Refused (400) for a filter that cannot be read.
    """
    one = {"id": new_id("dst"), "thin": False, "subscription": {}, **sent}
    wrong: list[Fault] = []
    chosen = filters.read(one.get("filter", ""), (), wrong).chosen
    if wrong:
        raise invalid(*(Fault(f"filter.{fault.field}", fault.message) for fault in wrong))
    wanted = [name for name in one.get("events", ()) if name in outbox.TYPES]
    found, _rest = feedback_query.page(workspace_id, project_id, chosen, limit=1)
    row, told = (found[0], wanted[0]) if found and wanted else (None, outbox.TEST)
    of_record = row is not None and told in outbox.RECORDS
    change = {
        "type": told,
        "workspace_id": workspace_id,
        "project_id": row["project_id"] if row else project_id,
        "feedback_id": row["id"] if row and of_record else None,
        "event_id": None,
        "destination_id": one["id"],
        "at": now_ms(),
    }
    whole = change_of(one, change, row if of_record and told not in outbox.GONE else None, {})
    message = None if kind.write is None else messages.of_change(whole)
    if message is not None and kind.write is not None:
        body = kind.write(message)
    else:
        assert kind.render is not None, "a kind has one or the other"
        body = kind.render(whole)
    return Preview(body, message, change["feedback_id"])
