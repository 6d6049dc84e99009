"""Deliveries that proved their origin but could not be understood, kept raw until they are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peewee import BigIntegerField, BlobField, TextField, fn

from models.database.base import JSONText, Table, first, only, rows
from models.tables import outbox
from models.tables.feedback import iso


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
    before: str | None = None,
    replayed: bool = False,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """What is held, newest first, starting after the id `before`; of every workspace when None is given."""
    found = _held(Quarantine.select(), workspace_id, project_id, source, before, replayed)
    return rows(found.limit(limit) if limit is not None else found)


def sizes(
    workspace_id: str, project_id: str | None, *, source: str | None, before: str | None, limit: int
) -> list[int]:
    """The bytes of the payloads of what is held, as `held` gives it."""
    found = Quarantine.select(fn.LENGTH(Quarantine.payload).alias("size"))
    return [row["size"] for row in rows(_held(found, workspace_id, project_id, source, before).limit(limit))]


def _held(
    found: Any,
    workspace_id: str | None,
    project_id: str | None,
    source: str | None,
    before: str | None,
    replayed: bool = False,
) -> Any:
    found = found.order_by(Quarantine.id.desc())
    wanted = {Quarantine.workspace_id: workspace_id, Quarantine.project_id: project_id}
    found = only(found, {**wanted, Quarantine.source: source})
    if before is not None:
        found = found.where(Quarantine.id < before)
    if not replayed:
        found = found.where(Quarantine.replayed_at.is_null())
    return found


def one(quarantine_id: str) -> dict[str, Any] | None:
    """One held delivery, or None."""
    return first(Quarantine.select().where(Quarantine.id == quarantine_id))


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
