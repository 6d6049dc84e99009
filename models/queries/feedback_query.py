"""Which records are meant, and in which order they are read: what lists, exports and bulk changes share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from peewee import SQL, Expression

from models.database.base import database, rows
from models.database.query_dialects import AUTHORS, FEW, PRIMARY
from models.queries import assigned, bounded_pages, full_text, partial_indexes, priority
from models.queries.answered import answered
from models.queries.ordering import (
    BY_OCCURRED,
    INDEXES,
    NEWEST_BY,
    OCCURRED,
    RECEIVED,
    SORTS,
    Position,
    doubt_of,
    moment,
    ordered,
)
from models.queries.rare_columns import lacks
from models.queries.topics import about
from models.tables.feedback import Feedback
from models.tables.search_words import Query
from models.tables.theme import count_members, members


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records of a workspace are meant; without anything, all of them.

    A field with several values is any of them. `tags` are groups: one tag of each; of `without_tags`
    there is none. `topic` and `assignee` have None for records without one. `assignee` and `mentioned` are
    ids of users; `snoozed` is whether a record is. `author` is an id or an email address, `page`
    how subject.page begins, `theme` the id of one. `any_confidence_below` is about category and sentiment.
    `merged` says whether records that another one stands for are meant: not, with the others (WITH) or alone
    (ONLY); `merged_into` is that of one record, and is of these alone.
    Times are milliseconds UTC: `since` is within, `until` is not. They bound when records were received, or
    when what they tell of occurred, as `time` says (models.queries.ordering.TIMES). `arrived_before` is
    always about the former, and for nobody to ask for.
    """

    source: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    sentiment: tuple[str, ...] = ()
    category_origin: tuple[str, ...] = ()
    sentiment_origin: tuple[str, ...] = ()
    topic: tuple[str | None, ...] = ()
    status: tuple[str, ...] = ()
    assignee: tuple[str | None, ...] = ()
    mentioned: tuple[str, ...] = ()
    snoozed: bool | None = None
    project: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    priority: str | None = None
    min_impact: int | None = None
    max_impact: int | None = None
    confidence_below: float | None = None
    any_confidence_below: float | None = None
    tags: tuple[tuple[str, ...], ...] = ()
    without_tags: tuple[str, ...] = ()
    author: tuple[str, ...] = ()
    page: str | None = None
    trace_id: str | None = None
    incident_key: str | None = None
    alert_group: str | None = None
    external_id: str | None = None
    theme: str | None = None
    replied: bool | None = None
    merged: str | None = None
    merged_into: str | None = None
    since: int | None = None
    until: int | None = None
    time: str = RECEIVED
    arrived_before: int | None = None
    q: Query | None = None


WITH, ONLY = MERGED = ("with", "only")
MERGED_OF = "feedback_merged_of"  # the index of a workspace's merged records
# Fields of a Filter whose column must have one of several values.
_ALIKE = ("source", "type", "category", "sentiment", "category_origin", "sentiment_origin")
ANY_OF = {name: name for name in (*_ALIKE, "status", "language")} | {"project": "project_id"}
# Of these the columns that have an index with the workspace, feedback_NAME.
SEEKING = {"source": "source", "status": "status", "project": "project_id"}
SEEKING |= {"topic": "topic", "assignee": "assignee"}
# Orders whose index is read only where many rows are meant, since it leads to none that are rare.
_SEEKING_FEW = ("-doubt", "doubt", "-occurred_at", "occurred_at")
# The indexes of what few records have alike.
_NAMED = {
    "trace_id": "feedback_trace",
    "incident_key": "feedback_story",
    "alert_group": "feedback_alert_group",
    "external_id": "feedback_external",
    "merged_into": "feedback_merged",
}


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
    if chosen.topic:
        found.append(about(chosen.topic))
    found += assigned.conditions(chosen)
    if chosen.incident_key is not None:
        found.append(Feedback.incident_key == chosen.incident_key)
    if chosen.alert_group is not None:
        found.append(Feedback.alert_group == chosen.alert_group)
    if chosen.external_id is not None:
        found.append(_same("external_id", [chosen.external_id]))
    if chosen.priority is not None:
        found.append(priority.condition(chosen.priority))
    if chosen.min_impact is not None:
        found.append(Feedback.impact >= chosen.min_impact)
    if chosen.max_impact is not None:
        found.append(Feedback.impact <= chosen.max_impact)
    if chosen.confidence_below is not None:
        found.append(Feedback.category_confidence < chosen.confidence_below)
    if (least := chosen.any_confidence_below) is not None:
        found.append((Feedback.category_confidence < least) | (Feedback.sentiment_confidence < least))
    if chosen.merged_into is not None:
        found.append(Feedback.merged_into == chosen.merged_into)
    elif chosen.merged == ONLY:
        found.append(Feedback.merged_into.is_null(False))
    elif chosen.merged != WITH:
        found.append(lacks(Feedback.merged_into))
    found += partial_indexes.conditions(chosen)
    if chosen.since is not None:
        found.append(moment(chosen.time) >= chosen.since)
    if chosen.until is not None:
        found.append(moment(chosen.time) < chosen.until)
    if chosen.arrived_before is not None:
        found.append(Feedback.received_at < chosen.arrived_before)
    if chosen.author:
        found.append(_same("author_id", chosen.author) | _same("author_email", chosen.author))
    if chosen.trace_id is not None:
        found.append(_same(_member("trace_id"), [chosen.trace_id]))
    if chosen.theme is not None:
        found.append(Feedback.id.in_(members(chosen.theme)))
    if chosen.page is not None:
        found.append(SQL(*database.obj.begins(_member("page"), chosen.page)))
    found += answered(chosen.replied)
    found += [_tagged(group) for group in chosen.tags]
    if chosen.without_tags:
        found.append(~_tagged(chosen.without_tags))
    if chosen.q is not None:
        found += full_text.matches(chosen.q)
    return found


