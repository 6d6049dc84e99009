"""How many records a filter means, counted no further than anybody reads: many are "999+"."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from peewee import SQL, fn

from models.database.base import database
from models.queries.feedback_query import Filter, conditions, narrowed
from models.tables.feedback import Feedback

MOST = 999  # that are counted; of more it is known that there are more
LOOKED_AT = 100_000  # of the newest records, where no index leads to those that are meant
_ALONE = {"status": "feedback_status", "source": "feedback_source"}


@dataclass(frozen=True, slots=True)
class Count:
    """So many records, or `more` than that."""

    number: int
    more: bool = False


def oldest_looked_at(workspace_id: str) -> int:
    """When the oldest of the LOOKED_AT newest records came, milliseconds UTC; 0 when there are fewer."""
    times: Any = Feedback.select(Feedback.received_at).where(Feedback.workspace_id == workspace_id)
    times = database.obj.through(times, "feedback_list").order_by(Feedback.received_at.desc())
    found = times.limit(1).offset(LOOKED_AT).tuples().first()
    return int(found[0]) if found else 0


def count(workspace_id: str, project_id: str | None, chosen: Filter, *, oldest: int = 0) -> Count:
    """How many records a filter means, up to MOST.

    Where they are looked for one by one, those received before `oldest` are not; then there may be more.
    """
    some: Any = Feedback.select(SQL("1")).where(*conditions(workspace_id, project_id, chosen))
    index = _index(project_id, chosen)
    if index is None and oldest:
        some = some.where(Feedback.received_at >= oldest)
    if index is None:
        some = narrowed(some, workspace_id, project_id, chosen)
    else:
        some = database.obj.through(some, index)
    counted: Any = Feedback.select(fn.COUNT(SQL("1"))).from_(some.limit(MOST + 1).alias("some"))
    ((number,),) = counted.tuples()
    return Count(min(number, MOST), number > MOST or (index is None and oldest > 0))


def _index(project_id: str | None, chosen: Filter) -> str | None:
    """The index that has just the records that a filter means, where there is one."""
    given = {item.name for item in fields(chosen) if getattr(chosen, item.name) != item.default}
    one = {name for name in given if len(getattr(chosen, name)) == 1} if given <= {*_ALONE, "type"} else set()
    if project_id is None and len(given) == 1 and one <= _ALONE.keys() and one:
        return _ALONE[one.pop()]
    if given == one == {"type", "status"} and chosen.type != ("message",):
        return "feedback_type"
    return None
