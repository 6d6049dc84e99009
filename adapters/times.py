"""Times as senders write them."""

from __future__ import annotations

from datetime import UTC, datetime

_YEAR_10000 = 253_402_300_800_000  # milliseconds


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