def as_of(chosen: Filter, at: int) -> Filter:
    """The filter without what is received from a time on (milliseconds UTC)."""
    if chosen.time == RECEIVED:
        return replace(chosen, until=at if chosen.until is None else min(chosen.until, at))
    return replace(chosen, arrived_before=at)


def place_columns(chosen: Filter, sort: str) -> tuple[str, ...]:
    """The columns whose values are a position in the list of a filter."""
    return full_text.place_columns(sort) if chosen.q is not None and chosen.q.positive else SORTS[sort][0]


def place_of(row: Mapping[str, Any], chosen: Filter, sort: str) -> Position:
    """The position of a row in the list of a filter."""
    columns = place_columns(chosen, sort)
    if "doubt" in columns:
        row = {**row, "doubt": doubt_of(row["id"])}
    if row.get("occurred") is None:
        occurred = row["received_at"] if row["occurred_at"] is None else row["occurred_at"]
        row = {**row, "occurred": occurred}
    return [full_text.docid(row["id"])] if columns == ("docid",) else [row[name] for name in columns]


def place(
    workspace_id: str, project_id: str | None, feedback_id: str, chosen: Filter, sort: str
) -> Position | None:
    """The position of a record in the list of a filter, which need not mean it; None for no record."""
    found = _meant(workspace_id, project_id, Filter(merged=WITH)).where(Feedback.id == feedback_id)
    row = next(iter(rows(database.obj.through(found, PRIMARY))), None)
    return None if row is None else place_of(row, chosen, sort)


def page(
    workspace_id: str,
    project_id: str | None,
    chosen: Filter,
    *,
    limit: int,
    sort: str | None = None,
    after: Position | None = None,
) -> tuple[list[dict[str, Any]], Position | None]:
    """At most `limit` of the rows that are meant, and the position to go on after (None: there are no more).

    There are fewer when their texts are long (models.queries.bounded_pages).

    A position names a place in the order and not a number of rows: rows that come, go or change
    elsewhere move nobody's page. `sort` is one of SORTS, the newest first when not given; `after` has a value
    for each of place_columns.
    """
    sort = sort or NEWEST_BY[chosen.time]
    tests = [_tagged(group) for group in chosen.tags]
    if chosen.q is not None and chosen.q.positive:
        some = _meant(workspace_id, project_id, replace(chosen, q=None, tags=())).where(*tests)
        few = _few(workspace_id, chosen)
        if few == PRIMARY and chosen.author:
            some = database.obj.written_by(some, workspace_id, chosen.author)
        period = (chosen.since, chosen.until) if chosen.time == RECEIVED else (None, chosen.arrived_before)
        limits = full_text.Limits(*period, few)
        page = full_text.find(some, workspace_id, chosen.q, limits, sort=sort, after=after, limit=limit + 1)
    elif chosen.author:
        some = _meant(workspace_id, project_id, replace(chosen, author=()))
        page = _written(some, workspace_id, chosen, sort, after, limit + 1)
    elif tests and not database.obj.EMBEDDED:
        some = _meant(workspace_id, project_id, replace(chosen, tags=()))
        page = full_text.by_index_of_server(some, tests, sort, after, limit + 1)
    else:
        some = narrowed(_meant(workspace_id, project_id, chosen), workspace_id, project_id, chosen, sort)
        page = rows(ordered(some, sort, after).limit(limit + 1))
    fitting = bounded_pages.fitting(page[:limit])
    if len(fitting) == len(page):
        return bounded_pages.filled(fitting), None
    last = [fitting[-1][name] for name in place_columns(chosen, sort)]
    return bounded_pages.filled(fitting), last


