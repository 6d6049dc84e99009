"""How much may one key send? Counted in a small database beside the main one, exactly.

A sliding window in slots of a sixtieth: a request is let through when fewer than `quota` were let
through in the running slot and the sixty before it, so never more than `quota` in any window. One
row a key is read and written under a lock that threads and processes share; a restart forgets
nothing. The file is not synced: after a power cut the worst is a window counted from zero.
"""

from __future__ import annotations

import math
import sqlite3
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from adapters.contract import Inbound, Problem, Refused
from gateway.caller import Caller
from gateway.rates import Rate
from models.lock import WriteLock

_SLOTS = 60
_ROW = struct.Struct(f"<q{_SLOTS + 1}I")  # the running slot's number, then its count and the older ones'

_TABLE = "CREATE TABLE IF NOT EXISTS spent (name TEXT PRIMARY KEY, slots BLOB NOT NULL) WITHOUT ROWID"
_KEEP = "INSERT INTO spent VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET slots = excluded.slots"


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of a rate after one request. `reset` is seconds until some of it comes back."""

    allowed: bool
    remaining: int
    reset: int


class Meter:
    """Counts what each key spends."""

    def __init__(self, path: Path, default: str) -> None:
        self._path = path
        self._default = default
        self._lock = WriteLock(path.with_name(path.name + ".lock"))
        self._local = threading.local()

    def spend(self, name: str, rate: Rate, now: float) -> Budget:
        """Takes one request of `rate` for `name`, in one atomic step. `now` is seconds since the epoch."""
        slot_seconds = rate.window / _SLOTS
        slot = math.floor(now / slot_seconds)
        with self._lock:
            database = self._connection()  # under the lock: two that switch to WAL at once fail
            database.execute("BEGIN IMMEDIATE")
            try:
                row = database.execute("SELECT slots FROM spent WHERE name = ?", (name,)).fetchone()
                slot, counts = _counts(row[0] if row else None, slot)
                used = sum(counts)
                allowed = used < rate.quota
                if allowed:
                    counts[0] += 1
                    used += 1
                    database.execute(_KEEP, (name, _ROW.pack(slot, *counts)))
                database.execute("COMMIT")
            except BaseException:
                database.execute("ROLLBACK")
                raise
        oldest = max(age for age, count in enumerate(counts) if count) if used else 0
        free_at = (slot - oldest + _SLOTS + 1) * slot_seconds
        return Budget(allowed, rate.quota - used, max(1, math.ceil(free_at - now)))

    def rate_of(self, caller: Caller) -> Rate:
        """The caller's own rate, or the default one."""
        return Rate.parse(caller.rate_limit or self._default)

    def _connection(self) -> sqlite3.Connection:
        opened: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if opened is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(self._path, timeout=10, isolation_level=None)
            opened.execute("PRAGMA journal_mode = wal")
            opened.execute("PRAGMA synchronous = off")
            opened.execute(_TABLE)
            self._local.connection = opened
        return opened


_meter: Meter | None = None


def connect(path: Path, default: str) -> None:
    """Sets where limits are counted and the rate of keys that have none of their own."""
    global _meter
    _meter = Meter(path, default)


def spend(caller: Caller, inbound: Inbound) -> None:
    """Takes one request off the caller's budget and notes what is left for the answer's headers.

    Headers: RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11), and the
    older X-RateLimit-Limit, -Remaining and -Reset (Unix seconds). Raises Refused (429 with an
    integer Retry-After).
    """
    assert _meter is not None, "connect() comes first"
    rate, now = _meter.rate_of(caller), time.time()
    budget = _meter.spend(caller.key_id, rate, now)
    inbound.answer_headers.update(
        {
            "RateLimit-Policy": f'"default";q={rate.quota};w={rate.window}',
            "RateLimit": f'"default";r={budget.remaining};t={budget.reset}',
            "X-RateLimit-Limit": str(rate.quota),
            "X-RateLimit-Remaining": str(budget.remaining),
            "X-RateLimit-Reset": str(math.ceil(now) + budget.reset),
        }
    )
    if not budget.allowed:
        headers = {"Retry-After": str(budget.reset)}
        raise Refused(Problem(429, "rate_limited", "Rate limit exceeded.", headers=headers))


def _counts(packed: bytes | None, slot: int) -> tuple[int, list[int]]:
    """The running slot, and the counts of it and the sixty before it, newest first.

    A clock set back a little keeps counting in the newest slot known, so that nobody gains by it;
    set back by more than a window it starts anew, or a key would be shut out until it catches up.
    """
    if packed is None:
        return slot, [0] * (_SLOTS + 1)
    last, *counts = _ROW.unpack(packed)
    if last - slot > _SLOTS:
        return slot, [0] * (_SLOTS + 1)
    slot = max(slot, last)
    aged = min(slot - last, _SLOTS + 1)
    return slot, [0] * aged + counts[: _SLOTS + 1 - aged]
