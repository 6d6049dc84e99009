"""Many writes in short transactions, with rests in which whoever waits for the database comes first.

Everything that writes beside intake goes through here: a transaction holds up whoever else wants to write,
on the embedded database everybody. What is written is worked out before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from models.database.base import database

HELD = 0.005  # seconds that a transaction may hold up others, about
FIRST = 8  # rows in the first transaction, before anybody knows what one costs
MOST = 256  # rows in any transaction
LEAST_REST, LONGEST_REST = 0.001, 0.1  # seconds after a transaction
PATIENCE = 5.0  # seconds a transaction is tried again for what passes

Item = TypeVar("Item")
Result = TypeVar("Result")
Transact = Callable[[Callable[[], Any]], Any]

clock = time.perf_counter
rest = time.sleep


def transact(work: Callable[[], Result]) -> Result:
    """Does `work` in one write transaction."""
    result: Result = database.obj.transact(work, lambda result: False, PATIENCE)
    return result


class Pace:
    """Transactions that belong together, each with as many rows as HELD allows for.

    After each it rests as long as that took, the wait for others included: the more they have to do, the
    longer. `size` is how many rows the next one should take; what a row costs is found out anew for each
    kind of rows. `transact` is who does a transaction, such as that of a lease (gateway.background.lease).
    """

    def __init__(self, transact: Transact = transact) -> None:
        self.size = FIRST
        self._transact = transact

    def each(self, items: Iterable[Item], act: Callable[[list[Item]], Result]) -> list[Result]:
        """Does `act` with some items at a time, each time in a transaction; what it returned each time.

        Items are asked for outside of transactions. Raises what `act` and `transact` raise; what was
        committed before stays.
        """
        left = iter(items)
        done = []
        self.size = FIRST
        while some := list(islice(left, self.size)):
            done.append(self.write(partial(act, some), len(some)))
        return done

    def until_none(self, act: Callable[[int], int], seconds: float | None = None) -> int:
        """Does `act` with `size`, each time in a transaction, until it finds no rows; how many there were.

        `act` says how many it found. After so many `seconds`, if given, the others are left.
        """
        found, end = 0, None if seconds is None else clock() + seconds
        self.size = FIRST
        while some := self.write(partial(act, self.size), self.size):
            found += some
            if end is not None and clock() >= end:
                break
        return found

    def write(self, act: Callable[[], Result], rows: int | None = None) -> Result:
        """Does `act` in a transaction of its own, and rests; with `rows`, that many decide about `size`."""
        asked = began = worked = clock()

        def timed() -> Result:
            nonlocal began, worked
            began = clock()
            result = act()
            worked = clock()
            return result

        result: Result = self._transact(timed)
        ended = clock()
        if rows is not None:
            self._fit(rows, worked - began, ended - worked)
        rest(min(max(ended - asked, LEAST_REST), LONGEST_REST))
        return result

    def _fit(self, rows: int, working: float, committing: float) -> None:
        """Chooses the next size by what these rows took; a slow disk leaves them half of the time."""
        allowed = HELD - min(committing, HELD / 2)
        fitting = int(rows * allowed / max(working, 1e-9))
        self.size = max(1, min(fitting, 2 * self.size, MOST))
