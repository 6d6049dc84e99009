"""When a delivery that failed is tried again, and when a destination is given up."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000  # milliseconds
# Before each attempt, as Standard Webhooks has it: seconds at first, then for some three days.
LADDER = tuple(
    seconds * SECOND for seconds in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
JITTER = 0.2  # of a delay, more or less: those who failed together do not come together
BUSY = (429, 502, 504)  # statuses that are about the receiver, not about this delivery
SILENT_FOR, FAILING_FOR = 5 * DAY, 12 * HOUR


def delay(rung: int) -> int | None:
    """Milliseconds to wait after so many attempts; None when that was the last one."""
    return round(LADDER[rung] * random.uniform(1 - JITTER, 1 + JITTER)) if rung < len(LADDER) else None


def is_lost(destination: Mapping[str, Any], now: int) -> bool:
    """Whether a destination that fails now is given up: nothing was taken for five days.

    The failures must be twelve hours apart at least, so that those of one night do not decide.
    """
    since = max(destination["succeeded_at"] or 0, destination["enabled_at"])
    failing = destination["failing_since"]
    return failing is not None and now - failing >= FAILING_FOR and now - since >= SILENT_FOR
