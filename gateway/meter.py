"""Counts what each name spends, exactly, in one small file that every process of this host maps.

A sliding window in slots of a sixtieth: a request is let through when fewer than `quota` were let
through in the running slot and the sixty before it, so never more than `quota` in any window.

The file is a row of segments, each twice as long as the one before, of records in buckets of eight.
A name lives in the bucket that its digest says, in the first segment that had room. Records whose
window is over are used again, so the file grows only with names that are counted at the same time.
A record is a handful of words, each written whole: a process killed between two of them leaves
counts that are right, or of nobody. The file is never synced: after a power cut the worst is a
window counted from zero.
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
from contextlib import suppress
from hashlib import blake2b
from itertools import compress, count
from pathlib import Path

from gateway import log
from gateway.rates import SLOTS, Budget, Rate, Unavailable
from models.files import make_folder

_RING = SLOTS + 1  # the running slot and the sixty before it; slot n is counted at n % _RING
_COUNTS = struct.Struct(f"={_RING}I")
_DIGEST = struct.Struct("=qq")
_HEAD = struct.Struct("=6q")  # digest (two), newest slot, window, sum of the counts, oldest slot with one
_SLOT, _WINDOW, _USED, _OLDEST = 2, 3, 4, 5  # words of a record
_FIRST = 12  # half word where the counts begin
_RECORD = 320  # bytes: head and counts, rounded up to whole cache lines
_WORDS, _HALVES = _RECORD // 8, _RECORD // 4
_BUCKET = 8  # records
_SEGMENT = 1024  # records of the first segment
_ZEROS = bytes(_SEGMENT * _RECORD)
_REMEMBERED = 16384  # names whose places a process keeps in mind

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


class Meter:
    """Counts in the file at `path`, of at most so many `segments`: six are 20.6 MB for 64,512 names.

    Beyond that a new name takes the place of the one in its bucket that was idle longest. The file
    is opened at the first use, and anew after a fork, since a flock belongs to the open file. It
    belongs on a local disk.
    """

    def __init__(self, path: Path, segments: int = 6) -> None:
        self._path = path
        self._most = segments
        self._threads = threading.Lock()
        self._opened = 0  # the generation that opened the file
        self._file = -1
        self._told = False
        self._segments: list[tuple[int, int]] = []  # mapped ones: first record, number of buckets
        self._places: dict[str, tuple[int, int, int]] = {}  # a name's record when last seen, and its digest
        self._map: mmap.mmap
        self._words: memoryview
        self._halves: memoryview

    def spend(self, name: str, rate: Rate, now: float) -> Budget:
        """Takes one request of `rate` for `name`, in one atomic step.

        `now` is seconds since the epoch. Raises Unavailable.
        """
        span = rate.window / SLOTS
        slot = int(now / span)
        with self._threads:
            if self._opened != _generation:
                self._open()
            if _flock(self._file, _TRY):
                self._wait()
            try:
                at, first, second = self._places.get(name) or self._place(name, now)
                one, two, last, window, used, oldest = _HEAD.unpack_from(self._map, at * _RECORD)
                if one != first or two != second:  # another name's by now
                    at, window = self._place(name, now)[0], 0
                if slot != last or window != rate.window:
                    slot, used, oldest = self._advance(at, slot, rate.window)
                allowed = used < rate.quota
                if allowed:
                    used += 1
                    self._halves[at * _HALVES + _FIRST + slot % _RING] += 1
                    self._words[at * _WORDS + _USED] = used
            finally:
                _flock(self._file, fcntl.LOCK_UN)
        reset = math.ceil((oldest + _RING) * span - now)
        return Budget(allowed, max(0, rate.quota - used), max(1, reset))

    def exhausted(self, name: str, rate: Rate, now: float) -> int:
        """Seconds until `name` may spend again; 0 when it may now. Takes nothing, waits for no process.

        Raises Unavailable.
        """
        span = rate.window / SLOTS
        with self._threads:
            if self._opened != _generation:
                self._open()
            at = self._find(*_digest(name))
            if at < 0 or self._words[at * _WORDS + _WINDOW] != rate.window:
                return 0
            last = self._words[at * _WORDS + _SLOT]
            counts = _COUNTS.unpack_from(self._map, at * _RECORD + _FIRST * 4)
        slot = max(int(now / span), last)
        live = _oldest_first(counts, last)[slot - last :]
        if sum(live) < rate.quota or slot - now / span > SLOTS:
            return 0
        return max(1, math.ceil((_oldest(live, last) + _RING) * span - now))

    def close(self) -> None:
        """Lets go of the file; the next use opens it again."""
        with self._threads:
            if self._opened == _generation:
                os.close(self._file)
            self._opened = 0

    def _wait(self) -> None:
        """Takes the lock that another process has; the threads of this one queue on a lock of their own."""
        for _ in range(_TRIES):
            time.sleep(0)  # gives way to the owner
            if _flock(self._file, _TRY) == 0:
                return
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def _place(self, name: str, now: float) -> tuple[int, int, int]:
        """The record of a name, made when it has none, and its digest. The lock is held."""
        first, second = _digest(name)
        at = self._find(first, second)
        if at < 0:
            at = self._make(first, second, now)
        if len(self._places) >= _REMEMBERED:
            self._places.clear()
        self._places[name] = place = (at, first, second)
        return place

    def _find(self, first: int, second: int) -> int:
        """The record with this digest, -1 when there is none."""
        words = self._words
        for start, buckets in self._segments:
            bucket = start + first % buckets * _BUCKET
            for at in range(bucket, bucket + _BUCKET):
                if words[at * _WORDS] == first and words[at * _WORDS + 1] == second:
                    return at
        return -1

    def _make(self, first: int, second: int, now: float) -> int:
        """A record for a new digest: one that is free, of a new segment, or of the name idle longest."""
        if self._remap() and (at := self._find(first, second)) >= 0:
            return at  # another process made it, in a segment that was not mapped here
        places = [
            at
            for start, buckets in self._segments
            for bucket in [start + first % buckets * _BUCKET]
            for at in range(bucket, bucket + _BUCKET)
        ]
        idle = [self._idle(at, now) for at in places]
        at = places[idle.index(max(idle))]
        if max(idle) < 1 and len(self._segments) < self._most:
            with suppress(OSError):  # without room on the disk the idlest name is forgotten instead
                self._grow()
                start, buckets = self._segments[-1]
                at = start + first % buckets * _BUCKET
        self._words[at * _WORDS + _WINDOW] = 0  # of nobody, until the last word is written
        self._words[at * _WORDS] = first
        self._words[at * _WORDS + 1] = second
        return at

    def _idle(self, at: int, now: float) -> float:
        """How much of its window has passed since a record was counted in; 1 or more when it is free."""
        window = self._words[at * _WORDS + _WINDOW]
        if window <= 0:
            return math.inf
        age = now * SLOTS / window - self._words[at * _WORDS + _SLOT]
        return age / _RING if age > -SLOTS else math.inf

    def _advance(self, at: int, slot: int, window: int) -> tuple[int, int, int]:
        """Forgets what is too old in a record, or was counted for another window.

        Returns its running slot, the sum of its counts and the oldest slot that has one. A clock
        set back a little keeps counting in the newest slot known, so that nobody gains by it; set
        back by more than a window it starts anew, or a name would be shut out until the clock
        catches up. The head is written after the counts: who is killed here lost only old ones.
        """
        words, base = self._words, at * _WORDS
        last = words[base + _SLOT]
        known = words[base + _WINDOW] == window and last - SLOTS <= slot
        if known and slot <= last:
            return last, words[base + _USED], words[base + _OLDEST]
        for old in range(max(last + 1, slot - SLOTS) if known else slot - SLOTS, slot + 1):
            self._halves[at * _HALVES + _FIRST + old % _RING] = 0
        live = _oldest_first(_COUNTS.unpack_from(self._map, at * _RECORD + _FIRST * 4), slot)
        used, oldest = sum(live), _oldest(live, slot)
        words[base + _USED] = used
        words[base + _OLDEST] = oldest
        words[base + _SLOT] = slot
        words[base + _WINDOW] = window
        return slot, used, oldest

    def _open(self) -> None:
        try:
            make_folder(self._path.parent)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unavailable(error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._segments = []
            self._places = {}
            if not self._remap():
                self._grow()
            fcntl.flock(self._file, fcntl.LOCK_UN)
        except OSError as error:
            os.close(self._file)
            raise self._unavailable(error) from error
        self._opened = _generation
        self._told = False

    def _unavailable(self, error: OSError) -> Unavailable:
        """What went wrong, in the log only when it begins."""
        message = f"{self._path}: {error.strerror}"
        if not self._told:
            self._told = True
            log.logger.error("requests cannot be counted", extra={"facts": {"error": message}})
        return Unavailable(message)

    def _remap(self) -> bool:
        """Maps the segments that the file has now; whether there are more than before. The lock is held."""
        segments, end = list[tuple[int, int]](), 0
        records = os.fstat(self._file).st_size // _RECORD
        while len(segments) < self._most and end + (length := _SEGMENT << len(segments)) <= records:
            segments.append((end, length // _BUCKET))
            end += length
        if len(segments) == len(self._segments):
            return False
        self._map = mmap.mmap(self._file, end * _RECORD)
        self._words = memoryview(self._map).cast("q")
        self._halves = memoryview(self._map).cast("I")
        self._segments = segments
        return True

    def _grow(self) -> None:
        """Adds a segment. The lock is held. Raises OSError when the disk has no room.

        Its zeros are written, not left as a hole: a hole that the disk has no room for would kill
        the process that counts in it, with SIGBUS.
        """
        length = _SEGMENT << len(self._segments)
        at = (length - _SEGMENT) * _RECORD  # the segments before it are together one shorter than it
        end = at + length * _RECORD
        while at < end:
            at += os.pwrite(self._file, _ZEROS[: end - at], at)
        self._remap()


def _digest(name: str) -> tuple[int, int]:
    first, second = _DIGEST.unpack(blake2b(name.encode(), digest_size=16).digest())
    return first, second


def _oldest_first(counts: tuple[int, ...], slot: int) -> tuple[int, ...]:
    running = slot % _RING
    return counts[running + 1 :] + counts[: running + 1]


def _oldest(live: tuple[int, ...], slot: int) -> int:
    """The oldest slot that has a count, `slot` when none has; that is the slot of the last of `live`."""
    return slot + 1 - len(live) + next(compress(count(), live), len(live) - 1)
