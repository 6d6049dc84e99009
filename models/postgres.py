"""PostgreSQL: a pool of connections, writers that wait only for those who touch the same, second tries."""

from __future__ import annotations

import hashlib
import math
import os
import random
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from typing import Any, TypeVar

import psycopg
from peewee import (  # type: ignore[attr-defined]  # not all in its stubs
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    PeeweeException,
    PostgresqlDatabase,
    __exception_wrapper__,
)
from playhouse.pool import MaxConnectionsExceeded, _PooledPostgresqlDatabase
from psycopg.conninfo import conninfo_to_dict

from models.counting import PostgresCounting
from models.finding import PostgresFinding
from models.planner import PostgresPlanner
from models.schema import refuse_newer
from models.streams import PostgresStreams
from models.writer import Locked

Result = TypeVar("Result")

CONNECT_SECONDS = 3  # how long a connection may take, unless the URL says otherwise
LOOK_SECONDS = 1  # between two looks at what was done to the schema
POOL_SECONDS = 10  # how long a thread waits for a connection when all are taken
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0  # seconds between tries
# A commit is on the disk before anybody hears of it, whatever the server's default; and no statement
# waits for ever, since a writer that hangs holds up everybody behind it.
_SESSION = """SELECT
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false),
    set_config('lock_timeout', '5s', false),
    set_config('statement_timeout', '30s', false),
    set_config('idle_in_transaction_session_timeout', '30s', false)"""
_UNHURRIED = "SELECT set_config('lock_timeout', '0', false), set_config('statement_timeout', '0', false)"
_MIGRATING = 4_207_849_484  # the advisory lock of those who change the schema
_LOCK = "SELECT pg_advisory_xact_lock(name) FROM unnest(?::bigint[]) AS name"
_TOO_MUCH = "54"  # SQLSTATEs of a value that is too large for its index, a statement that is too complex
_LOCKED = "55P03"  # the lock's timeout
AWAY_SECONDS = 0.5  # after a connection could not be made, how long nobody else tries to make one
# What passes by itself: the transaction collided with another, or the server goes, is away or comes.
_PASSING = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05", "25P03", "25006"}
_ONLY_READS = "25006"  # no longer the primary, perhaps: where that is now is found by connecting anew