def narrowed(
    some: Any,
    workspace_id: str,
    project_id: str | None,
    chosen: Filter,
    sort: str | None = None,
    index: str | None = None,
) -> Any:
    """A query that reads the rows it means through the index that finds them with the least work.

    Of many rows that is the one named, or one in the order of the list.
    """
    if chosen.author:
        return database.obj.written_by(some, workspace_id, chosen.author)
    if named := _named(chosen):
        return database.obj.through(some, named)
    for group in chosen.tags:
        if (few := database.obj.tagged(workspace_id, group)) is not None:
            return database.obj.through(some.where(SQL(*few)), PRIMARY)
    if _rare_page(workspace_id, chosen):
        return database.obj.through(some, "feedback_page")
    if chosen.priority == priority.HIGH and (likely := priority.few(workspace_id, chosen.status)) is not None:
        return database.obj.through(some.where(SQL(*likely)), PRIMARY)
    if chosen.q is not None and (found := full_text.if_few(some, workspace_id, chosen.q)) is not None:
        return found
    sort = sort or NEWEST_BY[chosen.time]
    return database.obj.through(some, index or _index(workspace_id, project_id, chosen, sort))


def _meant(workspace_id: str, project_id: str | None, chosen: Filter) -> Any:
    return Feedback.select(*bounded_pages.COLUMNS).where(*conditions(workspace_id, project_id, chosen))


def _written(
    some: Any, workspace_id: str, chosen: Filter, sort: str, after: Position | None, limit: int
) -> list[dict[str, Any]]:
    """The first rows of what these people wrote, of each by the index in the order of the list.

    In other orders than by arrival what somebody wrote is sorted, unless that is much.
    """
    found: dict[str, dict[str, Any]] = {}
    for column, index in AUTHORS.items():
        for author in chosen.author:
            test, values = database.obj.same(column, [author])
            much = sort in INDEXES and database.obj.EMBEDDED
            much = much and not database.obj.few(workspace_id, test, values, index)
            mine = database.obj.through(some.where(SQL(test, values)), INDEXES[sort] if much else index)
            found |= {row["id"]: row for row in rows(ordered(mine, sort, after).limit(limit))}
    names, falling = SORTS[sort]
    return sorted(found.values(), key=itemgetter(*names), reverse=falling)[:limit]


def _named(chosen: Filter) -> str | None:
    """The index of what a filter names that few records have."""
    for name, index in _NAMED.items():
        if getattr(chosen, name) is not None:
            return index
    if chosen.theme is not None and database.obj.EMBEDDED and count_members(chosen.theme, FEW) < FEW:
        return PRIMARY
    return PRIMARY if chosen.mentioned and assigned.names_few(chosen) else None


def _few(workspace_id: str, chosen: Filter) -> str | None:
    """The index of rows so few, search aside, that their words are read sooner than the index of words."""
    if chosen.author:
        return PRIMARY
    if (named := _named(chosen)) or _rare_page(workspace_id, chosen):
        return named or "feedback_page"
    for name, column in SEEKING.items():
        values = getattr(chosen, name)
        if None not in values and _seldom(workspace_id, column, values):
            return f"feedback_{name}"
    return assigned.few(workspace_id, chosen) or partial_indexes.few(workspace_id, chosen)


def _seldom(workspace_id: str, column: str, values: Sequence[str]) -> bool:
    """Whether few rows have one of some values in a column that has an index with its workspace."""
    marks = ", ".join("?" * len(values))
    return bool(values) and bool(database.obj.few(workspace_id, f"{column} IN ({marks})", values))


