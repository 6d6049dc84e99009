"""What people are told of a record: when it begins, when it is over, when it is reopened, never a repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.destinations.messages import DONE
from models.queries.feedback_query import Filter
from models.tables import notification, outbox
from models.tables.notification import REOPENED, RESOLVED

REMEMBERED = 30 * 86_400_000  # milliseconds that it is known what people were told of a record
_CHANGED = {outbox.UPDATED, outbox.RELABELLED}
_ASKED = (outbox.RETRACTED, outbox.TAGGED, outbox.NOTED)  # told each time, to those who ask for it

Row = Mapping[str, Any]


def gather(
    one: Row,
    changes: Sequence[Row],
    known: Mapping[str, Row],
    details: Mapping[str, Row],
    chosen: Filter,
    meant: set[str],
    now: int,
) -> dict[str, Any] | None:
    """Has people at a destination told of records that changed, within the open transaction.

    `known` are the records, `meant` the ids of those that the filter, `chosen`, means, `details` the events.
    Returns the most important notification of them, None when there is nothing to tell.
    """
    by_record: dict[str, list[Row]] = {}
    for change in changes:
        if change["feedback_id"] in known and change["type"] not in outbox.GONE:
            by_record.setdefault(change["feedback_id"], []).append(change)
    before = notification.known(one["id"], list(by_record))
    found: list[dict[str, Any]] = []
    for name, some in by_record.items():
        row, told = known[name], before.get(name)
        reason = _again(one, row, some, told, name in meant) if told else None
        if told is None and name in meant:
            reason = _first(one, row, some, details, chosen, now)
        if reason:
            found.append({"feedback": name, "reason": reason, "is_over": row["status"] in DONE})
    found.sort(key=lambda item: -known[item["feedback"]]["impact"])
    # Each at a time of its own, behind all that has been told, so that one time tells what still waits.
    begin = max(now, one["told_at"] + 1)
    found = [{**item, "at": begin + number} for number, item in enumerate(found)]
    notification.put(one["id"], found)
    return found[0] if found else None


def _again(one: Row, row: Row, changes: Sequence[Row], told: Row, is_meant: bool) -> str | None:
    """What there is to tell of a record that people know of, or will: its end is told whatever it means."""
    is_over, types = row["status"] in DONE, {change["type"] for change in changes}
    waits = told["at"] > one["told_at"]
    if is_over != told["is_over"] and types & {*_CHANGED, outbox.STATUS_CHANGED}:
        return told["reason"] if waits and told["reason"] == outbox.CREATED else _turn(is_over)
    asked = [name for name in _ASKED if name in types]
    return asked[0] if asked and is_meant and not waits else None


def _first(
    one: Row, row: Row, changes: Sequence[Row], details: Mapping[str, Row], chosen: Filter, now: int
) -> str | None:
    """What there is to tell of a record that people were not told of, or so long ago that nobody knows.

    One that begins, reaches the filter's impact, or has come since people listen and is meant only now.
    """
    types = {change["type"] for change in changes}
    if outbox.CREATED in types:
        return outbox.CREATED
    if types & _CHANGED and chosen.min_impact is not None:
        return outbox.CREATED
    is_young = row["received_at"] >= max(one["created_at"], now - REMEMBERED)
    if is_young and outbox.CREATED in one["events"] and types & {*_CHANGED, outbox.STATUS_CHANGED}:
        return outbox.CREATED
    if outbox.STATUS_CHANGED in types:
        is_over = row["status"] in DONE
        if not is_over and any(_reopens(details.get(change["event_id"], {})) for change in changes):
            return REOPENED
        if is_over and outbox.CREATED not in one["events"]:
            return RESOLVED
    return next((name for name in _ASKED if name in types), None)


def _reopens(detail: Row) -> bool:
    """Whether an event says that a record was over before, by a person or by the sender."""
    status = detail.get("changes", {}).get("status", {})
    return detail.get("type") == "reopened" or status.get("from") in DONE


def _turn(is_over: bool) -> str:
    return RESOLVED if is_over else REOPENED
