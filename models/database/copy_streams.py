"""Whole tables in and out of each kind of database, in one transaction and with flat memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# However long a copy takes, and its transaction waits for the other side.
_PATIENT = """SELECT
    set_config('statement_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '0', true)"""


class SqliteStreams:
    """What models.queries.copying asks of the embedded database."""

    bytewise = "COLLATE BINARY"  # the order of texts that both kinds of database have

    @contextmanager
    def snapshot(self: Any) -> Iterator[None]:
        """Shows what is stored now until the block ends, whatever others write meanwhile."""
        with self.atomic("DEFERRED"):
            self.execute_sql("SELECT 1 FROM sqlite_master LIMIT 1")  # it begins with the first look
            yield

    @contextmanager
    def filling(self: Any, tables: Sequence[str]) -> Iterator[None]:
        """One write transaction, however long it takes, during which nobody else writes to these tables."""
        with self.writing():
            yield

    def stream(self: Any, sql: str, at_once: int) -> Iterator[list[Any]]:
        """A query's rows, some at a time, within the open transaction."""
        cursor = self.execute_sql(sql)
        while some := cursor.fetchmany(at_once):
            yield some

    def load(self: Any, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Stores many rows within the open transaction."""
        sql = f'INSERT INTO "{table}" ({_names(columns)}) VALUES ({", ".join("?" * len(columns))})'
        self.cursor().executemany(sql, rows)


class PostgresStreams:
    """What models.queries.copying asks of a server."""

    bytewise = 'COLLATE "C"'  # the order of texts that both kinds of database have

    @contextmanager
    def snapshot(self: Any) -> Iterator[None]:
        """Shows what is stored now until the block ends, whatever others write meanwhile."""
        with self.connection_context(), self.atomic("REPEATABLE READ"):
            self.execute_sql(_PATIENT)
            yield

    @contextmanager
    def filling(self: Any, tables: Sequence[str]) -> Iterator[None]:
        """One write transaction, however long it takes, during which nobody else writes to these tables."""
        with self.writing():
            self.execute_sql(_PATIENT)
            self.execute_sql(f"LOCK TABLE {_names(tables)} IN EXCLUSIVE MODE")
            yield

    def stream(self: Any, sql: str, at_once: int) -> Iterator[list[Any]]:
        """A query's rows, some at a time, within the open transaction; the others stay on the server."""
        with self.connection().cursor(name="stream") as cursor:
            cursor.execute(sql)
            while some := cursor.fetchmany(at_once):
                yield some

    def load(self: Any, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Stores many rows within the open transaction."""
        with self.cursor() as cursor, cursor.copy(f'COPY "{table}" ({_names(columns)}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
