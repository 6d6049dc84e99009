"""Records that are put aside, and wake by themselves at a time or by a delivery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.database.base import database, rows, update
from models.tables import outbox, own_event
from models.tables.feedback import Feedback, told

TIME, DELIVERY = "time", "delivery"  # what wakes, as an event says it
COLUMNS = ("snoozed_until", "wakes_on_delivery")


def woken(known: Mapping[str, Any], changed: Mapping[str, Any], by: str, at: int) -> dict[str, Any]:
    """Columns to write to a record with those that wake it, which is told within the open transaction."""
    changes = {
        name: {"from": told(name, known[name]), "to": None} for name in COLUMNS if known[name] is not None
    }
    own_event.add("woken", known, {"changes": changes, "by": by}, at, outbox.WOKEN)
    return {**changed, **dict.fromkeys(COLUMNS)}


def wake(now: int, limit: int) -> int:
    """Wakes some records whose time has come, within the open transaction; how many."""
    due = Feedback.select().where(Feedback.snoozed_until <= now)
    due = database.obj.through(due, "feedback_waking").order_by(Feedback.snoozed_until, Feedback.id)
    found = rows(database.obj.free(due.limit(limit)))
    for row in found:
        columns = woken(row, {"updated_at": max(now, row["updated_at"] + 1)}, TIME, now)
        update(Feedback, row["id"], columns)
    return len(found)


def next_at() -> int | None:
    """When the next record wakes by its time, milliseconds UTC; None when none does."""
    first = Feedback.select(Feedback.snoozed_until).where(Feedback.snoozed_until.is_null(False))
    first = database.obj.through(first, "feedback_waking").order_by(Feedback.snoozed_until, Feedback.id)
    found: int | None = first.limit(1).scalar()
    return found
