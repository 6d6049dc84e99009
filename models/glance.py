"""What an overview adds to the numbers of the API: how impact is spread, and the pages of the newest."""

from __future__ import annotations

from peewee import SQL, fn

from models.base import database, rows
from models.feedback import Feedback
from models.order import NEWEST, ordered
from models.reading import Filter, conditions


def by_impact(workspace_id: str, chosen: Filter) -> dict[int, int]:
    """How many of the records that a filter means have each impact."""
    counted = Feedback.select(Feedback.impact, fn.COUNT(SQL("1")).alias("records"))
    # Each impact by name, so that its records of the period are next to each other in the index.
    found = counted.where(Feedback.impact.in_(list(range(15))), *conditions(workspace_id, None, chosen))
    return {row["impact"]: row["records"] for row in rows(found.group_by(Feedback.impact))}


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
