"""The orders of a list, places in them, and the two times that lists and periods can go by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import SQL, Tuple

from models.database.base import database
from models.tables.feedback import Feedback

RECEIVED, OCCURRED = "received", "occurred"
TIMES = (RECEIVED, OCCURRED)
# How a list is sorted: the columns that decide, and whether the largest comes first.
SORTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "-received_at": (("received_at", "id"), True),
    "received_at": (("received_at", "id"), False),
    "-occurred_at": (("occurred", "id"), True),
    "occurred_at": (("occurred", "id"), False),
    "-impact": (("impact", "received_at", "id"), True),
    "-doubt": (("doubt", "received_at", "id"), True),
}
BY_OCCURRED = "feedback_occurred"
# The index that has the order of a sort that is not by when records came.
INDEXES = {
    "-occurred_at": BY_OCCURRED,
    "occurred_at": BY_OCCURRED,
    "-impact": "feedback_impact",
    "-doubt": "feedback_doubt",
}
NEWEST = "-received_at"
# By each time: the newest first, and the oldest.
NEWEST_BY = {RECEIVED: NEWEST, OCCURRED: "-occurred_at"}
OLDEST_BY = {RECEIVED: "received_at", OCCURRED: "occurred_at"}
_TIME_OF = {sort: time for by in (NEWEST_BY, OLDEST_BY) for time, sort in by.items()}
Position = Sequence[Any]  # of a row in a list: its values of the columns that decide


def time_of(sort: str) -> str | None:
    """Which of TIMES a sort goes by, or None where it is no order of time."""
    return _TIME_OF.get(sort)


def moment(time: str) -> Any:
    """The column of one of TIMES. What has no time of its own occurred when it was received."""
    return Feedback.received_at if time == RECEIVED else SQL(database.obj.OCCURRED)


def ordered(found: Any, sort: str, after: Position | None) -> Any:
    """A query of `feedback` in one of the orders, beginning after a position."""
    names, falling = SORTS[sort]
    fields = [_column(name) for name in names]
    if after is not None:
        here, there = Tuple(*fields), Tuple(*after)
        found = found.where(here < there if falling else here > there)
    return found.order_by(*(field.desc() if falling else field for field in fields))


def _column(name: str) -> Any:
    made = {"doubt": database.obj.DOUBT, "occurred": database.obj.OCCURRED}
    return SQL(made[name]) if name in made else getattr(Feedback, name)
