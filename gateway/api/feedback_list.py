"""Reading what came in: the list of records that a filter means, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from typing import Any

from adapters.contract import Fault, Inbound, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import filters, pagination
from gateway.api.query_parameters import whole_of
from models.queries import feedback_query
from models.queries.ordering import Position, reversed_sort
from models.tables import feedback

PAGE = 50  # rows when the caller names no limit
LONGEST_PAGE = 200
FIELDS = (*feedback.SHOWN, "author")
_OWN = ("sort", "limit", "cursor", "after", "fields")  # parameters beside the filter


def list_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """Records that a filter means, newest first or as `sort` says. Bad parameters are named, all of them."""
    faults: list[Fault] = []
    asked = filters.read(inbound.query_string, _OWN, faults, me=caller.person)
    chosen, sort = filters.in_order(asked, faults)
    names = asked.rest.get("fields", ",".join(FIELDS)).split(",")
    after, page = None, PAGE
    if not set(names) <= set(FIELDS):
        faults.append(Fault("fields", f"Must be some of {', '.join(FIELDS)}"))
    try:
        page = whole_of(asked.rest.get("limit", str(PAGE)), 1, LONGEST_PAGE)
    except ValueError as error:
        faults.append(Fault("limit", str(error)))
    if "cursor" in asked.rest and asked.rest.get("sort", sort) == sort:
        after = position_of(asked.rest["cursor"], sort, feedback_query.place_columns(chosen, sort))
        if after is None:
            faults.append(Fault("cursor", "Invalid cursor, or one of another sort"))
    if "after" in asked.rest and asked.rest.get("sort", sort) == sort:
        after = _place(caller, asked.rest["after"], chosen, sort)
        if after is None:
            faults.append(Fault("after", "No such feedback"))
        if "cursor" in asked.rest:
            faults.append(Fault("after", "Must not be given with cursor"))
    if faults:
        raise invalid(*faults)
    rows, last = feedback_query.page(
        caller.workspace_id, caller.project_id, chosen, limit=page, sort=sort, after=after
    )
    shown = [feedback.document(row) for row in rows]
    if "fields" in asked.rest:
        shown = [{name: row[name] for name in names} for row in shown]
    return Reply(200, {"data": shown, "next_cursor": None if last is None else cursor_of(last, sort)})


def cursor_at(caller: Caller, query: str, feedback_id: str) -> str | None:
    """The place of a record in the list of a query string, as a cursor; None when it has none there."""
    faults: list[Fault] = []
    chosen, sort = filters.in_order(filters.read(query, _OWN, faults), faults)
    if faults:
        return None
    position = _place(caller, feedback_id, chosen, sort)
    return None if position is None else cursor_of(position, sort)


def _place(caller: Caller, feedback_id: str, chosen: feedback_query.Filter, sort: str) -> Position | None:
    if not feedback.is_id(feedback_id):
        return None
    return feedback_query.place(caller.workspace_id, caller.project_id, feedback_id, chosen, sort)


def turned(cursor: str) -> str:
    """The same place in the same list read from its other end."""
    told = pagination.told(cursor)
    if not isinstance(told, list) or not told or not isinstance(told[0], str):
        return cursor  # is refused as one
    return pagination.opaque([reversed_sort(told[0]), *told[1:]])


def cursor_of(position: Position, sort: str) -> str:
    """A place in a list as an opaque text."""
    return pagination.opaque([sort, *position])


def position_of(cursor: str, sort: str, columns: Sequence[str]) -> Position | None:
    """The place that a cursor tells, or None when it is none of this sort and these columns."""
    told = pagination.told(cursor)
    if not isinstance(told, list) or len(told) != len(columns) + 1 or told[0] != sort:
        return None
    if not all(starmap(is_value, zip(columns, told[1:], strict=True))):
        return None
    return told[1:]


def is_value(name: str, value: Any) -> bool:
    """Whether a value of a cursor is one of a column of a position."""
    return isinstance(value, str) and feedback.is_id(value) if name == "id" else pagination.is_number(value)
