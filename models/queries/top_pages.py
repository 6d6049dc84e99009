"""What an overview adds to the numbers: the pages that the newest records are about, and all sources."""

from __future__ import annotations

from peewee import SQL, Select, fn

from models.database.base import database, rows
from models.queries.feedback_query import Filter, conditions
from models.queries.ordering import INDEXES, NEWEST_BY, ordered
from models.tables.feedback import Feedback


def pages(workspace_id: str, chosen: Filter, *, newest: int, limit: int) -> list[tuple[str, int]]:
    """The pages that the newest of the records that a filter means are about, the most frequent first."""
    page, url = (database.obj.member("subject", name) for name in ("page", "url"))
    named = SQL(f"COALESCE(NULLIF({page}, ''), {url})").alias("page")
    found = Feedback.select(named).where(*conditions(workspace_id, None, chosen))
    sort = NEWEST_BY[chosen.time]
    some = ordered(database.obj.through(found, INDEXES.get(sort, "feedback_list")), sort, None).limit(newest)
    counted = Feedback.select(SQL("page"), fn.COUNT(SQL("1")).alias("records")).from_(some.alias("some"))
    counted = counted.where(SQL("page <> ''")).group_by(SQL("page"))
    most = counted.order_by(SQL("records").desc(), SQL("page")).limit(limit)
    return [(row["page"], row["records"]) for row in rows(most)]


def sources(workspace_id: str) -> list[str]:
    """What a workspace's records are filed under, each read as one entry of an index."""
    mine, after = Feedback.workspace_id == workspace_id, Feedback.source
    known = Feedback.select(fn.MIN(Feedback.source)).where(mine).cte("known", True, ("source",))
    following = Feedback.select(fn.MIN(after)).where(mine & (after > known.c.source))
    every = known.union_all(Select((known,), (following,)).where(known.c.source.is_null(False)))
    found = every.select_from(every.c.source).where(every.c.source.is_null(False))
    return [row["source"] for row in rows(found)]
