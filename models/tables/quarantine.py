"""Deliveries that proved their origin but could not be understood, kept raw until they are replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peewee import BigIntegerField, BlobField, TextField, fn

from models.database.base import JSONText, Table, first, locked, only, rows
from models.tables import outbox
from models.tables.feedback import iso

MOST_COUNTED = 10_000  # of the newest, in groups
MOST_SHOWN = 1_000  # of a number in a menu


class Quarantine(Table):
    """One delivery as it came. `replayed_at` says when it was understood after all. Times are ms UTC."""

    id = TextField(primary_key=True)
    workspace_id = TextField()
    project_id = TextField()
    source = TextField()
    hook_id = TextField()
    reason = TextField()
    request = JSONText()
    payload = BlobField()
    received_at = BigIntegerField()
    replayed_at = BigIntegerField(null=True)


def note_held(row: Mapping[str, Any]) -> None:
    """Has whoever listens told that a delivery is held, within the open transaction."""
    data = {"quarantine_id": row["id"], "project_id": row["project_id"]}
    data |= {name: row[name] for name in ("source", "hook_id")}
    outbox.note_other(outbox.HELD, row["workspace_id"], row["project_id"], data, row["received_at"])


def held(
    workspace_id: str | None,
    project_id: str | None = None,
    *,
    source: str | None = None,
    reason: str | None = None,
    before: str | None = None,
    replayed: bool = False,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """What is held, newest first, starting after the id `before`; of every workspace when None is given."""
    found = _held(Quarantine.select(), workspace_id, project_id, source, reason, before, replayed)
    return rows(found.limit(limit) if limit is not None else found)


def sizes(
    workspace_id: str,
    project_id: str | None,
    *,
    source: str | None,
    reason: str | None = None,
    before: str | None,
    limit: int,
) -> list[int]:
    """The bytes of the payloads of what is held, as `held` gives it."""
    found = Quarantine.select(fn.LENGTH(Quarantine.payload).alias("size"))
    found = _held(found, workspace_id, project_id, source, reason, before)
    return [row["size"] for row in rows(found.limit(limit))]


def groups(workspace_id: str, project_id: str | None = None) -> list[dict[str, Any]]:
    """How many of the newest MOST_COUNTED that are held have the same source and reason, the newest first.

    Each has `source`, `reason`, `count`, when the `last` came (milliseconds UTC) and the id of the `newest`.
    """
    columns = (Quarantine.id, Quarantine.source, Quarantine.reason, Quarantine.received_at)
    some = _held(Quarantine.select(*columns), workspace_id, project_id, None, None, None)
    some = some.limit(MOST_COUNTED).alias("some")
    newest = fn.MAX(some.c.id)
    found = Quarantine.select(
        some.c.source,
        some.c.reason,
        fn.COUNT(some.c.id).alias("count"),
        fn.MAX(some.c.received_at).alias("last"),
        newest.alias("newest"),
    ).from_(some)
    return rows(found.group_by(some.c.source, some.c.reason).order_by(newest.desc()))


def waiting(workspace_id: str, project_id: str | None = None) -> int:
    """How many are held, MOST_SHOWN at most."""
    some = _held(Quarantine.select(Quarantine.id), workspace_id, project_id, None, None, None)
    return int(some.limit(MOST_SHOWN).count())


def next_of(
    workspace_id: str, project_id: str | None, source: str, reason: str | None, *, after: str | None
) -> dict[str, Any] | None:
    """The oldest that is held of a source and for a reason, if one is given, behind an id."""
    found = _held(Quarantine.select(), workspace_id, project_id, source, reason, None)
    found = found if after is None else found.where(Quarantine.id > after)
    return first(found.order_by(Quarantine.id).limit(1))


def ids_of(workspace_id: str, project_id: str | None, source: str, reason: str | None) -> list[str]:
    """The ids of the oldest MOST_COUNTED that are held of a source and for a reason, if one is given."""
    found = _held(Quarantine.select(Quarantine.id), workspace_id, project_id, source, reason, None)
    return [row["id"] for row in rows(found.order_by(Quarantine.id).limit(MOST_COUNTED))]


def _held(
    found: Any,
    workspace_id: str | None,
    project_id: str | None,
    source: str | None,
    reason: str | None,
    before: str | None,
    replayed: bool = False,
) -> Any:
    found = found.order_by(Quarantine.id.desc())
    wanted = {Quarantine.workspace_id: workspace_id, Quarantine.project_id: project_id}
    found = only(found, {**wanted, Quarantine.source: source, Quarantine.reason: reason})
    if before is not None:
        found = found.where(Quarantine.id < before)
    if not replayed:
        found = found.where(Quarantine.replayed_at.is_null())
    return found


def one(quarantine_id: str) -> dict[str, Any] | None:
    """One held delivery, or None."""
    return first(Quarantine.select().where(Quarantine.id == quarantine_id))


def is_kept(quarantine_id: str) -> bool:
    """Whether a delivery is still there, and is until the open transaction ends."""
    found = Quarantine.select(Quarantine.id).where(Quarantine.id == quarantine_id)
    return first(locked(found)) is not None


def note_replayed(quarantine_id: str, now: int) -> None:
    """Notes within the open transaction that all of a delivery was understood."""
    mine = (Quarantine.id == quarantine_id) & Quarantine.replayed_at.is_null()
    Quarantine.update(replayed_at=now).where(mine).execute()


def discard(ids: Sequence[str]) -> int:
    """Deletes those of these deliveries that are held still, within the open transaction; how many."""
    mine = Quarantine.id.in_(list(ids)) & Quarantine.replayed_at.is_null()
    return int(Quarantine.delete().where(mine).execute()) if ids else 0


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """A held delivery as the API shows it, its payload as text."""
    shown = {name: row[name] for name in ("id", "workspace_id", "project_id", "source", "hook_id", "reason")}
    return {
        **shown,
        "received_at": iso(row["received_at"]),
        "replayed_at": iso(row["replayed_at"]),
        "request": row["request"],
        "payload": bytes(row["payload"]).decode("utf-8", "replace"),
    }
