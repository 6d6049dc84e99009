"""Makes of each change the deliveries that tell the destinations which want it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from adapters.contract import Refused
from gateway.access import audit_log
from gateway.api import filters
from gateway.core.config import Config
from gateway.core.ids import new_id, now_ms
from gateway.destinations import found_kinds, messages
from gateway.destinations.kind import Change
from models.queries import selection
from models.tables import destination, event, feedback, outbox, outgoing

BY = "send"  # who acts in the audit trail
_TOLD = (outbox.RELABELLED, outbox.STATUS_CHANGED, outbox.TAGGED, outbox.NOTED)  # what history says more of

Row = Mapping[str, Any]

_url = ""


def connect(config: Config) -> None:
    """Sets the address at which people read records."""
    global _url
    _url = config.url.rstrip("/")


def fan_out(limit: int) -> int:
    """Makes deliveries of some changes, the oldest ones, within the open transaction; of how many.

    Each tells of the record as it is now. One that is gone meanwhile is told to be gone, and no more.
    """
    taken = outbox.take(limit)
    now = now_ms()
    known = {row["id"]: row for row in selection.kept_rows(sorted(_records(taken)))}
    details = event.details([(one["feedback_id"], one["event_id"]) for one in taken if one["type"] in _TOLD])
    order = itemgetter("workspace_id")
    by_workspace = {name: list(some) for name, some in groupby(sorted(taken, key=order), order)}
    made: list[dict[str, Any]] = []
    for one in destination.of_workspaces(list(by_workspace)) if taken else []:
        wanted = [change for change in by_workspace[one["workspace_id"]] if _is_for(one, change)]
        meant = _meant(one, _records(wanted), now)
        for change in wanted:
            row = known.get(change["feedback_id"] or "")
            if (
                change["type"] not in outbox.RECORDS
                or change["type"] in outbox.GONE
                or (row is not None and row["id"] in meant)
            ):
                made.append(_delivery(one, change, row, details.get(change["event_id"], {}), now))
    outgoing.add_all(made)
    return len(taken)


def disable(one: Row, reason: str, now: int) -> None:
    """Gives a destination up, within the open transaction: what waits for it is held, and others are told."""
    destination.change(one["id"], {"state": destination.DISABLED, "reason": reason})
    outgoing.hold(one["id"])
    audit_log.note(one["workspace_id"], BY, "destination.disabled", one["id"], reason=reason)
    outbox.note_destination(outbox.DISABLED, one, now)


def _is_for(one: Row, change: Row) -> bool:
    """Whether a change is one that a destination is told, its filter aside."""
    if change["type"] == outbox.TEST:
        return bool(change["destination_id"] == one["id"])
    mine = one["project_id"] in (None, change["project_id"]) and change["destination_id"] != one["id"]
    return mine and change["type"] in one["events"]


def _records(changes: Sequence[Row]) -> set[str]:
    """The records that changes tell of and that are still there, as far as is known."""
    return {one["feedback_id"] for one in changes if one["feedback_id"] and one["type"] not in outbox.GONE}


def _meant(one: Row, ids: set[str], now: int) -> set[str]:
    """Those of the records that a destination's filter means."""
    try:
        chosen = filters.parse(one["filter"], now=now)
    except Refused as refused:  # a later version may understand other words
        if one["state"] != destination.DISABLED:
            faults = "; ".join(f"{fault.field}: {fault.message}" for fault in refused.problem.faults)
            disable(one, f"its filter cannot be read: {faults}", now)
        return set()
    return selection.ids_of(one["workspace_id"], one["project_id"], chosen, sorted(ids))


def _delivery(one: Row, change: Row, row: Row | None, detail: Row, now: int) -> dict[str, Any]:
    told = row is not None and change["type"] not in outbox.GONE
    made = {"id": new_id("msg"), "workspace_id": one["workspace_id"], "destination": one["id"]}
    made |= {"feedback": change["feedback_id"] if told else None, "type": change["type"]}
    kind, whole = found_kinds.load()[one["kind"]], change_of(one, change, row if told else None, detail)
    if kind.write is not None:
        message = messages.of_change(whole)
        made |= {"body": kind.write(message), "thread": message.thread or None}
    else:
        assert kind.render is not None
        made["body"] = kind.render(whole)
    state = outgoing.WAITING if one["state"] == destination.ENABLED else outgoing.HELD
    return {**made, "state": state, "next_at": now, "created_at": now}


def change_of(one: Row, change: Row, row: Row | None, detail: Row) -> Change:
    """A change as a destination is told of it; without a row, by the record's id alone."""
    more: dict[str, Any] = {"event_id": change["event_id"]} if change["event_id"] else {}
    url = ""
    if change["feedback_id"] is None:
        data: dict[str, Any] = {"destination_id": change["destination_id"]}
    elif row is None or one["thin"]:
        data = {"id": change["feedback_id"], "project_id": change["project_id"]}
    else:
        data, url = feedback.document(row), f"{_url}/records/{row['id']}"
        names = {"changes": "changes", "text": "note"}
        more |= {shown: detail[name] for name, shown in names.items() if name in detail}
    return Change(change["type"], change["at"], change["workspace_id"], data, more, url)
