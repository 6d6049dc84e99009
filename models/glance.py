"""What an overview adds to the numbers: the pages that the newest records are about."""

from __future__ import annotations

from peewee import SQL, fn

from models.base import database, rows
from models.feedback import Feedback
from models.order import NEWEST, ordered
from models.reading import Filter, conditions


def pages(workspace_id: str, chosen: Filter, *, newest: int, limit: int) -> list[tuple[str, int]]:
    """The pages that the newest of the records that a filter means are about, the most frequent first."""
    page, url = (database.obj.member("subject", name) for name in ("page", "url"))
    named = SQL(f"COALESCE(NULLIF({page}, ''), {url})").alias("page")
    found = Feedback.select(named).where(*conditions(workspace_id, None, chosen))
    some = ordered(database.obj.through(found, "feedback_list"), NEWEST, None).limit(newest)
    counted = Feedback.select(SQL("page"), fn.COUNT(SQL("1")).alias("records")).from_(some.alias("some"))
    counted = counted.where(SQL("page <> ''")).group_by(SQL("page"))
    most = counted.order_by(SQL("records").desc(), SQL("page")).limit(limit)
    return [(row["page"], row["records"]) for row in rows(most)]
