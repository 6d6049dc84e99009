"""Counts what each name spends, exactly, in one small file that every process of this host maps.

A sliding window in slots of a sixtieth: a request is let through when fewer than `quota` were let
through in the running slot and the sixty before it, so never more than `quota` in any window.

The file is a fixed row of records, in buckets of eight; a name's digest says which is its bucket. A record
whose window is over is used again, and in a full bucket the one that is idle longest. A record is a handful
of words, each written whole: a process killed between two of them leaves counts that are right, or of
nobody. The file is never synced: after a power cut the worst is a window counted from zero.
"""

from __future__ import annotations

import ctypes
import fcntl
import math
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from gateway.core import log
from gateway.core.rate import SLOTS, Budget, Rate, Unavailable
from models.database.private_files import make_folder

_RING = SLOTS + 1  # the running slot and the sixty before it; slot n is counted at n % _RING
_RECORD = 320  # bytes: four words of head and the counts, rounded up to whole cache lines
_FIRST, _SECOND, _SLOT, _WINDOW = range(4)  # words: the digest (two), the newest slot, the window in seconds
_COUNTS = 8  # half word where the counts begin
_BUCKET = 8  # records

# Python's own flock() gives up the GIL, and a thread that owns the lock and waits for the GIL holds up
# every other process. Called like this it keeps the GIL, and asked like this it never waits.
_flock = ctypes.PyDLL(None).flock
_TRY = fcntl.LOCK_EX | fcntl.LOCK_NB
_TRIES = 50  # an owner is done within microseconds, unless it lost its processor

_generation = 1  # of processes: a forked one is the next


def _forked() -> None:
    global _generation
    _generation += 1


os.register_at_fork(after_in_child=_forked)


