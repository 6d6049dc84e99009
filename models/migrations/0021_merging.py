"""The index of words is merged by a thread beside those who write, and within an insert only when that lags.

Until now every fourth part was merged with those before it while all others waited, up to 90 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peewee import SqliteDatabase

_LAGGING = 400  # parts of one size at which FTS5 merges them all the same; it has room for 2,000


def up(migrator: Any, db: Any) -> None:
    """FTS5 keeps these settings in the database itself."""
    run: Callable[..., Any] = db.execute_sql
    if isinstance(db, SqliteDatabase):
        for name, value in (("automerge", 0), ("crisismerge", _LAGGING)):
            run("INSERT INTO search (search, rank) VALUES (?, ?)", (name, value))
