"""In which order rows were written, and who is still writing, on each kind of database."""

from __future__ import annotations

import time
from typing import Any

LOOK_SECONDS = 0.02  # between two looks at who still writes
# Whoever writes to a table has this lock from before the first row to the end of the transaction
# (PostgreSQL's manual, "Table-Level Locks").
_WRITING = (
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND relation = CAST(? AS regclass) AND granted"
)


class SqliteArrivals:
    """What models.tables.feed and its readers ask of the embedded database."""

    ARRIVAL = "rowid"  # a later row has a higher one

    def outlast(self: Any, table: str, patience: float) -> bool:
        """Whether every transaction that writes to a table now has ended: there is none beside one's own."""
        return True


class PostgresArrivals:
    """What models.tables.feed and its readers ask of a server."""

    ARRIVAL = "id"  # which begins with the time

    def outlast(self: Any, table: str, patience: float) -> bool:
        """Whether every transaction that writes to a table now has ended within so many seconds."""
        end, left = time.monotonic() + patience, self._writing(table)
        while left:
            if time.monotonic() >= end:
                return False
            time.sleep(LOOK_SECONDS)
            left &= self._writing(table)
        return True

    def _writing(self: Any, table: str) -> set[str]:
        return {name for (name,) in self.execute_sql(_WRITING, (table,)).fetchall()}
