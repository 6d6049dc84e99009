"""Long changes in small transactions, with rests in which whoever waits for the database is let in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def rested(longest: float) -> Iterator[None]:
    """Rests after the block as long as it took, at most so many seconds."""
    started = time.monotonic()
    yield
    time.sleep(min(time.monotonic() - started, longest))
