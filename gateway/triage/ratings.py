"""What a bare number says: a rating on a scale that the sender did not name."""

from __future__ import annotations

import math
from typing import Any

from adapters.contract.record import Record

PROMOTER_MIDDLE, PROMOTER_REACH = 7.5, 2.5  # net promoter score: 9 and 10 are good, 0 to 6 are bad


def rating(record: Record) -> float | None:
    """The rating of `record` on -1..1, None when it is no rating or not a number.

    The scale is the smallest common one that holds the value: yes and no, 0..1, stars up to 5, marks up to
    10, per cent up to 100; a property named after the net promoter score is read as one.
    """
    if record.type != "rating":
        return None
    value = _number(record.subject.get("value"))
    if value is None or not -1 <= value <= 100:
        return None
    if "nps" in str(record.subject.get("property") or "").lower() and 0 <= value <= 10:
        return max(-1.0, min(1.0, (value - PROMOTER_MIDDLE) / PROMOTER_REACH))
    if value < 0:
        return value
    if value <= 1:
        return value * 2 - 1
    if value <= 5:
        return (value - 3) / 2
    return (value - 5) / 5 if value <= 10 else (value - 50) / 50


def _number(value: Any) -> float | None:
    """The number in a value: a number, a flag, the text of a number, or a list of just one of these."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
