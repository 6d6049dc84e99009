"""PostgreSQL: writers that wait only for those who touch the same, and second tries."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from peewee import (  # type: ignore[attr-defined]  # not all in its stubs
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    PeeweeException,
    __exception_wrapper__,
)
from psycopg.conninfo import conninfo_to_dict

from models.database.arrivals import PostgresArrivals
from models.database.copy_streams import PostgresStreams
from models.database.group_commit import Locked
from models.database.planner_statistics import PostgresPlanner
from models.database.postgres_connections import SESSION, Connections, state_of, told
from models.database.query_dialects import PostgresFinding
from models.database.schema_version import refuse_newer
from models.database.sharded_counters import PostgresCounting

Result = TypeVar("Result")

LOOK_SECONDS = 1  # between two looks at what was done to the schema
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0  # seconds between tries
_UNHURRIED = "SELECT set_config('lock_timeout', '0', false), set_config('statement_timeout', '0', false)"
_MIGRATING = 4_207_849_484  # the advisory lock of those who change the schema
_LOCK = "SELECT pg_advisory_xact_lock(name) FROM unnest(?::bigint[]) AS name"
_TOO_MUCH = "54"  # SQLSTATEs of a value that is too large for its index, a statement that is too complex
_LOCKED = "55P03"  # the lock's timeout
# What passes by itself: the transaction collided with another, or the server goes, is away or comes.
_PASSING = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05", "25P03", "25006"}
_ONLY_READS = "25006"  # no longer the primary, perhaps: where that is now is found by connecting anew


def check(url: str) -> None:
    """Whether libpq understands the URL. Raises ValueError, whose text has no password in it."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ValueError("must look like postgresql://user:password@host:5432/name") from None


class Postgres(
    PostgresArrivals,
    PostgresCounting,
    PostgresFinding,
    PostgresPlanner,
    PostgresStreams,
    Connections,
):
    """A server that any number of processes and hosts write to at the same time."""

    _look_again = 0.0  # monotonic seconds, when the schema's changes are looked at

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
            other = state_of(error) == _ONLY_READS
            raise told(error) from error
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
                if state_of(error).startswith(_TOO_MUCH):
                    raise DataError(*error.args) from error
                if lock_wait is not None and not unsure and state_of(error) == _LOCKED:
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
                    self.execute_sql(SESSION)

    def serialise(self, names: Iterable[Any]) -> None:
        """Waits until no other open transaction has named one of these; this one keeps them until it ends.

        Always in the same order, so that no two wait for each other.
        """
        if numbers := sorted({_number(name) for name in names}):
            self.execute_sql(_LOCK, (numbers,))

    FOR_UPDATE = " FOR UPDATE"  # nobody else changes the rows before the transaction ends

    def locked(self, query: Any) -> Any:
        """A query whose rows nobody else changes before the transaction ends."""
        return query.for_update()

    def kept(self, query: Any) -> Any:
        """A query whose rows nobody changes before the transaction ends; others may ask for the same."""
        return query.for_update("FOR SHARE")

    def free(self, query: Any) -> Any:
        """A query whose rows are taken by nobody else, and by nobody else before the transaction ends."""
        return query.for_update("FOR UPDATE SKIP LOCKED")

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
                    self.execute_sql(SESSION)
        return ["the server's write-ahead log until it is recycled, its replicas' and archives' copies of it"]


def _passes(error: OperationalError) -> bool:
    """Whether the same transaction may succeed in a moment."""
    if not isinstance(getattr(error, "orig", None), psycopg.Error):
        return False
    state = state_of(error)
    return not state or state in _PASSING or state.startswith("08")


def _number(name: Any) -> int:
    """A name as one of the 2**64 advisory locks; two names may share one, and then wait without need."""
    digest = hashlib.blake2b(repr(name).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
