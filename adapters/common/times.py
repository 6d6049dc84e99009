"""Times as senders write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

EPOCH_YEAR = 31_536_000_000  # milliseconds, the end of 1970: what is before is a clock that was never set
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

    Also for the year 1, with which Go programs say that there is no time, and for 1970, with which others
    do. Ruby programs write an offset, or UTC, after a space.
    """
    written = re.sub(r" (?=[+-]\d\d:?\d\d$)", "", text.strip().replace(" UTC", "+00:00"))
    try:
        return believable(milliseconds(written))
    except (ValueError, OverflowError):
        return None


def moment_or_seconds(value: Any) -> int | None:
    """As `moment_of`, taking a number for seconds since the epoch; None for what is neither."""
    if isinstance(value, str):
        return moment_of(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return believable(round(value * 1000)) if is_number and 0 < value < _LATEST else None


def moment_of_milliseconds(value: Any) -> int | None:
    """An integer of milliseconds since the epoch, or None for what is no such time."""
    return believable(value) if type(value) is int and 0 < value < 1000 * _LATEST else None


def believable(moment: int) -> int | None:
    """A moment in milliseconds, or None for one in 1970: zero and what is near it stand for no time."""
    return moment if moment >= EPOCH_YEAR else None


def stamp(text: str) -> str:
    """A time as it stands in a key: the same for an instant however it is written, else the text itself."""
    moment = moment_of(text)
    return text if moment is None else str(moment)


def day_of(digits: str) -> str:
    """The day, such as 2026-05-04, of milliseconds since the epoch as digits; "" for anything else."""
    if not re.fullmatch(r"\d{1,14}", digits, re.ASCII):
        return ""
    return datetime.fromtimestamp(int(digits) / 1000, UTC).date().isoformat()
