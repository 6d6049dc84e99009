"""Changes that destinations are still to be told of, each noted in the transaction that makes it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from peewee import BigIntegerField, TextField

from models.database.base import AT_ONCE, JSONText, Table, database, dumps, rows
from models.tables.destination import Destination
from models.tables.feedback import Feedback

FRESH = 3.0  # seconds that a process believes what it has read of who listens
COLUMNS = (
    "id",
    "type",
    "workspace_id",
    "project_id",
    "feedback_id",
    "event_id",
    "destination_id",
    "at",
    "data",
)

CREATED, UPDATED, RELABELLED = "feedback.created", "feedback.updated", "feedback.relabelled"
STATUS_CHANGED, TAGGED, NOTED = "feedback.status_changed", "feedback.tagged", "feedback.noted"
ASSIGNED, SNOOZED, WOKEN = "feedback.assigned", "feedback.snoozed", "feedback.woken"
REPLIED = "feedback.replied"
MERGED, UNMERGED = "feedback.merged", "feedback.unmerged"
RETRACTED, DELETED, ERASED = "feedback.retracted", "feedback.deleted", "feedback.erased"
DISABLED, TEST = "destination.disabled", "destination.test"
HELD, EXPIRING = "quarantine.held", "key.expiring"
COMPLETED, FAILED = "run.completed", "run.failed"
SPIKE, SILENT = ALARMS = ("spike.started", "hook.silent")  # raised for each who listens: noted for nobody
RECORDS = (
    *(CREATED, UPDATED, RELABELLED, STATUS_CHANGED, TAGGED, NOTED, ASSIGNED, SNOOZED, WOKEN),
    *(REPLIED, MERGED, UNMERGED, RETRACTED, DELETED, ERASED),
)
GONE = (DELETED, ERASED)  # told by the record's id alone
TYPES = (*RECORDS, HELD, COMPLETED, FAILED, EXPIRING, *ALARMS, DISABLED, TEST)


class Outbox(Table):
    """A change that waits to be made deliveries of, which takes it away. `at` is milliseconds UTC.

    `feedback_id` is the record, as it stands then; `event_id` is what tells of the change in its history.
    `destination_id` is what a `destination.disabled` is about, and to whom a `destination.test` goes. `data`
    is what is told of a change that is of no record: ids and words of ours, nothing of a person's.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField()
    project_id = TextField(null=True)
    type = TextField()
    feedback_id = TextField(null=True)
    event_id = TextField(null=True)
    destination_id = TextField(null=True)
    at = BigIntegerField()
    data = JSONText(null=True)


class _Listeners:
    """Who listens to what, as it was a moment ago."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._types: dict[str, frozenset[str]] = {}
        self._until, self._database = 0.0, None

    def types(self, workspace_id: str) -> frozenset[str]:
        """What one of a workspace's destinations is told."""
        return self._known().get(workspace_id, _NOTHING)

    def anybody(self, kind: str) -> bool:
        """Whether any destination of any workspace is told this."""
        return any(kind in types for types in self._known().values())

    def _known(self) -> dict[str, frozenset[str]]:
        if time.monotonic() >= self._until or self._database is not database.obj:
            found: dict[str, frozenset[str]] = {}
            for row in rows(Destination.select(Destination.workspace_id, Destination.events)):
                found[row["workspace_id"]] = found.get(row["workspace_id"], frozenset()).union(row["events"])
            self._types, self._database, self._until = found, database.obj, time.monotonic() + FRESH
        return self._types


_NOTHING: frozenset[str] = frozenset()
_listeners = _Listeners()
forget_listeners = _listeners.forget


def listens(workspace_id: str, kind: str) -> bool:
    """Whether a workspace has a destination for this type of change, as of FRESH seconds ago at most."""
    return kind in _listeners.types(workspace_id)


def note(kind: str, row: Mapping[str, Any], at: int, event_id: str | None = None) -> None:
    """Notes a record's change within the open transaction that makes it, if anybody listens."""
    if kind in _listeners.types(row["workspace_id"]):
        _add([_noted(kind, row["workspace_id"], row["project_id"], row["id"], event_id, None, at, None)])


def note_all(changes: Iterable[tuple[str, Mapping[str, Any], int, str | None]]) -> None:
    """Notes many, each as `note` is given it, with few statements."""
    _add(
        [
            _noted(kind, row["workspace_id"], row["project_id"], row["id"], event_id, None, at, None)
            for kind, row, at, event_id in changes
            if kind in _listeners.types(row["workspace_id"])
        ]
    )


def note_ids(kind: str, ids: Sequence[str]) -> None:
    """Notes what happens now to records of which only the ids are known, before they are deleted."""
    if not ids or not _listeners.anybody(kind):
        return
    columns = (Feedback.id, Feedback.workspace_id, Feedback.project_id)
    found = rows(Feedback.select(*columns).where(Feedback.id.in_(list(ids))).order_by(Feedback.id))
    now = time.time_ns() // 1_000_000
    note_all((kind, row, now, None) for row in found)


def note_destination(kind: str, row: Mapping[str, Any], at: int) -> None:
    """Notes what concerns a destination itself, whoever listens."""
    _add([_noted(kind, row["workspace_id"], row["project_id"], None, None, row["id"], at, None)])


def note_other(
    kind: str, workspace_id: str, project_id: str | None, data: Mapping[str, Any], at: int
) -> None:
    """Notes a change that is of no record within the open transaction that makes it, if anybody listens."""
    if kind in _listeners.types(workspace_id):
        _add([_noted(kind, workspace_id, project_id, None, None, None, at, dumps(data))])


def any_waiting() -> bool:
    """Whether there is anything to make deliveries of."""
    return bool(Outbox.select().exists())


def take(limit: int) -> list[dict[str, Any]]:
    """Takes away some of what waits, the oldest first, within the open transaction.

    By what is there, not by a number that grows: a smaller one may be committed later. What another process
    is taking is left to it.
    """
    oldest = Outbox.select().order_by(Outbox.id).limit(limit)
    found = rows(database.obj.free(oldest))
    for start in range(0, len(found), AT_ONCE):
        Outbox.delete().where(Outbox.id.in_([row["id"] for row in found[start : start + AT_ONCE]])).execute()
    return found


def _noted(*values: Any) -> tuple[Any, ...]:
    # Ids that sort as they were made, in one process at least, and come twice in none.
    return (f"{time.time_ns():016x}{os.urandom(6).hex()}", *values)


def _add(noted: list[tuple[Any, ...]]) -> None:
    names = ", ".join(COLUMNS)
    for start in range(0, len(noted), AT_ONCE):
        some = noted[start : start + AT_ONCE]
        marks = ", ".join([f"({', '.join('?' * len(COLUMNS))})"] * len(some))
        database.execute_sql(f"INSERT INTO outbox ({names}) VALUES {marks}", list(chain.from_iterable(some)))
