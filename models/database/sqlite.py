"""The embedded database: one file, one writer at a time."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from peewee import DatabaseError, DataError, OperationalError, SqliteDatabase

from models.database.arrivals import SqliteArrivals
from models.database.copy_streams import SqliteStreams
from models.database.handoff import THREADS, Handoff
from models.database.planner_statistics import SqlitePlanner
from models.database.query_dialects import SqliteFinding
from models.database.schema_version import HISTORY, refuse_newer
from models.database.sharded_counters import SqliteCounting
from models.database.write_lock import WriteLock

Result = TypeVar("Result")
logger = logging.getLogger("gateway")

BUSY_SECONDS = 2  # how long a statement waits for another process, should one not use the write lock
QUIET_SECONDS = 0.5  # without a write by any process, after which the log is copied into the file
# Transactions of a process after which a thread copies the log into the file, some 24 MB under load: the same
# few pages change all the time.
COPY_EVERY = 50
LOG_PAGES = 16_000  # in the log when a commit copies it all the same, 64 MB: it takes 50 ms, and all wait
# To which the log is cut once more than that is copied back: it grows for as long as somebody reads.
LOG_BYTES = 64_000_000
MERGE_REST = 0.002  # seconds between two merges, in which whoever waits for the lock gets it
# Transactions after which it merges the index of words: what a merge costs grows with the parts that wait.
MERGE_EVERY = 10
MERGE_PAGES = 4  # of that index that are merged at once, fewer once that takes longer than MERGE_SECONDS
MERGE_SECONDS = 0.003
CHECKPOINT_SECONDS = 30  # how long the log waits to be emptied for those who read


def first_of(error: BaseException) -> BaseException:
    """What failed first: SQLite itself ends a transaction that finds no room, and to end it again fails."""
    while isinstance(error.__context__, OperationalError | sqlite3.OperationalError):
        error = error.__context__
    return error


def reason(error: BaseException) -> str:
    """Why a database or a server failed, in one line."""
    return " ".join(str(first_of(error)).split()) or type(error).__name__


def _code(error: BaseException) -> int | None:
    """SQLite's own number of an error, from its exception or from peewee's that stands for it."""
    found: int | None = getattr(getattr(error, "orig", None) or error, "sqlite_errorcode", None)
    return found


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file is at a path; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Sqlite(SqliteArrivals, SqliteCounting, SqliteFinding, SqlitePlanner, SqliteStreams, SqliteDatabase):
    """A file in WAL mode whose commits are on the disk before anybody hears of them."""

    def __init__(self, path: Path, handoff: Handoff = THREADS) -> None:
        """Opens nothing yet. What SQLite makes beside the file is open to whom the file is."""
        self.handoff = handoff
        self._log = path.with_name(path.name + "-wal")
        self._copied = (0, 0)  # the log's size and time (ns) when all of it was copied into the file
        self._write_lock = WriteLock(path.with_name(path.name + ".lock"))
        super().__init__(
            str(path),
            timeout=BUSY_SECONDS,
            check_same_thread=False,  # see `transact`; never used by two threads at a time
            # FULL: a commit is on the disk before the sender hears of it (WAL's default would not be).
            pragmas={
                "journal_mode": "wal",
                "synchronous": "full",
                "foreign_keys": 1,
                "cache_size": -8000,  # kilobytes
                "wal_autocheckpoint": LOG_PAGES,
                "journal_size_limit": LOG_BYTES,
            },
        )
        self._files = tuple(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))

    _state: Any  # peewee's, for each thread its own
    _commits = 0  # since the log was copied
    _copier: threading.Thread | None = None
    _damaged = False
    _done: Any = None  # how many changes of the schema, and the number of the last one
    _in_memory: Any = None  # the connection of who writes

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One write transaction, the only one at a time. Raises Newer when a newer program migrated."""
        with self.alone(), self.atomic("IMMEDIATE"):
            self._check_files()
            self._know_schema()
            yield

    def _know_schema(self) -> None:
        """Looks at what was done to the schema, if that is not what was done when it was looked at last."""
        run: Callable[..., Any] = self.execute_sql
        try:
            done = run(f"SELECT COUNT(*), MAX(id) FROM {HISTORY}").fetchone()
        except OperationalError:
            if self.table_exists(HISTORY):
                raise
            return  # nothing was done yet
        if done != self._done:
            refuse_newer(self)
            self._done = done

    def _connect(self) -> Any:
        conn = super()._connect()  # type: ignore[misc]  # peewee's stubs leave it out
        self._state.files = [_identity(self._files[0])]
        return conn

    def _check_files(self) -> None:
        """Raises OperationalError when a file that this connection has open is not at its path any more.

        What is committed to it would be gone with it. While a connection is open SQLite keeps all three.
        """
        found = [_identity(path) for path in self._files]
        known, self._state.files = self._state.files, found  # the log comes with the first transaction
        for path, one, other in zip(self._files, found, known, strict=False):
            if one != other:
                self._state.files = known
                raise OperationalError(
                    f"{path.name} was deleted or replaced while in use: put it back, or restart"
                )

    def transact(
        self,
        work: Callable[[], Result],
        stored: Callable[[Result], bool],
        patience: float,
        lock_wait: float | None = None,
    ) -> Result:
        """Does `work` in one write transaction. It is never tried again: its only writer does not collide.

        Raises DataError for what fails because of what is stored, OperationalError for the disk or a lock.
        """
        self._keep_in_memory()
        try:
            with self.writing():
                result: Result = self.handoff.bring(partial(self._lent, dict(self._state.__dict__), work))
        except OperationalError as error:
            if _code(first_of(error)) == sqlite3.SQLITE_ERROR:
                raise DataError(*error.args) from error
            raise
        self._commits += 1
        copies, idle = self._commits >= COPY_EVERY, self._copier is None or not self._copier.is_alive()
        if idle and (copies or self._commits % MERGE_EVERY == 0):
            if copies:
                self._commits = 0
            self._copier = threading.Thread(target=self._tidy, args=(copies,), name="copier", daemon=True)
            with suppress(RuntimeError):  # no thread can be started now
                self._copier.start()
        return result

    def _tidy(self, copies: bool) -> None:
        """Merges the index of words and, if it `copies`, the log into the file, while others write.

        What fails is tried again the next time. A damaged index is said in the log, once.
        """
        try:
            if copies:
                self._copy_log()
            self._merge_words()
        except DatabaseError as error:
            if not isinstance(error, OperationalError) and not self._damaged:
                self._damaged = True
                logger.error("the index of words is damaged: %s", reason(error))
        finally:
            self.close()

    def _copy_log(self) -> None:
        """Copies the log into the file, so that the next one to write begins it anew."""
        run: Callable[..., Any] = self.execute_sql
        for _ in range(2):  # most of it, and most of what came meanwhile
            run("PRAGMA wal_checkpoint(PASSIVE)")
        with self.alone():  # and a few pages, with which it is all there
            run("PRAGMA wal_checkpoint(PASSIVE)")

    def _merge_words(self: Any) -> None:
        """Merges parts of the index of words, a few pages at a time: an insert that does it holds all up.

        One change is the statement's own (FTS5's manual, "The 'merge' Command").
        """
        pages, changes = MERGE_PAGES, 2
        while changes > 1:
            with self.alone():
                began, before = time.monotonic(), self.connection().total_changes
                self.execute_sql("INSERT INTO search (search, rank) VALUES ('merge', ?)", (pages,))
                changes = self.connection().total_changes - before
            pages = max(1, pages // 2) if time.monotonic() - began > MERGE_SECONDS else MERGE_PAGES
            time.sleep(MERGE_REST)

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
        """Keeps every other process from writing until the block ends, without a transaction.

        Raises OperationalError when the lock's file cannot be used.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self._write_lock)
            except OSError as error:
                raise OperationalError(error, f"write lock: {error.strerror}") from error
            yield

    def serialise(self, names: Iterable[Any]) -> None:
        """Nothing to do: who writes is alone."""

    FOR_UPDATE = ""  # who writes is alone

    def locked(self, query: Any) -> Any:
        """A query whose rows nobody else changes before the transaction ends: any, as who writes is alone."""
        return query

    kept = free = locked

    def compact(self, tables: Sequence[str]) -> list[str]:
        """Rewrites the file without what was deleted, and says what may still be in it.

        Nobody else writes meanwhile. Old words leave the search index, the pages they were on and the log.
        """
        with self.alone():
            try:
                run: Callable[..., Any] = self.execute_sql
                indexes = run("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5%'").fetchall()
                for (name,) in indexes:
                    run(f"INSERT INTO {name} ({name}) VALUES ('optimize')")
                run("VACUUM")
                return self._checkpointed()
            except DatabaseError as error:  # a damaged index, too
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

    def rest(self) -> None:
        """Copies the log into the file if nobody has written for a while: call it now and then.

        So that a copy of the file alone has everything. Nobody waits for it: what somebody still reads in
        the log stays there, and what fails is tried the next time, since the log is as good.
        """
        run: Callable[..., Any] = self.execute_sql
        try:
            found = self._log.stat()
        except FileNotFoundError:
            return
        written = (found.st_size, found.st_mtime_ns)
        if found.st_size and written != self._copied and time.time() - found.st_mtime >= QUIET_SECONDS:
            with suppress(OperationalError):
                busy, pages, copied = run("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if not busy and pages == copied:
                    self._copied = written

    def shut(self) -> None:
        """Closes this thread's connection."""
        if not self.is_closed():
            self.close()
