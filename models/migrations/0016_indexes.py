"""What somebody wrote is found in the order of lists, and what is still in quarantine without the rest.

On a server the earlier release goes on writing meanwhile: it refuses to from the first migration on that is
noted as applied, so this is the first one. CREATE INDEX would keep it from writing until the whole table is
read; CONCURRENTLY does not, outside of a transaction only. Interrupted it leaves an invalid index: each one
is dropped before it is made.
"""

from __future__ import annotations

from typing import Any

from peewee import SqliteDatabase

atomic = False
_FIRST = 400  # characters of a value in a server's index (migration 0015)


def up(migrator: Any, db: Any) -> None:
    embedded = isinstance(db, SqliteDatabase)
    concurrently = "" if embedded else "CONCURRENTLY"

    def index(name: str, on: str, where: str) -> None:
        db.execute_sql(f"DROP INDEX {concurrently} IF EXISTS {name}")
        db.execute_sql(f"CREATE INDEX {concurrently} {name} ON {on} WHERE {where}")

    for name, column in (("feedback_author", "author_id"), ("feedback_email", "author_email")):
        value = column if embedded else f"(LEFT({column}, {_FIRST}))"
        index(name, f"feedback (workspace_id, {value}, received_at, id)", f"{column} IS NOT NULL")
    index("quarantine_held", "quarantine (workspace_id, id)", "replayed_at IS NULL")
