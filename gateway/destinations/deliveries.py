"""A delivery of what a destination is told, as its kind puts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from gateway.core import log
from gateway.core.ids import new_id
from gateway.destinations import found_kinds, links, messages, subscription
from gateway.destinations.kind import Change
from gateway.destinations.message import Message
from models.tables import destination, feedback, outbox, outgoing
from models.tables.notification import REOPENED, RESOLVED

Row = Mapping[str, Any]
Made = TypeVar("Made")


def change_of(one: Row, change: Row, row: Row | None, detail: Row) -> Change:
    """A change as a destination is told of it; without a row, by the record's id alone."""
    more: dict[str, Any] = {"event_id": change["event_id"]} if change["event_id"] else {}
    if change["feedback_id"] is None:
        data: dict[str, Any] = change["data"] or {"destination_id": change["destination_id"]}
        data = {name: data[name] for name in data if name.endswith("_id")} if one["thin"] else data
    elif row is None or one["thin"]:
        data = {"id": change["feedback_id"], "project_id": change["project_id"]}
    else:
        data = feedback.document(row)
        names = {"changes": "changes", "text": "note"}
        more |= {shown: detail[name] for name, shown in names.items() if name in detail}
    url = "" if row is None else links.of_record(row["id"])
    return Change(change["type"], change["at"], change["workspace_id"], data, more, url)


def safely(one: Row, type_: str, make: Callable[[], Made]) -> list[Made]:
    """What is made of a type for a destination; nothing, and a line in the log, when it cannot be put."""
    try:
        return [make()]
    except Exception:  # it must not keep all others waiting
        facts = {"destination": one["id"], "type": type_}
        log.logger.exception("a change cannot be told", extra={"facts": facts})
        return []


def of_change(one: Row, change: Change, feedback_id: str | None, now: int) -> dict[str, Any]:
    """A delivery of one change; `feedback_id` is the record that it is about and goes with."""
    kind = found_kinds.load()[one["kind"]]
    if kind.render is None:
        named = subscription.of(one).include_author
        message = messages.of_change(change, include_author=named)
        return of_message(one, change.type, message, feedback_id, now)
    return {**_made(one, change.type, feedback_id, now), "body": kind.render(change)}


def of_message(one: Row, type_: str, message: Message, feedback_id: str | None, now: int) -> dict[str, Any]:
    """A delivery of a message to people."""
    kind = found_kinds.load()[one["kind"]]
    assert kind.write is not None
    made = _made(one, type_, feedback_id, now)
    return {**made, "body": kind.write(message), "thread": message.thread or None}


def _made(one: Row, type_: str, feedback_id: str | None, now: int) -> dict[str, Any]:
    if type_ in (RESOLVED, REOPENED):
        type_ = outbox.STATUS_CHANGED
    state = outgoing.WAITING if one["state"] == destination.ENABLED else outgoing.HELD
    made = {"id": new_id("msg"), "workspace_id": one["workspace_id"], "destination": one["id"]}
    return {
        **made,
        "feedback": feedback_id,
        "type": type_,
        "state": state,
        "next_at": now,
        "created_at": now,
    }
