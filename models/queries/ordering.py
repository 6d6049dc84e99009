"""The orders of a list, and places in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import SQL, Tuple

from models.database.base import database
from models.tables.feedback import Feedback

# How a list is sorted: the columns that decide, and whether the largest comes first.
SORTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "-received_at": (("received_at", "id"), True),
    "received_at": (("received_at", "id"), False),
    "-impact": (("impact", "received_at", "id"), True),
    "impact": (("impact", "received_at", "id"), False),
    "-doubt": (("doubt", "received_at", "id"), True),
    "doubt": (("doubt", "received_at", "id"), False),
}
# The index that has the order of a sort that is not by time.
INDEXES = {
    "-impact": "feedback_impact",
    "impact": "feedback_impact",
    "-doubt": "feedback_doubt",
    "doubt": "feedback_doubt",
}
NEWEST = "-received_at"
Position = Sequence[Any]  # of a row in a list: its values of the columns that decide


def reversed_sort(sort: str) -> str:
    """The same order from its other end."""
    return sort[1:] if sort.startswith("-") else f"-{sort}"


def ordered(found: Any, sort: str, after: Position | None) -> Any:
    """A query of `feedback` in one of the orders, beginning after a position."""
    names, falling = SORTS[sort]
    fields = [SQL(database.obj.DOUBT) if name == "doubt" else getattr(Feedback, name) for name in names]
    if after is not None:
        here, there = Tuple(*fields), Tuple(*after)
        found = found.where(here < there if falling else here > there)
    return found.order_by(*(field.desc() if falling else field for field in fields))