def check(url: str) -> None:
    """Whether libpq understands the URL. Raises ValueError, whose text has no password in it."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ValueError("must look like postgresql://user:password@host:5432/name") from None


class _Server(PostgresqlDatabase):
    """Connections as we want them."""

    _era = 0  # the next one begins when a connection is lost: the server may be another one by then
    _tried = -math.inf  # monotonic seconds, when the last connection could not be made
    _failure = ""

    def _connect(self) -> Any:
        """A new connection. For a while after one could not be made, nobody waits for another try.

        Only one thread at a time is here, and a server that does not answer takes seconds to fail.
        """
        if time.monotonic() - self._tried < AWAY_SECONDS:
            raise psycopg.OperationalError(self._failure)
        era = self._era
        try:
            conn: Any = super()._connect()  # type: ignore[misc]  # peewee's stubs leave it out
            conn.era = era
            try:
                conn.execute(_SESSION)
            except psycopg.Error:
                conn.close()
                raise
        except psycopg.Error as error:
            self._tried, self._failure = time.monotonic(), str(error)
            raise
        return conn


class Postgres(
    PostgresCounting,
    PostgresFinding,
    PostgresPlanner,
    PostgresStreams,
    _PooledPostgresqlDatabase,  # type: ignore[misc]  # peewee has no types
    _Server,
):
    """A server that any number of processes and hosts write to at the same time."""

    def __init__(self, url: str, connections: int) -> None:
        """Opens nothing yet. `connections` is how many this process may have at a time."""
        given = conninfo_to_dict(url)
        defaults: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "keepalives_idle": 10,
            "tcp_user_timeout": 10_000,
        }
        super().__init__(
            "postgresql://" + url.partition("://")[2],
            max_connections=connections,
            timeout=POOL_SECONDS,
            prefer_psycopg3=True,
            isolation_level="READ COMMITTED",
            **{name: value for name, value in defaults.items() if name not in given},
        )
        # A connection must not be used on both sides of a fork.
        os.register_at_fork(after_in_child=partial(_dispose, weakref.ref(self)))

    _look_again = 0.0  # monotonic seconds, when the schema's changes are looked at

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Runs a statement whose values are marked `?`, as everywhere in models.

        Outside a transaction the thread has a connection for this statement only, and a query is
        asked again when the connection turns out to be lost. The answer needs none: it is all here.
        """
        sql = _translated(sql)
        opened = self.connect(reuse_if_open=True)
        try:
            return self._execute(sql, params)
        except DataError:
            if not _has_nul(params):
                raise
            # Text holds no NUL here. Nothing stored has one, so what asks for one finds nothing.
            return self._execute(sql, [_without_nul(value) for value in params])
        finally:
            if opened and not self.is_closed():
                self.close()

    def _execute(self, sql: str, params: Any) -> Any:
        try:
            return super().execute_sql(sql, params)  # type: ignore[no-untyped-call]
        except (OperationalError, InterfaceError, InternalError) as error:
            if self.in_transaction() or not self._lost():
                raise _told(error) from error
            self._discard()
            if not sql.lstrip().startswith("SELECT"):
                raise _told(error) from error
        try:
            return super().execute_sql(sql, params)  # type: ignore[no-untyped-call]
        except (OperationalError, InterfaceError, InternalError) as error:
            raise _told(error) from error

    def connect(self, reuse_if_open: bool = False) -> bool:
        """As peewee's, but for the error that all connections are taken."""
        try:
            return bool(super().connect(reuse_if_open))
        except MaxConnectionsExceeded as error:
            raise OperationalError(str(error)) from None

    def begin(self, isolation_level: Any = None, lock_wait: float | None = None) -> None:
        """As peewee's, once more when the connection was lost while nobody used it.

        With `lock_wait` a statement waits so many seconds for a lock and no longer.
        """
        try:
            self._begin(isolation_level, lock_wait)
        except (OperationalError, InterfaceError, InternalError):
            if not self._lost():
                raise
            self._discard()
            self._begin(isolation_level, lock_wait)

    def _begin(self, isolation_level: Any, lock_wait: float | None) -> None:
        if lock_wait is None:
            super().begin(isolation_level)
            return
        with __exception_wrapper__:  # both in one message
            wait = f"SET LOCAL lock_timeout = '{lock_wait * 1000:.0f}ms'"
            cursor: Any = self.cursor()  # type: ignore[no-untyped-call]
            cursor.execute(f"BEGIN ISOLATION LEVEL READ COMMITTED; {wait}", prepare=False)

    @contextmanager
    def writing(self, lock_wait: float | None = None) -> Iterator[None]:
        """One write transaction among others. Raises OperationalError when it must be tried again.

        Raises Newer within a second after a newer program has changed the schema.
        """
        opened, other = self.connect(reuse_if_open=True), False
        try:
            self._know_schema()
            with self.atomic(None, lock_wait):
                yield
        except (OperationalError, InterfaceError, InternalError) as error:
            other = _state(error) == _ONLY_READS
            raise _told(error) from error
        finally:
            if other or self._lost():
                self._discard()
            elif opened:
                self.close()

    def _know_schema(self) -> None:
        if time.monotonic() >= self._look_again:
            refuse_newer(self)
            self._look_again = time.monotonic() + LOOK_SECONDS

    def rest(self) -> None:
        """Nothing to do: the server looks after its log."""

    def transact(
        self,
        work: Callable[[], Result],
        stored: Callable[[Result], bool],
        patience: float,
        lock_wait: float | None = None,
    ) -> Result:
        """Does `work` in one write transaction, for `patience` seconds again when it fails for what passes.

        Raises DataError for what fails because of what is stored, and Locked, at once, when somebody else
        keeps a lock for longer than `lock_wait` seconds.

        When the connection is lost during the commit nobody knows what became of it; `stored` then
        asks whether the results of `work` are there.
        """
        end, pause = time.monotonic() + patience, FIRST_PAUSE
        unsure: list[Result] = []
        while True:
            done: list[Result] = []
            try:
                if unsure and stored(unsure[0]):
                    return unsure[0]
                with self.writing(lock_wait):
                    done.append(work())
                return done[0]
            except (OperationalError, IntegrityError) as error:
                if _state(error).startswith(_TOO_MUCH):
                    raise DataError(*error.args) from error
                if lock_wait is not None and not unsure and _state(error) == _LOCKED:
                    raise Locked(*error.args) from error
                # An id that exists already is our own, when the commit came through after we had asked.
                passing = bool(unsure) if isinstance(error, IntegrityError) else _passes(error)
                if not passing or time.monotonic() + pause > end:
                    raise
                unsure = unsure or done
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, LONGEST_PAUSE)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps everybody else who asks for the same waiting until the block ends, however long it takes."""
        with self.connection_context():
            self.execute_sql(_UNHURRIED)
            # Who waits in a statement is waited for by CREATE INDEX CONCURRENTLY, which would wait for ever.
            while not self.execute_sql("SELECT pg_try_advisory_lock(?)", (_MIGRATING,)).fetchone()[0]:
                time.sleep(LONGEST_PAUSE)
            try:
                yield
            finally:
                with suppress(PeeweeException):  # a lost connection has given up the lock
                    self.execute_sql("SELECT pg_advisory_unlock(?)", (_MIGRATING,))
                    self.execute_sql(_SESSION)

    def serialise(self, names: Iterable[Any]) -> None:
        """Waits until no other open transaction has named one of these; this one keeps them until it ends.

        Always in the same order, so that no two wait for each other.
        """
        if numbers := sorted({_number(name) for name in names}):
            self.execute_sql(_LOCK, (numbers,))

    def locked(self, query: Any) -> Any:
        """A query whose rows nobody else changes before the transaction ends."""
        return query.for_update()

    def compact(self, tables: Sequence[str]) -> list[str]:
        """Rewrites the tables' files without what was deleted, and says what may still be elsewhere."""
        with self.connection_context():
            self.execute_sql(_UNHURRIED)
            try:
                for table in tables:
                    self.execute_sql(f'VACUUM (FULL, ANALYZE) "{table}"')
            except OperationalError as error:
                return [f"free space of the tables: {error}"]
            finally:
                with suppress(PeeweeException):  # a lost connection has no settings to be put back
                    self.execute_sql(_SESSION)
        return ["the server's write-ahead log until it is recycled, its replicas' and archives' copies of it"]

    def shut(self) -> None:
        """Closes every connection, as before a fork. No other thread may be using one."""
        self.close_all()

    def _is_closed(self, conn: Any) -> bool:
        """Whether a connection of the pool is closed, as far as is known without asking the server."""
        return bool(conn.closed or conn.broken)

    def _can_reuse(self, conn: Any) -> bool:
        """Whether a connection that is given back may be used again."""
        return conn.era == self._era and bool(super()._can_reuse(conn))

    def _lost(self) -> bool:
        conn = self._state.conn
        return conn is not None and bool(conn.closed or conn.broken)

    def _discard(self) -> None:
        """Forgets this thread's connection, and all others when nobody uses them.

        A server that left one left them all, and one that only reads may have a successor.
        """
        self._era += 1
        self.manual_close()
        self.close_idle()