class FileCounter:
    """Counts in the file at `path`, of so many `records`: 16,384 are 5.2 MB.

    The file is opened at the first use, and anew after a fork, since a flock belongs to the open file.
    It belongs on a local disk.
    """

    def __init__(self, path: Path, records: int = 16_384) -> None:
        self._path = path
        self._buckets = records // _BUCKET
        self._threads = threading.Lock()
        self._opened = 0  # the generation that opened the file
        self._file = -1
        self._told = False
        self._words: memoryview
        self._halves: memoryview

    def spend(self, name: str, rate: Rate, now: float) -> Budget:
        """Takes one request of `rate` for `name`, in one atomic step.

        `now` is seconds since the epoch. Raises Unavailable.
        """
        span = rate.window / SLOTS
        digest = _digest(name)
        with self._locked():
            at = self._find(digest)
            if at < 0:
                at = self._make(digest, now)
            slot = self._advance(at, int(now / span), rate.window)
            live = self._counted(at, slot)
            used = sum(live)
            allowed = used < rate.quota
            if allowed:
                self._halves[at * 2 + _COUNTS + slot % _RING] += 1
                live[-1] += 1
        remaining = max(0, rate.quota - used - allowed)
        return Budget(allowed, remaining, _reset(live, slot, span, now))

    def exhausted(self, name: str, rate: Rate, now: float) -> int:
        """Seconds until `name` may spend again; 0 when it may now. Takes nothing, waits for no process.

        Raises Unavailable.
        """
        span = rate.window / SLOTS
        with self._threads:
            self._open()
            at = self._find(_digest(name))
            if at < 0 or self._words[at + _WINDOW] != rate.window:
                return 0
            last = self._words[at + _SLOT]
            live = self._counted(at, last)
        slot = max(int(now / span), last)
        live = live[slot - last :]
        if sum(live) < rate.quota or slot - now / span > SLOTS:
            return 0
        return _reset(live, last, span, now)

    def close(self) -> None:
        """Lets go of the file; the next use opens it again."""
        with self._threads:
            if self._opened == _generation:
                os.close(self._file)
            self._opened = 0

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The file is this thread's alone. Threads of a process queue on a lock of their own."""
        with self._threads:
            self._open()
            tries = 0
            while _flock(self._file, _TRY):
                tries += 1
                if tries > _TRIES:
                    fcntl.flock(self._file, fcntl.LOCK_EX)
                    break
                time.sleep(0)  # gives way to the owner
            try:
                yield
            finally:
                _flock(self._file, fcntl.LOCK_UN)

    def _bucket(self, digest: tuple[int, int]) -> range:
        """The records where a name may be counted, each by its first word."""
        start = digest[0] % self._buckets * _BUCKET
        return range(start * _RECORD // 8, (start + _BUCKET) * _RECORD // 8, _RECORD // 8)

    def _find(self, digest: tuple[int, int]) -> int:
        """The record with this digest, -1 when there is none."""
        words, (first, second) = self._words, digest
        for at in self._bucket(digest):
            if words[at] == first and words[at + _SECOND] == second:
                return at
        return -1

    def _make(self, digest: tuple[int, int], now: float) -> int:
        """A record for a new digest: the one of its bucket that is free, or idle longest."""
        at = max(self._bucket(digest), key=lambda at: self._idle(at, now))
        self._words[at + _WINDOW] = 0  # of nobody, until the last word is written
        self._words[at + _FIRST], self._words[at + _SECOND] = digest
        return at

    def _idle(self, at: int, now: float) -> float:
        """How much of its window has passed since a record was counted in; infinite when it is free."""
        window = self._words[at + _WINDOW]
        if window <= 0:
            return math.inf
        age = now * SLOTS / window - self._words[at + _SLOT]
        return age if age > -SLOTS else math.inf

    def _advance(self, at: int, slot: int, window: int) -> int:
        """Forgets what is too old in a record, or was counted for another window; returns its running slot.

        A clock set back a little keeps counting in the newest slot known, so that nobody gains by it; set
        back by more than a window it starts anew, or a name would be shut out until the clock
        catches up. The head is written after the counts: who is killed here lost only old ones.
        """
        last = self._words[at + _SLOT]
        known = self._words[at + _WINDOW] == window and last - SLOTS <= slot
        if known and slot <= last:
            return last
        for old in range(max(last + 1, slot - SLOTS) if known else slot - SLOTS, slot + 1):
            self._halves[at * 2 + _COUNTS + old % _RING] = 0
        self._words[at + _SLOT] = slot
        self._words[at + _WINDOW] = window
        return slot

    def _counted(self, at: int, slot: int) -> list[int]:
        """The counts of a record, oldest first; the last one is that of its running slot."""
        start, running = at * 2 + _COUNTS, slot % _RING + 1
        counts = self._halves[start : start + _RING].tolist()
        return counts[running:] + counts[:running]

    def _open(self) -> None:
        """Maps the file, unless this process has. Raises Unavailable, and logs that when it begins."""
        if self._opened == _generation:
            return
        size = self._buckets * _BUCKET * _RECORD
        try:
            make_folder(self._path.parent)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # A hole that the disk has no room for would kill the process that counts in it, with SIGBUS.
                os.posix_fallocate(file, 0, size)
                mapped = memoryview(mmap.mmap(file, size))
            except OSError:
                os.close(file)
                raise
        except OSError as error:
            message = f"{self._path}: {error.strerror}"
            if not self._told:
                self._told = True
                log.logger.error("requests cannot be counted", extra={"facts": {"error": message}})
            raise Unavailable(message) from error
        self._words, self._halves = mapped.cast("q"), mapped.cast("I")
        self._file, self._opened, self._told = file, _generation, False


@lru_cache(maxsize=4096)  # hardly anybody posts once: to make it each time took 1 % of a post
def _digest(name: str) -> tuple[int, int]:
    first, second = struct.unpack("=qq", blake2b(name.encode(), digest_size=16).digest())
    return first, second


def _reset(live: list[int], slot: int, span: float, now: float) -> int:
    """Seconds until the oldest of these counts is forgotten; `slot` is that of the last one."""
    age = next((len(live) - 1 - n for n, counted in enumerate(live) if counted), 0)
    return max(1, math.ceil((slot - age + _RING) * span - now))