def _few_merged(workspace_id: str) -> bool:
    """Whether few of a workspace's records are merged into others."""
    return bool(database.obj.few(workspace_id, "merged_into IS NOT NULL", (), MERGED_OF))


def _index(workspace_id: str, project_id: str | None, chosen: Filter, sort: str) -> str:
    """The index to read rows through: one of what is rare, else one in the order of the list."""
    if sort in _SEEKING_FEW and (few := _few(workspace_id, chosen) or _few_of_kind(workspace_id, chosen)):
        return few  # what is left to look at among all that is done
    if sort in INDEXES and _short_period(workspace_id, chosen):
        return BY_OCCURRED
    if few := partial_indexes.few(workspace_id, chosen):
        return few
    if chosen.merged == ONLY and (sort not in INDEXES or _few_merged(workspace_id)):
        return MERGED_OF
    if index := assigned.index(workspace_id, chosen, in_order=sort not in INDEXES):
        return index
    if (sort in INDEXES or len(chosen.topic) > 1) and _rare_topic(workspace_id, chosen):
        return "feedback_topic"
    less_sure = partial_indexes.less_sure(chosen)
    if sort in INDEXES:
        doubtful = sort in ("-doubt", "doubt") and "feedback_doubtful" in less_sure
        return "feedback_doubtful" if doubtful else INDEXES[sort]
    if "feedback_unsure" in less_sure:
        return "feedback_unsure"
    for name in partial_indexes.ORIGINS:
        if partial_indexes.unusual(chosen, name) and len(getattr(chosen, name)) == 1:
            return f"feedback_{name}"
    one_type = len(chosen.type) == 1 and partial_indexes.unusual(chosen, "type")
    if one_type and (len(chosen.status) == 1 or partial_indexes.is_few(workspace_id, chosen, "type")):
        return "feedback_type"
    if len(chosen.topic) == 1 and None not in chosen.topic:
        return "feedback_topic"
    if len(chosen.source) == 1:
        return "feedback_source"
    if len(chosen.status) == 1 and _seldom(workspace_id, "status", chosen.status):
        return "feedback_status"
    if chosen.min_impact is not None and database.obj.few(workspace_id, "impact >= ?", [chosen.min_impact]):
        return "feedback_impact"
    return "feedback_list" if project_id is None and len(chosen.project) != 1 else "feedback_project"


def _few_of_kind(workspace_id: str, chosen: Filter) -> str | None:
    """The index of rows so few, by their type or impact, that any order will do."""
    if partial_indexes.unusual(chosen, "type") and partial_indexes.is_few(workspace_id, chosen, "type"):
        return "feedback_type"
    least = chosen.min_impact
    if least is not None and database.obj.few(workspace_id, "impact >= ?", [least], "feedback_impact"):
        return "feedback_impact"
    return None


def _short_period(workspace_id: str, chosen: Filter) -> bool:
    """Whether few records occurred in the period that a filter names."""
    if chosen.time != OCCURRED or (chosen.since is None and chosen.until is None):
        return False
    since, until = chosen.since or 0, full_text.LARGEST if chosen.until is None else chosen.until
    return bool(database.obj.few(workspace_id, "occurred >= ? AND occurred < ?", [since, until], BY_OCCURRED))


def _member(name: str) -> str:
    """SQL for a text in `subject`, as its index has it."""
    return str(database.obj.member("subject", name))


def _same(value: str, wanted: Sequence[str]) -> Any:
    """Whether a value that any sender chose is one of these."""
    return SQL(*database.obj.same(value, wanted))


def _rare_topic(workspace_id: str, chosen: Filter) -> bool:
    """Whether few rows have the topics that a filter names."""
    return None not in chosen.topic and _seldom(workspace_id, "topic", [*filter(None, chosen.topic)])


def _rare_page(workspace_id: str, chosen: Filter) -> bool:
    """Whether few rows are about the page, or those below it, that a filter names."""
    if chosen.page is None:
        return False
    return bool(database.obj.few(workspace_id, *database.obj.begins(_member("page"), chosen.page)))


def _tagged(group: tuple[str, ...]) -> Any:
    """Whether a row has one of these tags."""
    return SQL(*database.obj.has_one("tags", group))
