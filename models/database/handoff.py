"""How the threads of a process hand work to each other, which is up to whoever runs the requests.

A thread a request needs no more than this. A worker that answers many requests in one thread has its own
(gateway.core.cooperative.HANDOFF).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Signal:
    """Something that one thread waits for and another one says, once."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, seconds: float = math.inf) -> bool:
        """Whether it was said in time."""
        return self._lock.acquire(timeout=-1 if seconds == math.inf else seconds)

    def set(self) -> None:
        self._lock.release()


def here(act: Callable[[], Any]) -> Any:
    """Does something at once, in the caller's own thread."""
    return act()


@dataclass(frozen=True, slots=True)
class Handoff:
    """What a database and its writer are given when they are made.

    `signal` makes what a request waits for. `call` wakes the writer for a request: it does what it is given,
    at once or soon, and once for all who gave it the same. `bring` does a transaction's statements on the
    embedded database: they wait for nothing, unlike its begin and its commit, and a thread that gives up the
    interpreter's lock for each of them waits for it as often.
    """

    signal: Callable[[], Signal] = Signal
    call: Callable[[Callable[[], None]], None] = here
    bring: Callable[[Callable[[], Any]], Any] = here


THREADS = Handoff()  # each request in a thread of its own
