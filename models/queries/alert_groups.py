"""The alerts that are open, or ended lately, to be counted by their groups: the newest of each, never all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import SQL

from models.database.base import database, rows
from models.tables.alert_group import TYPES
from models.tables.feedback import Feedback

MOST = 5_000  # alerts of a type and status that are read
MOST_COUNTED = 1_000  # that came while a group was muted
STANDING = ("open", "acknowledged")
_HAS_GROUP = SQL("alert_group IS NOT NULL")
# Of ten thousand alerts each column counts: JSON is left as its text.
_BOTH = ("id", "alert_group", "title", "first_seen_at", "last_seen_at", "received_at", "updated_at")
_ENDED = (*_BOTH, "state_key")
_STANDING = (*_BOTH, "status", "impact_reasons", "subject", "tags")


def standing(workspace_id: str, project_id: str | None) -> tuple[list[dict[str, Any]], bool]:
    """The alerts that are not over, the newest of each type and status, and whether that is all of them."""
    found, complete = list[dict[str, Any]](), True
    for kind in TYPES:
        for status in STANDING:
            mine = _mine(workspace_id, project_id, _STANDING).where(
                SQL("type <> 'message'"), Feedback.type == kind, Feedback.status == status, _HAS_GROUP
            )
            some = database.obj.through(mine, "feedback_type")
            part = _read(
                some.order_by(Feedback.received_at.desc(), Feedback.id.desc()).limit(MOST), _STANDING
            )
            complete &= len(part) < MOST
            found += part
    return found, complete


def ended(workspace_id: str, project_id: str | None, since: int) -> tuple[list[dict[str, Any]], bool]:
    """The alerts that were resolved since a time, milliseconds UTC, and whether that is all of them."""
    over = _mine(workspace_id, project_id, _ENDED).where(
        _HAS_GROUP,
        SQL("resolved_at IS NOT NULL"),
        Feedback.resolved_at >= since,
        Feedback.status == "resolved",
    )
    some = database.obj.through(over, "feedback_alert_ended")
    found = _read(some.order_by(Feedback.resolved_at.desc()).limit(MOST), _ENDED)
    return found, len(found) < MOST


def came(
    workspace_id: str, project_id: str | None, group: str, since: int, until: int, most: int = MOST_COUNTED
) -> int:
    """How many alerts of a group came from a time to another, `most` at most; milliseconds UTC."""
    mine = _group(workspace_id, project_id, group)
    mine = mine.where(Feedback.received_at >= since, Feedback.received_at < until)
    return int(database.obj.through(mine, "feedback_alert_group").limit(most).count())


def nth_of(workspace_id: str, project_id: str | None, group: str, since: int, number: int) -> int:
    """When the alert of a group came that has so many before it since a time; milliseconds UTC.

    The time itself where there are not that many any more.
    """
    mine = _group(workspace_id, project_id, group).where(Feedback.received_at >= since)
    some = database.obj.through(mine, "feedback_alert_group").order_by(Feedback.received_at, Feedback.id)
    found = rows(some.offset(number).limit(1))
    return int(found[0]["received_at"]) if found else since


def newest_of(workspace_id: str, project_id: str | None, group: str) -> int | None:
    """When the newest alert of a group came, in milliseconds UTC; None when there is no such group."""
    mine = _group(workspace_id, project_id, group).order_by(Feedback.received_at.desc(), Feedback.id.desc())
    found = rows(database.obj.through(mine, "feedback_alert_group").limit(1))
    return found[0]["received_at"] if found else None


def _group(workspace_id: str, project_id: str | None, group: str) -> Any:
    found = Feedback.select(Feedback.id, Feedback.received_at).where(Feedback.workspace_id == workspace_id)
    found = found.where(Feedback.alert_group == group)
    return found if project_id is None else found.where(Feedback.project_id == project_id)


def _mine(workspace_id: str, project_id: str | None, columns: Sequence[str]) -> Any:
    found = Feedback.select(*(getattr(Feedback, name) for name in columns))
    found = found.where(Feedback.workspace_id == workspace_id)
    return found if project_id is None else found.where(Feedback.project_id == project_id)


def _read(query: Any, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows by column as they are stored."""
    return [dict(zip(columns, row, strict=True)) for row in database.execute(query).fetchall()]
