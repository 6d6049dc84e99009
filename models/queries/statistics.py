"""Counts and means of the records that a filter means, by any of their labels and by time.

What is counted by day already (models.tables.daily_count) is summed; the rest is counted where it lies: the
ends of a period that are no whole days, hours, and filters that the rollup knows nothing of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from peewee import OP, SQL, Expression, fn

from models.queries.feedback_query import ANY_OF, Filter, conditions, narrowed
from models.queries.ordering import INDEXES, NEWEST_BY, OCCURRED, moment
from models.tables.daily_count import DAY, LEVELS, OccurredRollup, Rollup
from models.tables.feedback import Feedback

HOUR = 3_600_000  # milliseconds
TIMES = {"day": DAY, "hour": HOUR}
DIMENSIONS = (*TIMES, *ANY_OF, "topic")
# What is counted by day, among it.
ROLLED = {name: column for name, column in ANY_OF.items() if not name.endswith("_origin")}
_NEVER = 2**62


@dataclass(slots=True)
class Sums:
    """Records counted together: how many, and the sums of impact and of sentiment_score in millionths."""

    records: int = 0
    impact: int = 0
    score: int = 0

    def add(self, records: int, impact: int, score: int) -> None:
        self.records += records
        self.impact += impact
        self.score += score


def sums(
    workspace_id: str, project_id: str | None, chosen: Filter, by: Sequence[str]
) -> dict[tuple[Any, ...], Sums]:
    """The sums of each group, by the values of the dimensions in `by`, in their order.

    Times are milliseconds UTC at which a day or an hour begins; an unknown language is None. Groups
    without a record are left out.
    """
    found: dict[tuple[Any, ...], Sums] = {}
    for query in _queries(workspace_id, project_id, chosen, by):
        for *group, records, impact, score in query.tuples():
            found.setdefault(tuple(group), Sums()).add(int(records or 0), int(impact or 0), int(score or 0))
    if "language" in by:
        place = list(by).index("language")
        found = {(*key[:place], key[place] or None, *key[place + 1 :]): value for key, value in found.items()}
    known = {key: value for key, value in found.items() if value.records}
    return dict(sorted(known.items(), key=lambda item: [(part is None, part) for part in item[0]]))


def impacts(workspace_id: str, project_id: str | None, chosen: Filter) -> list[int]:
    """How many of the records that a filter means have each impact, from 0 on."""
    found = [0] * len(LEVELS)
    for part in _parts(chosen):
        if isinstance(part, Filter):
            each: Any = Feedback.select(Feedback.impact, fn.COUNT(SQL("1")))
            # Each impact by name, so that its records of the period are next to each other in the index.
            named = Feedback.impact.in_(list(range(len(LEVELS))))
            query = each.where(named, *conditions(workspace_id, project_id, part))
            index = INDEXES.get(NEWEST_BY[part.time], "feedback_impact")
            query = narrowed(query, workspace_id, project_id, part, index=index)
            for impact, records in query.group_by(Feedback.impact).tuples():
                found[impact] += records
        else:
            for table in _tables(chosen):
                days: Any = table.select(*(fn.SUM(SQL(name)) for name in LEVELS))
                (counted,) = days.where(*_days(table, workspace_id, project_id, chosen, part)).tuples()
                found = [one + int(other or 0) for one, other in zip(found, counted, strict=True)]
    return found


def _queries(workspace_id: str, project_id: str | None, chosen: Filter, by: Sequence[str]) -> Iterator[Any]:
    """What has to be asked: whole days of the rollup, and records."""
    for part in _parts(chosen, by):
        if isinstance(part, Filter):
            yield _counted(workspace_id, project_id, part, by)
        else:
            for table in _tables(chosen):
                yield _summed(table, workspace_id, project_id, chosen, by, part)


def _parts(chosen: Filter, by: Sequence[str] = ()) -> Iterator[range | Filter]:
    """The days whose counts say it, and what is to be counted from records: all of it by the hour."""
    plain = Filter(**{name: getattr(chosen, name) for name in (*ROLLED, "since", "until", "time")})
    since, until = chosen.since or 0, _NEVER if chosen.until is None else chosen.until
    days = range(-(-since // DAY), until // DAY)
    if chosen != plain or not days or not {*ROLLED, "day"}.issuperset(by):
        yield chosen
        return
    yield days
    if since < days.start * DAY:
        yield replace(chosen, until=days.start * DAY)
    if chosen.until is not None and days.stop * DAY < until:
        yield replace(chosen, since=days.stop * DAY)


def _counted(workspace_id: str, project_id: str | None, chosen: Filter, by: Sequence[str]) -> Any:
    """A query of `feedback`."""
    groups: list[Any] = []
    for name in by:
        if name in TIMES:
            groups.append(_begin(moment(chosen.time), TIMES[name]))
        else:
            column = getattr(Feedback, ANY_OF.get(name, name))
            groups.append(fn.COALESCE(column, "") if name == "language" else column)
    score = fn.ROUND(Feedback.sentiment_score * 1_000_000).cast("BIGINT")
    measured = (fn.COUNT(SQL("1")), fn.SUM(Feedback.impact), fn.SUM(score))
    query = Feedback.select(*groups, *measured).where(*conditions(workspace_id, project_id, chosen))
    query = narrowed(query, workspace_id, project_id, chosen)
    return query.group_by(*(SQL(str(place + 1)) for place in range(len(by)))) if by else query


def _begin(at: Any, length: int) -> Any:
    """SQL for when the day or hour of a time begins."""
    return Expression(Expression(at, OP.DIV, length), OP.MUL, length)  # of whole numbers


def _tables(chosen: Filter) -> tuple[type[Rollup], ...]:
    """What is counted by day: what came, and how that differs from what occurred."""
    return (Rollup, OccurredRollup) if chosen.time == OCCURRED else (Rollup,)


def _summed(
    table: type[Rollup],
    workspace_id: str,
    project_id: str | None,
    chosen: Filter,
    by: Sequence[str],
    days: range,
) -> Any:
    """A query of a rollup for some days."""
    groups = [table.day * DAY if name == "day" else getattr(table, ROLLED[name]) for name in by]
    measured = (fn.SUM(table.records), fn.SUM(table.impact), fn.SUM(table.score))
    query = table.select(*groups, *measured)
    query = query.where(*_days(table, workspace_id, project_id, chosen, days))
    return query.group_by(*(SQL(str(place + 1)) for place in range(len(by)))) if by else query


def _days(
    table: type[Rollup], workspace_id: str, project_id: str | None, chosen: Filter, days: range
) -> list[Any]:
    """Which rows of a rollup a filter means on some days."""
    found = [table.workspace_id == workspace_id, table.day >= days.start, table.day < days.stop]
    if project_id is not None:
        found.append(table.project_id == project_id)
    for name, column in ROLLED.items():
        if values := getattr(chosen, name):
            found.append(getattr(table, column).in_(values))
    return found
