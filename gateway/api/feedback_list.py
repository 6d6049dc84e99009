"""Reading what came in: the list of records that a filter means, in pages."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from adapters.contract import Fault, Inbound, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import filters
from gateway.api.query_parameters import whole_of
from models.queries import feedback_query
from models.queries.ordering import NEWEST, SORTS, Position
from models.tables import feedback

PAGE = 50  # rows when the caller names no limit
LONGEST_PAGE = 200
FIELDS = (*feedback.SHOWN, "author")


def list_feedback(caller: Caller, inbound: Inbound) -> Reply:
    """Records that a filter means, newest first or as `sort` says. Bad parameters are named, all of them."""
    faults: list[Fault] = []
    asked = filters.read(inbound.query_string, ("sort", "limit", "cursor", "fields"), faults)
    sort = asked.rest.get("sort", NEWEST)
    names = asked.rest.get("fields", ",".join(FIELDS)).split(",")
    after, page = None, PAGE
    if sort not in SORTS:
        faults.append(Fault("sort", f"Must be one of {', '.join(SORTS)}"))
    if not set(names) <= set(FIELDS):
        faults.append(Fault("fields", f"Must be some of {', '.join(FIELDS)}"))
    try:
        page = whole_of(asked.rest.get("limit", str(PAGE)), 1, LONGEST_PAGE)
    except ValueError as error:
        faults.append(Fault("limit", str(error)))
    if "cursor" in asked.rest and sort in SORTS:
        after = position_of(asked.rest["cursor"], sort, feedback_query.place_columns(asked.chosen, sort))
        if after is None:
            faults.append(Fault("cursor", "Invalid cursor, or one of another sort"))
    if faults:
        raise invalid(*faults)
    rows, last = feedback_query.page(
        caller.workspace_id, caller.project_id, asked.chosen, limit=page, sort=sort, after=after
    )
    shown = [feedback.document(row) for row in rows]
    if "fields" in asked.rest:
        shown = [{name: row[name] for name in names} for row in shown]
    return Reply(200, {"data": shown, "next_cursor": None if last is None else cursor_of(last, sort)})


def cursor_of(position: Position, sort: str) -> str:
    """A place in a list as an opaque text."""
    told = json.dumps([sort, *position], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(told).rstrip(b"=").decode()


def position_of(cursor: str, sort: str, columns: Sequence[str]) -> Position | None:
    """The place that a cursor tells, or None when it is none of this sort and these columns."""
    try:
        told: Any = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, list) or len(told) != len(columns) + 1 or told[0] != sort:
        return None
    for name, value in zip(columns, told[1:], strict=True):
        good = isinstance(value, str) and feedback.is_id(value) if name == "id" else _is_number(value)
        if not good:
            return None
    return told[1:]


def _is_number(value: Any) -> bool:
    """Whether it is a whole number that a column takes."""
    return type(value) is int and 0 <= value < 2**63
