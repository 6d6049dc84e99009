"""The audit trail: what people and programs did to the gateway itself. Records have their own history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peewee import BigIntegerField, TextField

from models.database.base import JSONText, Table, rows
from models.tables.feedback import iso


class Audit(Table):
    """One act. `key_id` says whose, `target` the id of what it was done to. `at` is milliseconds UTC."""

    id = TextField(primary_key=True)
    workspace_id = TextField()
    at = BigIntegerField()
    key_id = TextField()
    action = TextField()
    target = TextField()
    detail = JSONText()


def newest(workspace_id: str, *, before: str | None, limit: int) -> list[dict[str, Any]]:
    """A workspace's acts, newest first, starting after the id `before`."""
    found = Audit.select().where(Audit.workspace_id == workspace_id)
    if before is not None:
        found = found.where(Audit.id < before)
    return rows(found.order_by(Audit.id.desc()).limit(limit))


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """An act as the API shows it."""
    return {
        **{name: row[name] for name in ("id", "key_id", "action", "target", "detail")},
        "at": iso(row["at"]),
    }
