"""Which records are meant, and in which order they are read: what lists, exports and bulk changes share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SQL, Expression, Tuple, fn

from models.base import database, rows
from models.feedback import Feedback

# How a list is sorted: the columns that decide, and whether the largest comes first.
SORTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "-received_at": (("received_at", "id"), True),
    "received_at": (("received_at", "id"), False),
    "-impact": (("impact", "received_at", "id"), True),
}
NEWEST = "-received_at"
Position = Sequence[Any]  # of a row in a list: its values of the columns that decide


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records of a workspace are meant; without anything, all of them.

    A field with several values is any of them. `tags` are groups: one tag of each. `author` is an
    id or an email address, `page` how subject.page begins. Times are milliseconds UTC and bound
    received_at: `since` is within, `until` is not.
    """

    source: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    sentiment: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    min_impact: int | None = None
    max_impact: int | None = None
    confidence_below: float | None = None
    tags: tuple[tuple[str, ...], ...] = ()
    author: tuple[str, ...] = ()
    page: str | None = None
    trace_id: str | None = None
    incident_key: str | None = None
    external_id: str | None = None
    since: int | None = None
    until: int | None = None


# Fields of a Filter whose column must have one of several values.
ANY_OF = {name: name for name in ("source", "type", "category", "sentiment", "status", "language")} | {
    "project": "project_id"
}
_EQUAL = ("incident_key", "external_id")


def conditions(workspace_id: str, project_id: str | None, chosen: Filter) -> list[Expression]:
    """What the rows that are meant have in common, for the WHERE of any query of `feedback`.

    They are of this workspace and, when given, of this project, whatever the filter says.
    """
    found: list[Any] = [Feedback.workspace_id == workspace_id]
    if project_id is not None:
        found.append(Feedback.project_id == project_id)
    for name, column in ANY_OF.items():
        if values := getattr(chosen, name):
            field = getattr(Feedback, column)
            found.append(field == values[0] if len(values) == 1 else field.in_(values))
    for name in _EQUAL:
        if (value := getattr(chosen, name)) is not None:
            found.append(getattr(Feedback, name) == value)
    if chosen.min_impact is not None:
        found.append(Feedback.impact >= chosen.min_impact)
    if chosen.max_impact is not None:
        found.append(Feedback.impact <= chosen.max_impact)
    if chosen.confidence_below is not None:
        found.append(Feedback.category_confidence < chosen.confidence_below)
    if chosen.since is not None:
        found.append(Feedback.received_at >= chosen.since)
    if chosen.until is not None:
        found.append(Feedback.received_at < chosen.until)
    if chosen.author:
        found.append(Feedback.author_id.in_(chosen.author) | Feedback.author_email.in_(chosen.author))
    if chosen.trace_id is not None:
        found.append(_member("trace_id") == chosen.trace_id)
    if chosen.page is not None:
        found.append(fn.SUBSTR(_member("page"), 1, len(chosen.page)) == chosen.page)
    found += [_tagged(group) for group in chosen.tags]
    return found


def page(
    workspace_id: str,
    project_id: str | None,
    chosen: Filter,
    *,
    limit: int,
    sort: str = NEWEST,
    after: Position | None = None,
) -> tuple[list[dict[str, Any]], Position | None]:
    """At most `limit` of the rows that are meant, and the position to go on after (None: there are no more).

    A position names a place in the order and not a number of rows: rows that come, go or change
    elsewhere move nobody's page. `sort` is one of SORTS.
    """
    columns, falling = SORTS[sort]
    fields = [getattr(Feedback, name) for name in columns]
    found = Feedback.select().where(*conditions(workspace_id, project_id, chosen))
    if after is not None:
        here, there = Tuple(*fields), Tuple(*after)
        found = found.where(here < there if falling else here > there)
    found = found.order_by(*(field.desc() if falling else field for field in fields))
    page = rows(found.limit(limit + 1))
    if len(page) <= limit:
        return page, None
    return page[:limit], [page[limit - 1][name] for name in columns]


def _member(name: str) -> Any:
    """A text in `subject`, as its index has it."""
    return SQL(database.obj.member("subject", name))


def _tagged(group: tuple[str, ...]) -> Any:
    """Whether a row has one of these tags."""
    return SQL(*database.obj.has_one("tags", group))
