"""Keeps what texts mean as numbers (models.tables.meaning), so that themes need not wait for an encoder.

The newest records of people's words are encoded for some seconds a minute, but for those that a second reader
is about to read: it keeps their numbers itself. What was being encoded when the process ended is encoded one
by one the next time, and a single text that ends it is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway import triage
from gateway.background.lease import Lease, Work
from gateway.background.themes import SPAN
from gateway.core import log
from gateway.core.ids import id_at, now_ms
from gateway.core.pacing import Pace
from gateway.triage.stored import record_of
from models.queries import doubtful
from models.tables import job, meaning

NAME = "meaning"
EVERY = 60_000  # milliseconds between two looks
MOST_LEFT_OUT = 1_000

Encode = Callable[[Sequence[str]], list[bytes]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is encoded: of the `newest` records those that no second reader reads, so many texts at a time.

    It reads those whose category is less sure than `below`. After so many `seconds` others get the thread.
    """

    below: float
    seconds: float = 20.0
    together: int = 8
    newest: int = 20_000


def work(encode: Encode, limits: Limits, clock: Callable[[], float] = time.monotonic) -> Work:
    """The work of an encoder."""
    return Work(NAME, lambda lease: _Encoding(lease, encode, limits, clock).go())


class _Encoding:
    """One look for records to encode, the newest first."""

    def __init__(self, lease: Lease, encode: Encode, limits: Limits, clock: Callable[[], float]) -> None:
        self._pace, self._name, self._encode = Pace(lease.transact), lease.name, encode
        self._limits, self._clock, self._end = limits, clock, clock() + limits.seconds
        self._state: dict[str, Any] = {"begun": [], "left_out": [], **(job.state(lease.name) or {})}

    def go(self) -> int:
        """Encodes what there is, until the time is over."""
        self._resume()
        before, oldest, seen = id_at("fb", now_ms() + 1), id_at("fb", now_ms() - SPAN), 0
        while seen < self._limits.newest and (ids := doubtful.ids_before(before)) and ids[0] >= oldest:
            before, seen = ids[-1], seen + len(ids)
            if not self._look(ids[-1], ids[0]):
                break
        return EVERY

    def _look(self, first: str, last: str) -> bool:
        """Encodes the records with these ids; whether all of them, before the time was over."""
        left_out = self._state["left_out"]
        ids = [one for one in doubtful.unencoded(first, last, self._limits.below) if one not in left_out]
        for start in range(0, len(ids), self._limits.together):
            if self._clock() >= self._end:
                return False
            self._some(ids[start : start + self._limits.together])
        return True

    def _resume(self) -> None:
        """One by one what was being encoded when it all ended; a single one is why."""
        begun = self._state["begun"]
        if len(begun) == 1:
            log.logger.error("an encoder cannot read it", extra={"facts": {"ids": begun}})
            self._remember(begun=[], left_out=[*self._state["left_out"], *begun][-MOST_LEFT_OUT:])
        else:
            for one in begun:
                self._some([one])

    def _some(self, ids: list[str]) -> None:
        """Encodes records and keeps their numbers."""
        if found := doubtful.unencoded_rows(ids, self._limits.below):
            self._remember(begun=ids)
            numbers = self._encode([triage.words_of(record_of(row)) for row in found])
            meant = [
                meaning.Meant(row["id"], row["updated_at"], vector)
                for row, vector in zip(found, numbers, strict=True)
            ]
            self._pace.each(meant, meaning.keep)
        self._remember(begun=[])

    def _remember(self, **changed: Any) -> None:
        """Writes down what is being encoded, where that is news."""
        if any(self._state[name] != value for name, value in changed.items()):
            self._state = {**self._state, **changed}
            self._pace.write(partial(job.remember, self._name, self._state))
