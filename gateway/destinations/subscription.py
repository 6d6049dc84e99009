"""When people are told: each as it comes and the rest of a while together, or daily or weekly at an hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.contract import Fault
from models.tables import outbox

EACH, DAILY, WEEKLY = WHENS = ("each", "daily", "weekly")
CHANGES, DIGEST = CONTENTS = ("changes", "digest")
MINUTE = 60_000  # milliseconds
LONGEST_WINDOW = 1_440  # minutes
# What people are told unless asked for otherwise: what begins, comes to be meant, is over, or is reopened.
EVENTS = (outbox.CREATED, outbox.UPDATED, outbox.RELABELLED, outbox.STATUS_CHANGED)


@dataclass(frozen=True, slots=True)
class Subscription:
    """When and what people are told.

    `window` is minutes between two messages of `each`. `daily` and `weekly` are at an `hour` of a `zone`, on
    a `weekday` from 0, Monday. `content` is what changed, or the digest of the day or week.
    """

    when: str = EACH
    window: int = 10
    hour: int = 8
    weekday: int = 0
    zone: str = "UTC"
    include_author: bool = False
    content: str = CHANGES

    @property
    def is_scheduled(self) -> bool:
        """Whether there are hours at which people are told."""
        return self.when != EACH

    def next_after(self, at: int) -> int:
        """The first of its hours behind a time, both milliseconds UTC.

        An hour that the clock leaves out is the one after it, one that comes twice is the first.
        """
        zone = ZoneInfo(self.zone)
        day = datetime.fromtimestamp(at / 1000, zone).date()
        while True:
            if self.when == DAILY or day.weekday() == self.weekday:
                hour = datetime(day.year, day.month, day.day, self.hour, tzinfo=zone)
                found = round(hour.timestamp() * 1000)
                if found > at:
                    return found
            day += timedelta(days=1)


def of(row: Mapping[str, Any]) -> Subscription:
    """A destination's subscription."""
    return Subscription(**row["subscription"])


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """All of a destination's subscription, with what nobody has set."""
    return asdict(of(row))


def merged(known: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a subscription when some of it is sent."""
    return {
        **known,
        **{name: int(value) if isinstance(value, float) else value for name, value in sent.items()},
    }


def faults(sent: Mapping[str, Any], *, is_for_people: bool) -> list[Fault]:
    """What is wrong with the subscription and the events of a destination, as far as they are there."""
    found, chosen = [], sent.get("subscription", {})
    if chosen and not is_for_people:
        found.append(Fault("subscription", "Is for kinds that people read: this one is told each change"))
    if chosen.get("content") == DIGEST and chosen.get("when", EACH) == EACH:
        found.append(Fault("subscription.content", "Must be changes unless `when` is daily or weekly"))
    gone = [name for name in sent.get("events", ()) if name in outbox.GONE]
    if gone and is_for_people:
        found.append(Fault("events", f"People are not told {', '.join(gone)}: there is nothing to read"))
    return found


def is_zone(name: str) -> bool:
    """Whether there is a zone of this IANA name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def earlier(now: int, weeks: int, zone: str) -> int:
    """The time of so many weeks ago at which clocks of a zone showed the same, in milliseconds UTC."""
    there = datetime.fromtimestamp(now / 1000, ZoneInfo(zone)) - timedelta(weeks=weeks)
    return round(there.astimezone(UTC).timestamp() * 1000)
