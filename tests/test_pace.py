"""Long changes in small transactions: how many changes fit, and rests in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway.pace import FIRST, HELD, MOST, in_portions


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rests: list[float] = []

    def __call__(self) -> float:
        return self.now

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)


def portions(count: int, each: float, commit: float = 0.0) -> tuple[list[int], list[float]]:
    """The sizes of the transactions for so many items that take so many seconds each, and the rests."""
    clock, sizes, done = Clock(), [], []

    def act(some: Sequence[int]) -> None:
        clock.now += each * len(some)
        sizes.append(len(some))
        done.extend(some)

    def transact(work: Callable[[], Any]) -> None:
        work()
        clock.now += commit

    in_portions(range(count), transact, act, clock, clock.rest)
    assert done == list(range(count))
    return sizes, clock.rests


@pytest.mark.parametrize("commit", [0.0, 0.5])
@pytest.mark.parametrize("each", [0.00005, 0.0002, 0.001, 0.003])
def test_a_portion_takes_as_long_as_it_may(each: float, commit: float) -> None:
    """After a few portions each takes about as long as it may, however long a commit takes."""
    sizes, rests = portions(3_000, each, commit)

    assert all(size * each <= HELD + 1e-9 for size in sizes[1:])
    assert max(sizes) * each > HELD / 2
    assert len(rests) == len(sizes) - 1 and all(0 < rest <= HELD + 1e-9 for rest in rests)


@pytest.mark.parametrize(("each", "size"), [(0.0, MOST), (10.0, 1)])
def test_there_are_bounds(each: float, size: int) -> None:
    """What takes no time is done by so many at most, and what takes long one by one; none is left out."""
    sizes, rests = portions(5 * MOST, each)

    assert sizes[0] == FIRST and max(sizes[1:-1]) == size
    assert max(rests) <= HELD


def test_nothing_to_do() -> None:
    """Without items there is no transaction."""
    assert portions(0, 1.0) == ([], [])
