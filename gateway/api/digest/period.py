"""The period of a digest: whole days of a zone, as `day`, `week`, `month` or from..until name them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = {"day": 1, "week": 7, "month": 30}  # the last ones that are over
MOST = 366  # days
_DATES = re.compile(r"(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)", re.ASCII)
_EARLIEST = date(1971, 1, 1)


class BadPeriod(ValueError):
    """A text that names no period, or no zone; the message says what would."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `first` to `last`, both within, in a zone."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def since(self) -> int:
        """When it begins, milliseconds UTC."""
        return _midnight(self.first, self.zone)

    @property
    def until(self) -> int:
        """When it is over, milliseconds UTC."""
        return _midnight(self.last + timedelta(days=1), self.zone)


def period_of(text: str, zone: ZoneInfo, now: int) -> Period:
    """The period that a text names at a time (milliseconds UTC). Raises BadPeriod."""
    today = datetime.fromtimestamp(now / 1000, zone).date()
    if text in DAYS:
        return Period(today - timedelta(days=DAYS[text]), today - timedelta(days=1), zone)
    found = _DATES.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        first, last = map(date.fromisoformat, found.groups())
    except ValueError:
        raise BadPeriod(f"must be {', '.join(DAYS)} or two dates such as 2026-11-01..2026-11-30") from None
    if not _EARLIEST <= first <= last <= today:
        raise BadPeriod("must begin before it ends, and not in the future")
    if (last - first).days >= MOST:
        raise BadPeriod(f"must be at most {MOST} days")
    return Period(first, last, zone)


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name such as Europe/Amsterdam. Raises BadPeriod."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadPeriod("must be a zone such as Europe/Amsterdam") from None


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
