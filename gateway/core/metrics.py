"""Numbers for Prometheus: requests by source and outcome, and how long they took.

With several workers each writes its own files below PROMETHEUS_MULTIPROC_DIR, which `serve` sets,
and whoever is asked adds them up.
"""

from __future__ import annotations

import math
import os
import time
from functools import cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from adapters.contract import Reply
from gateway.core import log

TELL_SECONDS = 60.0  # between two lines about numbers that are lost
_told = -math.inf  # monotonic seconds

REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "gateway_requests",
    "Requests at the doors, by what became of them.",
    ("source", "outcome"),
    registry=REGISTRY,
)
SECONDS = Histogram(
    "gateway_request_seconds",
    "Seconds from a request's head to its answer.",
    ("source",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)

_requests = cache(REQUESTS.labels)  # looking a label up costs more than counting
_seconds = cache(SECONDS.labels)


@cache
def _uncounted() -> Counter:
    return Counter(
        "gateway_limits_fallbacks",
        "Requests let through uncounted, or counted on one host alone, while the limits server was away.",
        registry=REGISTRY,
    )


def connect() -> None:
    """Counts where PROMETHEUS_MULTIPROC_DIR says, if it does, from now on.

    The library looks at it when it is imported, which is before `serve` has set it. Call it before
    anything is counted.
    """
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
    _uncounted()  # shown from the start


def fallen_back() -> None:
    """Counts a request that was let through uncounted, or counted on one host alone."""
    try:
        _uncounted().inc()
    except OSError as error:
        _lost(error)


def observe(source: str, outcome: str, seconds: float) -> None:
    """Counts one answered request. That it cannot be counted must not change what its sender hears."""
    try:
        _requests(source, outcome).inc()
        _seconds(source).observe(seconds)
    except OSError as error:  # a file for a number that is new here: no descriptor, no room
        _lost(error)


def _lost(error: OSError) -> None:
    global _told
    if time.monotonic() - _told > TELL_SECONDS:
        _told = time.monotonic()
        log.logger.error("a number for /metrics is lost", extra={"facts": {"error": str(error)}})


def exposition() -> Reply:
    """Every number, of all workers, in Prometheus's text format."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Reply(200, generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
