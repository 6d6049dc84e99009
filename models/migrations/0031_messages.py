"""Threads of messages, order, when people are told, and changes that are of no record."""

from __future__ import annotations

from typing import Any

from peewee import BooleanField, TextField
from playhouse.migrate import migrate


def up(migrator: Any, db: Any) -> None:
    migrate(
        migrator.add_column("destination", "ordered", BooleanField(default=False)),
        migrator.add_column("destination", "subscription", TextField(default="{}")),
        migrator.add_column("outbox", "data", TextField(null=True)),
        migrator.add_column("outgoing", "thread", TextField(null=True)),
        migrator.add_column("outgoing", "reference", TextField(null=True)),
    )
    # Each destination's own: whoever looks for work asks every one for its next, however much waits for one.
    db.execute_sql("DROP INDEX outgoing_waiting")
    db.execute_sql(
        "CREATE INDEX outgoing_waiting ON outgoing (destination_id, next_at, id) WHERE state = 'waiting'"
    )
    db.execute_sql(
        "CREATE INDEX outgoing_thread ON outgoing (destination_id, thread, id) WHERE reference IS NOT NULL"
    )
