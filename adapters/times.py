"""Times as senders write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

_YEAR_10000 = 253_402_300_800_000  # milliseconds
_LATEST = 250_000_000_000  # seconds, in the year 9892: a larger number is of another unit


def milliseconds(value: str) -> int:
    """Milliseconds since the epoch of an ISO 8601 time from 1970 on; without an offset it is UTC.

    Raises ValueError.
    """
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = round(moment.timestamp() * 1000)
    if not 0 <= since < _YEAR_10000:
        raise ValueError("before 1970 or after 9999")
    return since


def moment_of(text: str) -> int | None:
    """Milliseconds UTC of an ISO time (offsets and nanoseconds too); None for anything else.

    Also for the year 1, with which Go programs say that there is no time. Ruby programs write an
    offset, or UTC, after a space.
    """
    written = re.sub(r" (?=[+-]\d\d:?\d\d$)", "", text.strip().replace(" UTC", "+00:00"))
    try:
        return milliseconds(written)
    except (ValueError, OverflowError):
        return None


def moment_or_seconds(value: Any) -> int | None:
    """As `moment_of`, taking a number for seconds since the epoch; None for what is neither."""
    if isinstance(value, str):
        return moment_of(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return round(value * 1000) if is_number and 0 < value < _LATEST else None
