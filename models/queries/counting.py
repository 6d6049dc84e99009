"""How many records a filter means, counted no further than anybody reads: many are "999+"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from peewee import SQL, fn

from models.database.base import database
from models.queries import partial_indexes, priority
from models.queries.feedback_query import MERGED_OF, WITH, Filter, conditions, narrowed
from models.tables.feedback import Feedback

MOST = 999  # that are counted; of more it is known that there are more
LOOKED_AT = 100_000  # of the newest records, where no index leads to those that are meant
_ALONE = {"status": "feedback_status", "source": "feedback_source"}
_OLDEST = SQL("(SELECT at FROM oldest)")


@dataclass(frozen=True, slots=True)
class Count:
    """So many records, or `more` than that."""

    number: int
    more: bool = False


def any_record(workspace_id: str) -> bool:
    """Whether a workspace has a record."""
    mine: Any = Feedback.select(SQL("1")).where(Feedback.workspace_id == workspace_id)
    return bool(database.obj.through(mine, "feedback_list").limit(1).tuples().first())


def any_merged(workspace_id: str) -> bool:
    """Whether any record of a workspace is merged into another one."""
    merged: Any = Feedback.select(SQL("1")).where(Feedback.workspace_id == workspace_id)
    merged = merged.where(Feedback.merged_into.is_null(False))
    return bool(database.obj.through(merged, MERGED_OF).limit(1).tuples().first())


def plain(chosen: Filter) -> Filter:
    """A filter as it is counted from indexes alone in a workspace without a merged record."""
    return chosen if chosen.merged or chosen.merged_into else replace(chosen, merged=WITH)


def count(workspace_id: str, project_id: str | None, chosen: Filter) -> Count:
    """How many records a filter means, up to MOST, found with the least work."""
    if _indexes(project_id, chosen) is None and _names_few(chosen):
        some = narrowed(_meant(workspace_id, project_id, chosen), workspace_id, project_id, chosen)
        counted: Any = Feedback.select(fn.COUNT(SQL("1"))).from_(some.limit(MOST + 1).alias("met"))
        ((number,),) = counted.tuples()
        return _told(number)
    return counts(workspace_id, project_id, [chosen])[0]


def counts(workspace_id: str, project_id: str | None, every: Sequence[Filter]) -> list[Count]:
    """How many records each filter means, up to MOST of each, by one statement.

    Where no index leads to them, they are looked for among the LOOKED_AT newest of the workspace.
    """
    asked, values = [], list[Any]()
    old, given = _oldest(workspace_id).sql()
    values += given
    indexed = []
    for chosen in every:
        parts = []
        for index, part in _parts(workspace_id, project_id, chosen):
            sql, given = database.obj.through(part, index).limit(MOST + 1).sql()
            parts.append(f"(SELECT COUNT(*) FROM ({sql}) AS met)")
            values += given
        asked.append(" + ".join(parts))
        indexed.append(_indexes(project_id, chosen) is not None)
    known = f"WITH oldest (at) AS MATERIALIZED (SELECT COALESCE(({old}), 0))"
    *numbers, at = database.execute_sql(
        f"{known} SELECT {', '.join(asked)}, at FROM oldest", values
    ).fetchone()
    return [_told(number, at > 0 and not has) for number, has in zip(numbers, indexed, strict=True)]


def _told(number: int, more: bool = False) -> Count:
    return Count(min(number, MOST), number > MOST or more)


def _meant(workspace_id: str, project_id: str | None, chosen: Filter) -> Any:
    return Feedback.select(SQL("1")).where(*conditions(workspace_id, project_id, chosen))


def _oldest(workspace_id: str) -> Any:
    """When the oldest came of those that are looked at, milliseconds UTC; nothing where there are fewer."""
    times: Any = Feedback.select(Feedback.received_at).where(Feedback.workspace_id == workspace_id)
    times = database.obj.through(times, "feedback_list").order_by(Feedback.received_at.desc())
    return times.limit(1).offset(LOOKED_AT)


def _parts(workspace_id: str, project_id: str | None, chosen: Filter) -> list[tuple[str, Any]]:
    """What is counted for a filter, no record twice: queries, and the indexes that they read."""
    indexes = _indexes(project_id, chosen)
    some = _meant(workspace_id, project_id, chosen)
    if indexes is None:
        return [("feedback_list", some.where(Feedback.received_at >= _OLDEST))]
    if chosen.priority != priority.HIGH:
        return [(indexes[0], some)]
    plain = _meant(workspace_id, project_id, replace(chosen, priority=None))
    known = SQL("type <> 'message'"), Feedback.type.in_(priority.MACHINES)  # as its index says it
    return [
        ("feedback_impact", plain.where(Feedback.impact >= priority.LEAST)),
        ("feedback_type", some.where(*known, Feedback.impact < priority.LEAST)),
    ]


def _indexes(project_id: str | None, chosen: Filter) -> tuple[str, ...] | None:
    """The indexes that have little but the records that a filter means, where there are such."""
    given = {item.name for item in fields(chosen) if getattr(chosen, item.name) != item.default}
    given -= {"time", "merged"}
    if project_id is not None:
        return None
    if len(given) == 1 and given <= _ALONE.keys() and len(getattr(chosen, *given)) == 1:
        return (_ALONE[given.pop()],)
    if given <= {"type", "status"} and partial_indexes.unusual(chosen, "type"):
        return ("feedback_type",)
    if given <= {"any_confidence_below", "status"} and "feedback_doubtful" in partial_indexes.less_sure(
        chosen
    ):
        return ("feedback_doubtful",)
    if given <= {"priority", "status"} and chosen.priority == priority.HIGH:
        return "feedback_impact", "feedback_type"
    return None


def _names_few(chosen: Filter) -> bool:
    """Whether a filter may name what few records have, by which they are found."""
    others = {
        "category",
        "sentiment",
        "language",
        "status",
        "project",
        "without_tags",
        "replied",
        "time",
        "merged",
    }
    given = {item.name for item in fields(chosen) if getattr(chosen, item.name) != item.default}
    return not given <= {*others, "max_impact"}
