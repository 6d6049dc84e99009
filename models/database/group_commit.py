"""Group commit: one thread a process stores what many requests wait for, in one transaction.

How those who wait are told, and how the thread hears of them, is up to who runs the requests
(models.database.handoff).
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from peewee import OperationalError

from models.database.handoff import THREADS, Handoff, Signal
from models.database.sqlite import reason

logger = logging.getLogger("gateway")

AT_MOST = 64  # rows in one transaction, a request that has more aside
WAITING = 1024  # requests that may wait; more are turned away at once
PATIENCE = 10.0  # seconds a request waits for its turn
PROBE_SECONDS = 0.5  # after a failure, how often the writer tries whether the database is back
_FAILED = "the database failed a moment ago"
IDLE_SECONDS = 1.0  # without requests, how often what was only counted is written


Commit = Callable[[list[Any]], list[Any]]


class Busy(OperationalError):
    """The database cannot take this now; nothing of it was stored."""


class Locked(OperationalError):
    """Somebody else keeps a row locked that this needs; nothing of it was stored."""


class _Ticket:
    """One request in the queue. Who takes it decides its fate: the writer, or one who gives up."""

    __slots__ = ("_taken", "done", "error", "result", "work")

    def __init__(self, work: Any, done: Signal) -> None:
        self.work = work
        self._taken = threading.Lock()
        self.done = done
        self.result: Any = None
        self.error: Exception | None = None

    def take(self) -> bool:
        """Whether the caller is the one who decides."""
        return self._taken.acquire(blocking=False)

    def finish(self, result: Any, error: Exception | None) -> None:
        self.result, self.error = result, error
        self.done.set()


class Writer:
    """A thread that commits what waits, all of it at once, and wakes those who wait.

    `commit` stores a list of works in one transaction and returns their results; one that is an
    Exception is raised where its work came from. When it raises, an OperationalError is told to
    everyone (the database is full or away), and after Locked or anything else each work is tried
    alone, so that a bad one fails alone. `commit` is also called with nothing, now and then. `rows`
    says how many rows a work has, about.

    After an OperationalError requests are turned away untried, since a locked database takes seconds
    to fail; the writer itself tries with `probe`, a work that writes something, until that succeeds.
    When nobody has come for a while the database may `rest`.
    """

    def __init__(
        self,
        database: Any,
        commit: Commit,
        probe: Any = None,
        rows: Callable[[Any], int] = lambda work: 1,
        commit_alone: Commit | None = None,
        handoff: Handoff = THREADS,
    ) -> None:
        self.database, self._handoff = database, handoff
        self.down = False  # whether the last transaction failed
        self._reason = ""  # of that
        self.failed_at = -math.inf  # monotonic seconds, when one of requests did, unless one succeeded since
        self._commit, self._commit_alone = commit, commit_alone or commit
        self._probe = probe
        self._rows = rows
        self._waiting: deque[_Ticket] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._rung = self._ending = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, work: Any) -> Any:
        """Waits until `work` is committed and returns its result.

        Raises Busy at once when too many wait or the last transaction failed, and after PATIENCE
        seconds without a turn; else what the commit raised.
        """
        if self.down:
            raise self._failed()
        if len(self._waiting) >= WAITING:
            raise Busy("too many requests wait for the database")
        ticket = _Ticket(work, self._handoff.signal())
        self._waiting.append(ticket)
        self._handoff.call(self.ring)
        if not ticket.done.wait(PATIENCE):
            if ticket.take():
                raise Busy("the database did not take it in time")
            ticket.done.wait()  # its turn has come: what becomes of it is known soon
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def ring(self) -> None:
        """Tells the thread that somebody waits."""
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    def stop(self) -> None:
        """Commits what waits, closes the thread's connection and ends it."""
        self._ending = True
        self._bell.put(None)
        self._thread.join()

    def _failed(self) -> Busy:
        return Busy(f"{_FAILED}: {self._reason}")

    def _run(self) -> None:
        try:
            going = True
            while going:
                tickets, going = self._next()
                taken = [ticket for ticket in tickets if ticket.take()]
                if self.down and taken:  # they came while the transaction failed
                    _tell(taken, self._failed())
                else:
                    self._store(taken)
                    if not taken and not self.down:
                        self.database.rest()
        finally:
            self.database.close()

    def _next(self) -> tuple[list[_Ticket], bool]:
        """Those who wait now (none when nobody came for a while), and whether there may be more."""
        with suppress(queue.Empty):
            self._bell.get(timeout=PROBE_SECONDS if self.down else IDLE_SECONDS)
        self._rung = False  # before looking: whoever comes later rings again
        tickets: list[_Ticket] = []
        left = AT_MOST
        with suppress(IndexError):
            while left > 0:
                tickets.append(self._waiting.popleft())
                left -= self._rows(tickets[-1].work)
        if self._waiting:
            self.ring()
        return tickets, bool(self._waiting) or not self._ending

    def _store(self, tickets: list[_Ticket], commit: Commit | None = None) -> None:
        """Commits the tickets' works and finishes every ticket, whatever happens."""
        commit = commit or self._commit
        failure: Exception | None = None
        try:
            results = commit([self._probe] if self.down else [ticket.work for ticket in tickets])
            self.down = False
            if any(ticket.work is not self._probe for ticket in tickets):
                self.failed_at = -math.inf
        except Locked as error:
            failure = Busy(f"locked by another transaction: {reason(error)}")
        except OperationalError as error:
            self.down, self._reason = True, reason(error)
            if any(ticket.work is not self._probe for ticket in tickets):
                self.failed_at = time.monotonic()
            _tell(tickets, Busy(self._reason))
            return
        except BaseException as error:  # raised where the results are waited for, or logged
            failure = error if isinstance(error, Exception) else Busy(repr(error))
        if failure is not None:  # out here, since an error in there would be told as this one's
            self._apart(tickets, failure)
            return
        for ticket, result in zip(tickets, results if tickets else (), strict=True):
            failed = isinstance(result, Exception)
            ticket.finish(None if failed else result, result if failed else None)

    def _apart(self, tickets: list[_Ticket], error: Exception) -> None:
        """Tries each of several alone; one that was alone hears of the error."""
        if len(tickets) > 1:
            for ticket in tickets:
                if self.down:  # since one of them was tried
                    ticket.finish(None, self._failed())
                else:
                    self._store([ticket], self._commit_alone)
        elif tickets:
            tickets[0].finish(None, error)
        else:
            logger.error("counts could not be written", exc_info=error)


def _tell(tickets: list[_Ticket], error: Busy) -> None:
    for ticket in tickets:
        ticket.finish(None, error)
