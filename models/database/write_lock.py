"""A lock that threads and processes queue on, so that none of them polls."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType


class WriteLock:
    """Exclusive among the threads of a process (a lock) and among processes (flock on a file).

    SQLite's own busy handler polls with growing sleeps, which makes the tail seconds long when two
    processes write; waiters on a flock are woken in turn. The file is opened anew after a fork,
    since a flock belongs to the open file and a shared one would exclude nobody.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._file = -1
        self._owner = 0

    def __del__(self) -> None:
        if self._owner == os.getpid():
            os.close(self._file)

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            if self._owner != os.getpid():
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._owner = os.getpid()
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except BaseException:  # also of a signal: the lock would never be free again
            self._threads.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._threads.release()
