"""What a rate limit is: so many requests in a window of so many seconds; and what is left of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

SLOTS = 60  # a window is counted in so many parts
RETRY_AFTER = {"Retry-After": "2"}  # seconds: the header of a 503 that passes by itself

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True, slots=True)
class Rate:
    """`quota` requests in any `window` seconds."""

    quota: int
    window: int

    @staticmethod
    @lru_cache(maxsize=1024)
    def parse(text: str) -> Rate:
        """The rate of a text such as "100/minute" (second, minute, hour or day). Raises ValueError."""
        match = re.fullmatch(r"([1-9]\d{0,8})/(second|minute|hour|day)", text.strip())
        if match is None:
            raise ValueError('must look like "100/minute" (second, minute, hour or day)')
        return Rate(int(match[1]), _SECONDS[match[2]])


class Budget(NamedTuple):
    """What is left of a rate after one request. `reset` is seconds until some of it comes back."""

    allowed: bool
    remaining: int
    reset: int


class Unavailable(Exception):
    """Requests cannot be counted now: the file cannot be opened or made, or the server is away."""
