"""Identifiers: a prefix that says what it is, and a ULID that sorts by time."""

from __future__ import annotations

import os
import re
import time

from ulid import ULID, ULIDGenerator
from ulid.constants import RANDOMNESS_LEN

SET_BACK = 60_000  # milliseconds that a clock may be set back while ids go on from where they were
DRAWN = 256  # ids for which the system is asked for random bytes at once

_ULID = re.compile("_[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new_id(prefix: str) -> str:
    """A fresh id such as `fb_01J9Z3...`; within one process ids only ever grow, also within a millisecond.

    A clock set back by more than SET_BACK is believed: ids say when they were made.
    """
    return f"{prefix}_{new_ulid()}"


def new_ulid() -> str:
    """The part of an id after its prefix."""
    return str(_generator.generate())


def id_at(prefix: str, milliseconds: int) -> str:
    """The least id made at a time, in milliseconds since the epoch."""
    return f"{prefix}_{ULID.from_int(max(0, milliseconds) << 80)}"


def is_ours(prefix: str, text: str) -> bool:
    """Whether an id could be one of ours, by its shape: those of others need no look into the database."""
    return text.startswith(prefix) and _ULID.fullmatch(text, len(prefix)) is not None


def now_ms() -> int:
    """The time in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


class _Clock:
    """The time in milliseconds, which stands still while the system's is a little behind of what was told."""

    _last = 0

    def __call__(self) -> int:
        now, last = now_ms(), self._last
        self._last = last if now < last <= now + SET_BACK else now
        return self._last


class _Randomness:
    """The system's random bytes, many at a time: to ask for them lets another thread take the interpreter."""

    def __init__(self) -> None:
        self._drawn: list[bytes] = []

    def __call__(self, timestamp: int) -> bytes:
        """Fresh bytes, whatever the time. Called under the generator's lock."""
        if not self._drawn:
            many = os.urandom(DRAWN * RANDOMNESS_LEN)
            self._drawn = [many[at : at + RANDOMNESS_LEN] for at in range(0, len(many), RANDOMNESS_LEN)]
        return self._drawn.pop()


def _begin() -> None:
    """Starts anew, as after a fork: the child would make its parent's ids."""
    global _generator
    _generator = ULIDGenerator(clock=_Clock(), randomness=_Randomness())


_generator: ULIDGenerator
_begin()
os.register_at_fork(after_in_child=_begin)
