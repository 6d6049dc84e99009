"""How many requests that take long are answered at once: the threads of a process are everybody's."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.contract import Problem, Refused

RETRY_AFTER = "5"  # seconds
SHARE, SHARE_OF_ONE = 2, 4  # parts of the threads: all of them may take one half, a workspace a quarter

_most, _most_of_one = 1, 1
_busy: Counter[str] = Counter()
_lock = threading.Lock()


def connect(threads: int) -> None:
    """Sets how many threads a process has."""
    global _most, _most_of_one
    _most, _most_of_one = max(1, threads // SHARE), max(1, threads // SHARE_OF_ONE)


@contextmanager
def long(workspace_id: str) -> Iterator[None]:
    """A place for something that holds its thread for seconds. Raises Refused (503) when none is free."""
    with _lock:
        if _busy.total() >= _most or _busy[workspace_id] >= _most_of_one:
            message = "Too many long requests at once, try again."
            raise Refused(Problem(503, "overloaded", message, headers={"Retry-After": RETRY_AFTER}))
        _busy[workspace_id] += 1
    try:
        yield
    finally:
        with _lock:
            _busy[workspace_id] -= 1
            if not _busy[workspace_id]:
                del _busy[workspace_id]
