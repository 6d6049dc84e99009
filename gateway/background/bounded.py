"""Requests to other servers, some at a time, of which one server or workspace has no more than its share."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from gateway.background.lease import HEARTBEAT, Lease
from gateway.core.ids import now_ms
from gateway.core.pacing import transact

EVERY = 60_000  # milliseconds between two looks at most
POLL = 1.0  # seconds between two looks while some are under way

Row = dict[str, Any]
Result = TypeVar("Result")
# Rows that are due: at most so many, none of these ids, and none with these values of the column.
Due = Callable[[int, Iterable[str], Iterable[str]], list[Row]]


@dataclass(frozen=True, slots=True)
class Bounded(Generic[Result]):
    """Rows of which `at_once` are under way, and `of_one` of those with the same value in `column`.

    So one that is slow holds up nobody else's; a row that goes `alone` is the only one of its value. `begin`
    says what a thread of `pool` is to do for a row, and `note` writes what came of that within a transaction.
    """

    pool: ThreadPoolExecutor
    at_once: int
    of_one: int
    column: str
    due: Due
    begin: Callable[[Row], Callable[[], Result]]
    note: Callable[[Row, Result], None]
    alone: Callable[[Row], bool] = lambda row: False

    def until_none(self, lease: Lease) -> int:
        """Does what is due until nothing is; how much that was.

        When the process is to end, or there is an error, what is under way comes to its end and is noted.
        Raises as `lease.transact` does.
        """
        under_way: dict[Future[Result], Row] = {}
        done, extended = 0, time.monotonic()
        try:
            while True:
                for row in [] if lease.stopping() else self._free([*under_way.values()]):
                    under_way[self.pool.submit(self.begin(row))] = row
                if not under_way:
                    return done
                done += self._note(lease, under_way, POLL)
                if time.monotonic() - extended >= HEARTBEAT and not lease.stopping():
                    lease.extend()
                    extended = time.monotonic()
        finally:
            while under_way:
                self._note(lease, under_way, None)

    def _note(self, lease: Lease, under_way: dict[Future[Result], Row], patience: float | None) -> int:
        """Notes what is done, also when the process is to end or has lost the lease; how much."""
        done = wait(under_way, patience, FIRST_COMPLETED).done
        for future in done:
            lease.carry_out(partial(transact, partial(self.note, under_way.pop(future), future.result())))
        return len(done)

    def _free(self, under_way: list[Row]) -> list[Row]:
        """What may begin now beside what is under way."""
        counts = Counter(row[self.column] for row in under_way)
        full = [row[self.column] for row in under_way if counts[row[self.column]] >= self._most(row)]
        free = self.at_once - len(under_way)
        if free <= 0:
            return []
        chosen: list[Row] = []
        for row in self.due(self.at_once * self.of_one, [row["id"] for row in under_way], full):
            if len(chosen) < free and counts[row[self.column]] < self._most(row):
                counts[row[self.column]] += 1
                chosen.append(row)
        return chosen

    def _most(self, row: Row) -> int:
        return 1 if self.alone(row) else self.of_one


def pause(upcoming: int | None) -> int:
    """Milliseconds until the next look, by when the next row is due (milliseconds UTC); None for none."""
    return EVERY if upcoming is None else min(max(upcoming - now_ms(), 1), EVERY)