def _dispose(reference: weakref.ref[Postgres]) -> None:
    database = reference()
    if database is not None:
        database.dispose()


def _passes(error: OperationalError) -> bool:
    """Whether the same transaction may succeed in a moment."""
    if not isinstance(getattr(error, "orig", None), psycopg.Error):
        return False
    state = _state(error)
    return not state or state in _PASSING or state.startswith("08")


def _state(error: PeeweeException) -> str:
    """The SQLSTATE of psycopg's own error, which peewee's stands for; empty when nobody knows."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _told(error: PeeweeException) -> OperationalError:
    """Any error about a connection as the one that says: not now."""
    if isinstance(error, OperationalError):
        return error
    return OperationalError(getattr(error, "orig", None) or error, *error.args)


@lru_cache(maxsize=1024)
def _translated(sql: str) -> str:
    """A statement as psycopg takes it: `?` stands for values only, and no table is stored in its key."""
    return sql.replace("?", "%s").removesuffix(" WITHOUT ROWID")


def _number(name: Any) -> int:
    """A name as one of the 2**64 advisory locks; two names may share one, and then wait without need."""
    digest = hashlib.blake2b(repr(name).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _has_nul(params: Any) -> bool:
    return any(isinstance(value, str) and "\0" in value for value in params or ())


def _without_nul(value: Any) -> Any:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
