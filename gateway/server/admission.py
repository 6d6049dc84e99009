"""Admission control: how many requests are answered at once, and which of the others are refused early."""

from __future__ import annotations

import math
import time
from typing import Any

from gevent.lock import Semaphore

CROWDED = 1.0  # seconds of a wait, expected or seen, at which newcomers are turned away


class Overloaded(Exception):
    """A request is refused. Its argument is how many seconds it has waited."""


class Admission:
    """A context in which at most `slots` requests are, while at most `most` others wait in a line.

    Entering raises Overloaded: at once when somebody in the line has waited too long, or a newcomer
    would by how fast it moves, or when it is full; else after `patience` seconds.
    """

    pace = 0.0  # seconds from one request's turn to the next, as of late

    def __init__(self, slots: int, patience: float, most: int) -> None:
        self._free, self._patience, self._most = Semaphore(slots), patience, most
        self._waiting: dict[object, float] = {}  # since when, longest first

    def __enter__(self) -> None:
        if not self._waiting and self._free.acquire(blocking=False):
            self.pace *= 0.9
            return
        if self.crowded():
            raise Overloaded(0.0)
        me, began = object(), time.monotonic()
        self._waiting[me] = began
        place = len(self._waiting)
        try:
            admitted = self._free.acquire(timeout=self._patience)
        finally:
            del self._waiting[me]
        waited = time.monotonic() - began
        self.pace += 0.1 * (waited / place - self.pace)
        if not admitted:
            raise Overloaded(waited)

    def __exit__(self, *_: Any) -> None:
        self._free.release()

    def crowded(self) -> bool:
        """Whether a newcomer would wait too long, or somebody does already, or no more may."""
        waiting = len(self._waiting)
        longest = time.monotonic() - next(iter(self._waiting.values()), math.inf)
        return longest > CROWDED or waiting >= self._most or waiting * self.pace > CROWDED
