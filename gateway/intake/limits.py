"""How much may one key send? Never more than its quota in any window, wherever it sends to."""

from __future__ import annotations

import math
import time
from functools import lru_cache
from pathlib import Path

from adapters.contract import Inbound, Problem, Refused
from gateway.access.caller import Caller
from gateway.core import metrics
from gateway.core.cooperative import aside
from gateway.core.rate import Budget, Rate, Unavailable
from gateway.rate_limits.file_counter import FileCounter
from gateway.rate_limits.redis_counter import RedisCounter

_meter: FileCounter | None = None  # of this host
_shared: RedisCounter | None = None  # of all hosts
_default = ""
_when_away = "open"


def connect(path: Path, default: str, url: str = "", when_away: str = "open") -> None:
    """Sets where limits are counted and the rate of keys that have none of their own.

    Counted in the file at `path`, or on the Redis or Valkey at `url` when there is one; `when_away`
    is what happens while that does not answer: "open", "local" or "closed".
    """
    global _meter, _shared, _default, _when_away
    for meter in (_meter, _shared):
        if meter is not None:
            meter.close()
    _meter, _default, _when_away = FileCounter(path), default, when_away
    _shared = RedisCounter(url) if url else None


def spend(caller: Caller, inbound: Inbound) -> None:
    """Takes one request off the caller's budget and notes what is left for the answer's headers.

    Headers: RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11), and the
    older X-RateLimit-Limit, -Remaining and -Reset (Unix seconds). One that is `spent` has done so. Raises
    Refused (429 with an integer Retry-After) and Unavailable.
    """
    if inbound.spent:
        return
    rate, now = Rate.parse(caller.rate_limit or _default), time.time()
    headers = inbound.answer_headers
    headers["RateLimit-Policy"] = _policy(rate)
    budget = _spend(caller.key_id, rate, now)
    if budget is None:
        return
    headers["RateLimit"] = f'"default";r={budget.remaining};t={budget.reset}'
    headers["X-RateLimit-Limit"] = str(rate.quota)
    headers["X-RateLimit-Remaining"] = str(budget.remaining)
    headers["X-RateLimit-Reset"] = str(math.ceil(now) + budget.reset)
    if not budget.allowed:
        wait = {"Retry-After": str(budget.reset)}
        raise Refused(Problem(429, "rate_limited", "Rate limit exceeded.", headers=wait))


def _spend(name: str, rate: Rate, now: float) -> Budget | None:
    """What is left of the budget; None when nobody counts because the server is away."""
    assert _meter is not None, "connect() comes first"
    if _shared is None:
        return _meter.spend(name, rate, now)
    try:
        return aside(_shared.spend, name, rate)
    except Unavailable:
        if _when_away == "closed":
            raise
        metrics.fallen_back()
        return _meter.spend(name, rate, now) if _when_away == "local" else None


@lru_cache(maxsize=1024)
def _policy(rate: Rate) -> str:
    return f'"default";q={rate.quota};w={rate.window}'
