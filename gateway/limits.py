"""How much may one key send? Never more than its quota in any window, wherever it sends to."""

from __future__ import annotations

import math
import time
from functools import lru_cache
from pathlib import Path

from adapters.contract import Inbound, Problem, Refused
from gateway.caller import Caller
from gateway.meter import Meter
from gateway.rates import Rate

_meter: Meter | None = None
_default = ""


def connect(path: Path, default: str) -> None:
    """Sets where limits are counted and the rate of keys that have none of their own."""
    global _meter, _default
    if _meter is not None:
        _meter.close()
    _meter, _default = Meter(path), default


def spend(caller: Caller, inbound: Inbound) -> None:
    """Takes one request off the caller's budget and notes what is left for the answer's headers.

    Headers: RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11), and the
    older X-RateLimit-Limit, -Remaining and -Reset (Unix seconds). Raises Refused (429 with an
    integer Retry-After) and Unavailable.
    """
    assert _meter is not None, "connect() comes first"
    rate, now = Rate.parse(caller.rate_limit or _default), time.time()
    budget = _meter.spend(caller.key_id, rate, now)
    headers = inbound.answer_headers
    headers["RateLimit-Policy"] = _policy(rate)
    headers["RateLimit"] = f'"default";r={budget.remaining};t={budget.reset}'
    headers["X-RateLimit-Limit"] = str(rate.quota)
    headers["X-RateLimit-Remaining"] = str(budget.remaining)
    headers["X-RateLimit-Reset"] = str(math.ceil(now) + budget.reset)
    if not budget.allowed:
        wait = {"Retry-After": str(budget.reset)}
        raise Refused(Problem(429, "rate_limited", "Rate limit exceeded.", headers=wait))


@lru_cache(maxsize=1024)
def _policy(rate: Rate) -> str:
    return f'"default";q={rate.quota};w={rate.window}'
