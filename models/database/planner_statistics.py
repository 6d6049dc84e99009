"""What the planner of each kind of database knows of its tables: how much there is, and how different it is.

No statement depends on it to find its rows (tests/models/test_query_plans.py); it helps where several ways
are good.
"""

from __future__ import annotations

from typing import Any

LOOKED_AT = 1_000  # entries of an index that are looked at, which takes about a millisecond
GROWN = 1.5  # times as many records as the last time make what is known outdated
LEAST = 1_000  # rows of a table below which any way is good

_PARTS = "SELECT name FROM sqlite_master WHERE type = 'index' OR sql LIKE '%WITHOUT ROWID'"
# An index that a statement names is read in its order, and not in leaps for columns that nobody asks about.
_NO_LEAPS = "UPDATE sqlite_stat1 SET stat = stat || ' noskipscan' WHERE stat NOT LIKE '%noskipscan'"
# A connection reads what is known when it reads the schema, and that again only when it has changed.
_TELL = ("CREATE TABLE analysed (at INTEGER)", "DROP TABLE analysed")
# Autovacuum does this, too, within minutes, unless it is switched off.
_UNKNOWN = """SELECT relname FROM pg_stat_user_tables
    WHERE schemaname = current_schema() AND n_live_tup >= ?
    AND (COALESCE(last_analyze, last_autoanalyze) IS NULL OR n_mod_since_analyze > n_live_tup / 2)
    ORDER BY relname"""


class SqlitePlanner:
    """The embedded database, whose planner is told nothing by itself."""

    def outdated(self: Any, before: int) -> tuple[list[str], int]:
        """What to analyse, part by part, and how many records there are; `before` is how many there were."""
        records = int(self.execute_sql("SELECT MAX(rowid) FROM feedback").fetchone()[0] or 0)
        if records < max(LEAST, GROWN * before):
            return [], before
        return [name for (name,) in self.execute_sql(_PARTS).fetchall()], records

    def analyse(self: Any, part: str) -> None:
        """Looks at an index, or at a table that is stored in its key, within the open transaction."""
        self.execute_sql(f"PRAGMA analysis_limit = {LOOKED_AT}")
        self.execute_sql(f'ANALYZE "{part}"')

    def tell_planners(self: Any) -> None:
        """Has every open connection use what is known now, within the open transaction."""
        for statement in (_NO_LEAPS, *_TELL):
            self.execute_sql(statement)


class PostgresPlanner:
    """A server, whose autovacuum mostly comes first."""

    def outdated(self: Any, before: int) -> tuple[list[str], int]:
        """What to analyse, table by table; `before` is returned as it is."""
        return [name for (name,) in self.execute_sql(_UNKNOWN, (LEAST,)).fetchall()], before

    def analyse(self: Any, part: str) -> None:
        """Looks at a table; nobody waits for that."""
        self.execute_sql(f'ANALYZE "{part}"')

    def tell_planners(self: Any) -> None:
        """Nothing: every connection knows."""
