"""What the gateway itself does to a record, as an event of its history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ulid import ULID

from models.database.base import insert
from models.tables import outbox
from models.tables.event import Event


def add(kind: str, row: Mapping[str, Any], detail: Mapping[str, Any], at: int, type_: str) -> None:
    """Stores an event of a kind within the open transaction, and notes it as `type_` for destinations."""
    event = {"id": f"ev_{ULID()}", "feedback": row["id"], "type": kind, "at": at, "detail": dict(detail)}
    insert(Event, {**event, "payload": None, "delivery_id": None})
    outbox.note(type_, row, at, event["id"])
