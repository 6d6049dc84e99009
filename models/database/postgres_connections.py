"""Connections to PostgreSQL: a pool of them, whose lost ones are replaced, and the statements on them."""

from __future__ import annotations

import math
import os
import time
import weakref
from functools import lru_cache, partial
from typing import Any

import psycopg
from peewee import (
    DataError,
    InterfaceError,
    InternalError,
    OperationalError,
    PeeweeException,
    PostgresqlDatabase,
)
from playhouse.pool import MaxConnectionsExceeded, _PooledPostgresqlDatabase
from psycopg.conninfo import conninfo_to_dict

from models.database.handoff import THREADS, Handoff

CONNECT_SECONDS = 3  # how long a connection may take, unless the URL says otherwise
POOL_SECONDS = 10  # how long a thread waits for a connection when all are taken
AWAY_SECONDS = 0.5  # after a connection could not be made, how long nobody else tries to make one
# A commit is on the disk before anybody hears of it, whatever the server's default; and no statement
# waits for ever, since a writer that hangs holds up everybody behind it.
SESSION = """SELECT
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false),
    set_config('lock_timeout', '5s', false),
    set_config('statement_timeout', '30s', false),
    set_config('idle_in_transaction_session_timeout', '30s', false)"""


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
                conn.execute(SESSION)
            except psycopg.Error:
                conn.close()
                raise
        except psycopg.Error as error:
            self._tried, self._failure = time.monotonic(), str(error)
            raise
        return conn


class Connections(_PooledPostgresqlDatabase, _Server):  # type: ignore[misc]  # peewee has no types
    """A pool of connections. A query that finds its own lost is asked again on another one."""

    def __init__(self, url: str, connections: int, handoff: Handoff = THREADS) -> None:
        """Opens nothing yet. `connections` is how many this process may have at a time."""
        self.handoff = handoff
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
                raise told(error) from error
            self._discard()
            if not sql.lstrip().startswith("SELECT"):
                raise told(error) from error
        try:
            return super().execute_sql(sql, params)  # type: ignore[no-untyped-call]
        except (OperationalError, InterfaceError, InternalError) as error:
            raise told(error) from error

    def connect(self, reuse_if_open: bool = False) -> bool:
        """As peewee's, but for the error that all connections are taken."""
        try:
            return bool(super().connect(reuse_if_open))
        except MaxConnectionsExceeded as error:
            raise OperationalError(str(error)) from None

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


def _dispose(reference: weakref.ref[Connections]) -> None:
    database = reference()
    if database is not None:
        database.dispose()


def state_of(error: PeeweeException) -> str:
    """The SQLSTATE of psycopg's own error, which peewee's stands for; empty when nobody knows."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def told(error: PeeweeException) -> OperationalError:
    """Any error about a connection as the one that says: not now."""
    if isinstance(error, OperationalError):
        return error
    return OperationalError(getattr(error, "orig", None) or error, *error.args)


@lru_cache(maxsize=1024)
def _translated(sql: str) -> str:
    """A statement as psycopg takes it: `?` stands for values only, and no table is stored in its key."""
    return sql.replace("?", "%s").removesuffix(" WITHOUT ROWID")


def _has_nul(params: Any) -> bool:
    return any(isinstance(value, str) and "\0" in value for value in params or ())


def _without_nul(value: Any) -> Any:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
