"""The embedded database: one file, one writer at a time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from peewee import DataError, OperationalError, SqliteDatabase

from models.finding import SqliteFinding
from models.lock import WriteLock
from models.planner import SqlitePlanner
from models.streams import SqliteStreams

Result = TypeVar("Result")

BUSY_SECONDS = 2  # how long a statement waits for another process, should one not use the write lock
CHECKPOINT_SECONDS = 30  # how long the log waits to be emptied for those who read


def first_of(error: BaseException) -> BaseException:
    """What failed first: SQLite itself ends a transaction that finds no room, and to end it again fails."""
    while isinstance(error.__context__, OperationalError | sqlite3.OperationalError):
        error = error.__context__
    return error


def _code(error: BaseException) -> int | None:
    """SQLite's own number of an error, from its exception or from peewee's that stands for it."""
    found: int | None = getattr(getattr(error, "orig", None) or error, "sqlite_errorcode", None)
    return found


class Sqlite(SqliteFinding, SqlitePlanner, SqliteStreams, SqliteDatabase):
    """A file in WAL mode whose commits are on the disk before anybody hears of them."""

    def __init__(self, path: Path) -> None:
        """Creates the file's folder; the file comes with the first connection."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write_lock = WriteLock(path.with_name(path.name + ".lock"))
        super().__init__(
            str(path),
            timeout=BUSY_SECONDS,
            check_same_thread=False,  # see `bring`; never used by two threads at a time
            # FULL: a commit is on the disk before the sender hears of it (WAL's default would not be).
            pragmas={
                "journal_mode": "wal",
                "synchronous": "full",
                "foreign_keys": 1,
                "cache_size": -8000,  # kilobytes
                # Pages in the log before they are copied back, 32 MB: the same few pages change all the time.
                "wal_autocheckpoint": 8000,
            },
        )

    _state: Any  # peewee's, for each thread its own
    _in_memory: Any = None  # the connection of who writes

    # Where a transaction's statements are executed. They wait for nothing, unlike its begin and its commit,
    # and a thread that gives up the interpreter's lock for each of them waits for it as often.
    bring: Callable[[Callable[[], Any]], Any] = staticmethod(lambda act: act())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One write transaction, the only one at a time."""
        with self._write_lock, self.atomic("IMMEDIATE"):
            yield

    def transact(
        self, work: Callable[[], Result], stored: Callable[[Result], bool], patience: float
    ) -> Result:
        """Does `work` in one write transaction. It is never tried again: its only writer does not collide.

        Raises DataError for what fails because of what is stored, OperationalError for the disk or a lock.
        """
        self._keep_in_memory()
        try:
            with self.writing():
                result: Result = self.bring(partial(self._lent, dict(self._state.__dict__), work))
                return result
        except OperationalError as error:
            if _code(first_of(error)) == sqlite3.SQLITE_ERROR:
                raise DataError(*error.args) from error
            raise

    def _keep_in_memory(self) -> None:
        """Has this connection keep in memory what would undo a statement: a few pages for so many rows.

        Else each transaction makes a file for it, writes that and deletes it. Elsewhere files are right:
        what sorts or rewrites a whole table needs as much room as the table.
        """
        if self.is_closed() or self._state.conn is not self._in_memory:
            self.pragma("temp_store", "memory")
            self._in_memory = self._state.conn

    def _lent(self, state: dict[str, Any], work: Callable[[], Result]) -> Result:
        """Does `work` with another thread's connection and transaction, while that thread waits."""
        mine: dict[str, Any] = self._state.__dict__
        kept = dict(mine)
        mine.update(state)
        try:
            return work()
        finally:
            mine.clear()
            mine.update(kept)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps every other process from writing until the block ends, without a transaction."""
        with self._write_lock:
            yield

    def serialise(self, names: Iterable[Any]) -> None:
        """Nothing to do: who writes is alone."""

    def locked(self, query: Any) -> Any:
        """A query whose rows nobody else changes before the transaction ends: any, as who writes is alone."""
        return query

    def compact(self, tables: Sequence[str]) -> list[str]:
        """Rewrites the file without what was deleted, and says what may still be in it.

        Nobody else writes meanwhile. Old words leave the search index, the pages they were on and the log.
        """
        with self._write_lock:
            try:
                run: Callable[..., Any] = self.execute_sql
                indexes = run("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5%'").fetchall()
                for (name,) in indexes:
                    run(f"INSERT INTO {name} ({name}) VALUES ('optimize')")
                run("VACUUM")
                return self._checkpointed()
            except OperationalError as error:
                return [f"free space of the database file: {error}"]

    def _checkpointed(self) -> list[str]:
        """Empties the log, once nobody reads what is in it; what may still be there if somebody does."""
        run: Callable[..., Any] = self.execute_sql
        end = time.monotonic() + CHECKPOINT_SECONDS
        while True:
            busy, *_ = run("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return []
            if time.monotonic() > end:
                return ["the write-ahead log, while somebody reads for long"]

    def shut(self) -> None:
        """Closes this thread's connection."""
        if not self.is_closed():
            self.close()
