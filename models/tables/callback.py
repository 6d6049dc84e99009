"""What tells the caller of a run that it has ended: each request, until it was taken or given up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from peewee import SQL, BigIntegerField, IntegerField, TextField

from models.database.base import JSONText, Table, database, first, insert, rows

WAITING, SENT, DEAD = STATES = ("waiting", "sent", "dead")


class Callback(Table):
    """A request that is sent until it is taken, with the same `body` each time. Times are milliseconds UTC.

    `attempt` is how often it was tried. `next_at` is when it is tried next while it is waiting. `status` is
    what the last try was answered, null when there was no answer, and `why` what was wrong with that.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField()
    run_id = TextField()
    url = TextField()
    host = TextField()
    event = TextField()
    body = TextField()
    state = TextField()
    attempt = IntegerField()
    next_at = BigIntegerField()
    status = IntegerField(null=True)
    why = TextField(null=True)
    created_at = BigIntegerField()


class CallbackSecret(Table):
    """What a workspace signs its callbacks with, as the secrets of a hook are kept (models.tables.hook)."""

    workspace_id = TextField(primary_key=True)
    secrets = JSONText()
    changed_at = BigIntegerField()


_WAITS = Callback.state == SQL("'waiting'")  # written out, as the index says it


def keep(row: Mapping[str, Any]) -> None:
    """Stores a new callback, to be sent at once, within the open transaction."""
    new = {"state": WAITING, "attempt": 0, "next_at": row["created_at"], "status": None, "why": None}
    insert(Callback, {**row, **new})


def due(now: int, limit: int, but: Iterable[str], hosts: Iterable[str]) -> list[dict[str, Any]]:
    """Callbacks whose time has come, the longest due first; none of these ids, and none to these hosts."""
    found = Callback.select().where(_WAITS & (Callback.next_at <= now))
    for column, values in ((Callback.id, [*but]), (Callback.host, [*hosts])):
        if values:
            found = found.where(column.not_in(values))
    return rows(found.order_by(Callback.next_at).limit(limit))


def next_due() -> int | None:
    """When the next callback is to be sent; None when none is waiting."""
    waiting = Callback.select(Callback.next_at).where(_WAITS)
    row = first(waiting.order_by(Callback.next_at).limit(1))
    return None if row is None else int(row["next_at"])


def tried(callback_id: str, attempt: int, changed: Mapping[str, Any]) -> None:
    """Notes what became of the try after `attempt` others, within the open transaction.

    Nothing happens when another process noted its own in the meantime.
    """
    known = (Callback.id == callback_id) & (Callback.attempt == attempt) & _WAITS
    Callback.update({**changed, "attempt": attempt + 1}).where(known).execute()


def newest(workspace_id: str, limit: int) -> list[dict[str, Any]]:
    """A workspace's callbacks, the newest first."""
    mine = Callback.select().where(Callback.workspace_id == workspace_id)
    return rows(mine.order_by(Callback.id.desc()).limit(limit))


def forget(before: str, limit: int) -> int:
    """Deletes some callbacks with ids below `before` within the open transaction, and says how many."""
    old = Callback.select(Callback.id).where(Callback.id < before).order_by(Callback.id).limit(limit)
    ids = [row["id"] for row in rows(old)]
    return int(Callback.delete().where(Callback.id.in_(ids)).execute()) if ids else 0


def secrets_of(workspace_id: str) -> dict[str, Any] | None:
    """A workspace's row of secrets, or None before it has any."""
    return first(CallbackSecret.select().where(CallbackSecret.workspace_id == workspace_id))


def keep_secrets(workspace_id: str, secrets: list[dict[str, Any]], now: int) -> None:
    """Sets a workspace's secrets within the open transaction."""
    row = {"workspace_id": workspace_id, "secrets": secrets, "changed_at": now}
    new = {CallbackSecret.secrets: secrets, CallbackSecret.changed_at: now}
    query = CallbackSecret.insert(row).on_conflict(conflict_target=[CallbackSecret.workspace_id], update=new)
    query.execute()


def any_secret() -> bool:
    """Whether any workspace has a secret; False where the schema has none of these yet."""
    return database.table_exists("callback_secret") and bool(CallbackSecret.select().exists())
