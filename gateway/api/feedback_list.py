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
from models.queries.ordering import Position
from models.tables import feedback

PAGE = 50  # rows when the caller names no limit
LONGEST_PAGE = 200
FIELDS = (*feedback.SHOWN, "author")


def list_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """Records that a filter means, newest first or as `sort` says. Bad parameters are named, all of them."""
    faults: list[Fault] = []
    own = ("sort", "limit", "cursor", "fields")
    asked = filters.read(inbound.query_string, own, faults, me=caller.person)
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
    if faults:
        raise invalid(*faults)
    rows, last = feedback_query.page(
        caller.workspace_id, caller.project_id, chosen, limit=page, sort=sort, after=after
    )
    shown = [feedback.document(row) for row in rows]
    if "fields" in asked.rest:
        shown = [{name: row[name] for name in names} for row in shown]
    return Reply(200, {"data": shown, "next_cursor": None if last is None else cursor_of(last, sort)})


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
