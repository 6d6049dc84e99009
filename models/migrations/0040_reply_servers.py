"""Which server an answer goes by, so that a slow one holds up no other's; and which address nobody has."""

from __future__ import annotations

from typing import Any


def up(migrator: Any, db: Any) -> None:
    for column in ("server TEXT NOT NULL DEFAULT ''", "undeliverable BOOLEAN NOT NULL DEFAULT FALSE"):
        db.execute_sql(f"ALTER TABLE reply ADD COLUMN {column}")
    db.execute_sql("UPDATE reply SET server = channel")
    db.execute_sql("DROP INDEX reply_waiting")
    # Only what is still to be sent, server by server: each is asked for its own next one.
    db.execute_sql(
        "CREATE INDEX reply_waiting ON reply (server, next_at, id) WHERE state IN ('queued', 'sending')"
    )
