"""What a project keeps no longer: records, raw payloads and held deliveries from before a time.

A record's age counts from when it was received or, when that is later, from its last occurrence. Senders
tell when something occurred, so a time to come counts no longer than the record's last change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from peewee import Tuple, fn

from models.database.base import locked, rows
from models.queries.selection import delete
from models.tables import asset
from models.tables.event import Event, EventKey
from models.tables.feedback import Feedback
from models.tables.quarantine import Quarantine
from models.tables.workspace import Project

Place = tuple[int, str]  # of a record in the order of its project: received_at and id
START: Place = (0, "")
PAGE = 500  # deliveries looked at together


def projects(workspace_id: str | None = None) -> list[dict[str, Any]]:
    """Projects that keep something for a time only, of every workspace when None is given."""
    limited = Project.retention_days.is_null(False) | Project.payload_retention_days.is_null(False)
    mine = limited if workspace_id is None else limited & (Project.workspace == workspace_id)
    return rows(Project.select().where(mine).order_by(Project.id))


def received(project: dict[str, Any], before: int, after: Place, limit: int) -> list[Place]:
    """The places of a project's records that were received before a time, the oldest ones after a place."""
    return [(row["received_at"], row["id"]) for row in rows(_received(project, before, after, limit))]


def expired(project: dict[str, Any], before: int, after: Place, limit: int) -> list[Place]:
    """Those of them that last occurred before that time, too."""
    found = _received(project, before, after, limit).where(_old(before))
    return [(row["received_at"], row["id"]) for row in rows(found)]


def of_project(project: dict[str, Any], most: int) -> tuple[int, int | None]:
    """How many records a project has, `most` at most, and when the oldest was received."""
    mine = (Feedback.workspace_id == project["workspace"]) & (Feedback.project_id == project["id"])
    total = int(Feedback.select(Feedback.id).where(mine).limit(most).count())
    return total, Feedback.select(fn.MIN(Feedback.received_at)).where(mine).scalar()


def delete_records(ids: Sequence[str], before: int) -> tuple[int, int]:
    """Deletes those that are still expired, with all that hangs on them, within the open transaction.

    Keys they were sent with stay used. Says how many there were, and how many files they had.
    """
    found = Feedback.select(Feedback.id).where(Feedback.id.in_(ids), Feedback.received_at < before)
    gone = [row["id"] for row in rows(locked(found.where(_old(before)).order_by(Feedback.id)))]
    files = asset.count(gone)
    delete(gone)
    return len(gone), files


def with_payloads(ids: Sequence[str], before: int) -> Iterator[EventKey]:
    """The deliveries of these records from before a time that have raw payloads, read some at a time."""
    for row in rows(Event.select(Event.feedback).where(_payloads(ids, before)).distinct()):
        after = ""
        found = (
            Event.select(Event.id).where(_payloads([row["feedback"]], before)).order_by(Event.id).limit(PAGE)
        )
        while page := rows(found.where(Event.id > after)):
            after = page[-1]["id"]
            yield from ((row["feedback"], delivery["id"]) for delivery in page)


def count_payloads(ids: Sequence[str], before: int) -> int:
    """How many such deliveries there are."""
    return int(Event.select().where(_payloads(ids, before)).count())


def held(project: dict[str, Any], before_id: str, limit: int | None = None) -> list[str]:
    """Deliveries in quarantine with ids before this one, replayed ones too."""
    mine = (Quarantine.workspace_id == project["workspace"]) & (Quarantine.project_id == project["id"])
    found = Quarantine.select(Quarantine.id).where(mine & (Quarantine.id < before_id))
    return [row["id"] for row in rows(found.order_by(Quarantine.id).limit(limit))]


def delete_held(ids: Sequence[str]) -> int:
    """Deletes deliveries in quarantine within the open transaction and says how many there were."""
    return int(Quarantine.delete().where(Quarantine.id.in_(ids)).execute())


def _received(project: dict[str, Any], before: int, after: Place, limit: int) -> Any:
    mine = (Feedback.workspace_id == project["workspace"]) & (Feedback.project_id == project["id"])
    place = Tuple(Feedback.received_at, Feedback.id)
    found = Feedback.select(Feedback.received_at, Feedback.id).where(
        mine, Feedback.received_at < before, place > Tuple(*after)
    )
    return found.order_by(Feedback.received_at, Feedback.id).limit(limit)


def _old(before: int) -> Any:
    return (Feedback.last_seen_at < before) | (Feedback.updated_at < before)


def _payloads(ids: Sequence[str], before: int) -> Any:
    return Event.feedback.in_(ids) & (Event.at < before) & Event.payload.is_null(False)
