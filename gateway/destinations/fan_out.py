"""Makes of each change the deliveries that tell the destinations which want it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

from adapters.contract import Refused
from gateway.access import alert_mutes, audit_log
from gateway.api import filters
from gateway.core.ids import now_ms
from gateway.destinations import deliveries, found_kinds, gathering, notifying, subscription
from gateway.destinations.deliveries import change_of
from gateway.destinations.shared_view import filter_of
from models.queries import selection
from models.queries.feedback_query import Filter
from models.tables import destination, event, outbox, outgoing

BY = "send"  # who acts in the audit trail
# What history says more of.
_TOLD = (
    outbox.RELABELLED,
    outbox.STATUS_CHANGED,
    outbox.TAGGED,
    outbox.NOTED,
    outbox.ASSIGNED,
    outbox.SNOOZED,
    outbox.WOKEN,
)

Row = Mapping[str, Any]


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
    mutes = alert_mutes.lasting(list(by_workspace), now) if taken else []
    made: list[dict[str, Any]] = []
    for one in destination.of_workspaces(list(by_workspace)) if taken else []:
        wanted = [change for change in by_workspace[one["workspace_id"]] if _is_for(one, change)]
        is_for_people = found_kinds.load()[one["kind"]].is_for_people
        if is_for_people and (about := [change for change in wanted if change["type"] in outbox.RECORDS]):
            made += _of_stories(one, _heard(about, known, mutes), known, details, now)
            wanted = [change for change in wanted if change["type"] not in outbox.RECORDS]
        meant = _meant(one, _records(wanted), now)
        for change in wanted:
            row = known.get(change["feedback_id"] or "")
            gone = change["type"] in outbox.GONE
            if change["type"] not in outbox.RECORDS or gone or (row is not None and row["id"] in meant):
                detail = details.get(change["event_id"], {})
                make = partial(_delivery, one, change, None if gone else row, detail, now)
                made += deliveries.safely(one, change["type"], make)
    outgoing.add_all(made)
    return len(taken)


def disable(one: Row, reason: str, now: int) -> None:
    """Gives a destination up, within the open transaction; others are told, and what waits is held soon."""
    destination.change(one["id"], {"state": destination.DISABLED, "reason": reason})
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
    chosen = _chosen(one, now) if ids else None
    if chosen is None:
        return set()
    return selection.ids_of(one["workspace_id"], one["project_id"], chosen, sorted(ids))


def _delivery(one: Row, change: Row, row: Row | None, detail: Row, now: int) -> dict[str, Any]:
    record = None if row is None else str(row["id"])
    return deliveries.of_change(one, change_of(one, change, row, detail), record, now)


def _heard(changes: Sequence[Row], known: Mapping[str, Row], mutes: Sequence[Row]) -> list[Row]:
    """The changes but for those of alerts in a group that is muted: people are not told of them."""

    def is_muted(row: Row | None) -> bool:
        if row is None or row["alert_group"] is None:
            return False
        where = row["workspace_id"], row["project_id"], row["alert_group"]
        return any(alert_mutes.covers(mute, *where) for mute in mutes)

    return [change for change in changes if not is_muted(known.get(change["feedback_id"] or ""))]


def _of_stories(
    one: Row, changes: Sequence[Row], known: Mapping[str, Row], details: Mapping[str, Row], now: int
) -> Sequence[dict[str, Any]]:
    """Has people told of records; deliveries of what is told at once."""
    chosen = _chosen(one, now)
    if chosen is None or subscription.of(one).content == subscription.DIGEST:
        return ()
    meant = selection.ids_of(one["workspace_id"], one["project_id"], chosen, sorted(_records(changes)))
    first = gathering.gather(one, changes, known, details, chosen, meant, now)
    return notifying.at_once(one, first, now) if first else ()


def _chosen(one: Row, now: int) -> Filter | None:
    """A destination's filter; one that cannot be read disables it."""
    try:
        return filters.parse(filter_of(one["workspace_id"], one["filter"]), now=now)
    except Refused as refused:  # a later version may understand other words
        if one["state"] != destination.DISABLED:
            faults = "; ".join(f"{fault.field}: {fault.message}" for fault in refused.problem.faults)
            disable(one, f"its filter cannot be read: {faults}", now)
        return None
