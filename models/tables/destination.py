"""Where a workspace has its changes told, and how that goes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from peewee import BigIntegerField, BooleanField, TextField

from models.database.base import JSONText, Table, database, dumps, first, insert, locked, rows

# What an admin sets.
SET = (
    "id",
    "name",
    "url",
    "secrets",
    "headers",
    "filter",
    "events",
    "thin",
    "ordered",
    "subscription",
    "state",
)
ENABLED, PAUSED, DISABLED = STATES = ("enabled", "paused", "disabled")


class Destination(Table):
    """A destination of some kind. Times are milliseconds UTC.

    `url`, `headers` (a JSON object) and each of the `secrets`, kept as a hook's (models.tables.hook), are
    sealed. `filter` is a list's query string. A `thin` one is told ids alone. `reason` says why it is
    disabled. `ordered` means that each waits for the one before. `subscription` says when people are told:
    all of up to `told_at` was, and what waits will be at `tell_at`, if that is set. `alarms` is when each was
    raised last, by what it is about.
    Nothing is sent before `resume_at`. `enabled_at`, `succeeded_at` and `failing_since` (the first failure
    since the last success) are what decides whether it is given up.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField()
    project_id = TextField(null=True)
    kind = TextField()
    name = TextField()
    url = TextField()
    secrets = JSONText()
    headers = TextField()
    filter = TextField()  # type: ignore[assignment]  # in place of peewee's method of that name
    events = JSONText()
    thin = BooleanField()
    ordered = BooleanField()
    subscription = JSONText()
    told_at = BigIntegerField()
    tell_at = BigIntegerField(null=True)
    alarms = JSONText()
    state = TextField()
    reason = TextField(null=True)
    resume_at = BigIntegerField()
    enabled_at = BigIntegerField()
    succeeded_at = BigIntegerField(null=True)
    failing_since = BigIntegerField(null=True)
    created_at = BigIntegerField()


def add(row: Mapping[str, Any]) -> None:
    """Stores a new destination, enabled, within the open transaction."""
    new = {
        "ordered": False,
        "subscription": {},
        "told_at": 0,
        "tell_at": None,
        "alarms": {},
        "state": ENABLED,
        "reason": None,
        "resume_at": 0,
        "enabled_at": row["created_at"],
    }
    insert(Destination, {**new, "succeeded_at": None, "failing_since": None, **row})


def find(
    workspace_id: str | None, project_id: str | None, destination_id: str, *, to_change: bool = False
) -> dict[str, Any] | None:
    """One destination of this workspace and, when given, of this project; None as a workspace is any."""
    found = _mine(workspace_id, project_id).where(Destination.id == destination_id)
    return first(locked(found) if to_change else found)


def version(row: Mapping[str, Any]) -> str:
    """A word for what an admin has set of a destination: another one after every change of that."""
    state = dumps([row[name] for name in SET])
    return hashlib.blake2b(state.encode("utf-8", "replace"), digest_size=12).hexdigest()


def list_page(
    workspace_id: str | None, project_id: str | None, *, after: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """The destinations, the oldest first, with ids behind `after`."""
    found = _mine(workspace_id, project_id)
    found = found if after is None else found.where(Destination.id > after)
    return rows(found.order_by(Destination.id).limit(limit))


def of_workspaces(ids: Sequence[str]) -> list[dict[str, Any]]:
    """All destinations of these workspaces."""
    return rows(Destination.select().where(Destination.workspace_id.in_(list(ids))).order_by(Destination.id))


def ailing(workspace_id: str, since: int) -> list[dict[str, Any]]:
    """A workspace's destinations that were given up, or have been failing since then or before."""
    failing = (Destination.state == ENABLED) & (Destination.failing_since <= since)
    found = _mine(workspace_id, None).where((Destination.state == DISABLED) | failing)
    return rows(found.order_by(Destination.id))


def change(destination_id: str, columns: Mapping[str, Any]) -> None:
    """Sets columns within the open transaction."""
    Destination.update(dict(columns)).where(Destination.id == destination_id).execute()


def delete(destination_id: str) -> None:
    """Deletes a destination with its deliveries within the open transaction."""
    Destination.delete().where(Destination.id == destination_id).execute()


def any_at_all() -> bool:
    """Whether there is any destination; False where the schema has none of these yet."""
    return database.table_exists("destination") and bool(Destination.select().exists())


def _mine(workspace_id: str | None, project_id: str | None) -> Any:
    found = Destination.select()
    if workspace_id is not None:
        found = found.where(Destination.workspace_id == workspace_id)
    return found if project_id is None else found.where(Destination.project_id == project_id)
