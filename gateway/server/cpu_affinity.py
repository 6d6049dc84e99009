"""Each worker on a processor of its own.

One interpreter runs one thread at a time. Spread over processors its threads hand the interpreter's
lock to each other dozens of times a request, each time with cold caches; on one processor they take
turns. A request costs about a third less so (`python -m benchmarks.intake`).
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # cgroup v2: "max 100000", or so many microseconds of so many


def processors(wanted: str, workers: int) -> list[int]:
    """The processors to spread workers over; none when they are not to be bound.

    `wanted` is "on", "off" or "auto": bound when there is a worker for every processor this machine
    gives us. With fewer workers, or only a share of the processors' time (a container), others use
    them too, and the system knows better.
    """
    if wanted == "off" or not hasattr(os, "sched_getaffinity"):
        return []
    ours = sorted(os.sched_getaffinity(0))
    if wanted == "auto" and (workers < len(ours) or _share_of_time()):
        return []
    return ours


def choose(arbiter: Any, worker: Any, ours: list[int]) -> None:
    """Notes for a worker about to be forked the processor that the fewest others have."""
    taken = Counter(getattr(other, "processor", None) for other in arbiter.WORKERS.values())
    worker.processor = min(ours, key=lambda number: taken[number]) if ours else None


def bind(worker: Any) -> None:
    """Binds this process, a worker just forked, to the processor chosen for it."""
    if worker.processor is not None:
        os.sched_setaffinity(0, {worker.processor})


def _share_of_time() -> bool:
    """Whether a quota says how much of the processors' time is ours."""
    try:
        return not QUOTA.read_text().startswith("max")
    except OSError:
        return False
