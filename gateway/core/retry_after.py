"""How long another server asks to be left alone: Retry-After (RFC 9110, 10.2.3), in seconds or as a date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 86_400_000  # milliseconds: a day


def retry_after(headers: Mapping[str, str], now: int) -> int:
    """How many milliseconds from `now` an answer asks to wait, at most a day; 0 when it does not."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]) * 1000, LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max(0, round(at.timestamp() * 1000) - now), LONGEST_WAIT)
