"""Long changes in small transactions, with rests in which whoever waits for the database is let in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

Item = TypeVar("Item")

HELD = 0.004  # seconds that a transaction of many small changes may keep others from writing
FIRST, MOST = 10, 1_000  # items of a portion


@contextmanager
def rested(longest: float) -> Iterator[None]:
    """Rests after the block as long as it took, at most so many seconds."""
    started = time.monotonic()
    yield
    time.sleep(min(time.monotonic() - started, longest))


def in_portions(
    items: Sequence[Item],
    transact: Callable[[Callable[[], Any]], Any],
    act: Callable[[Sequence[Item]], Any],
    clock: Callable[[], float] = time.monotonic,
    rest: Callable[[float], None] = time.sleep,
) -> None:
    """Does `act` to items, a portion of them in a transaction of its own that takes about HELD seconds.

    How many these are is learnt from the portion before. After each one it rests as long as that took. The
    commit does not count: it takes as long for one item as for many.
    """
    start, size, took = 0, FIRST, 0.0

    def timed(some: Sequence[Item]) -> None:
        nonlocal took
        began = clock()
        act(some)
        took = clock() - began

    while some := items[start : start + size]:
        transact(partial(timed, some))
        start += len(some)
        size = max(1, min(2 * size, int(len(some) * HELD / took) if took else MOST, MOST))
        if start < len(items):
            rest(min(took, HELD))
