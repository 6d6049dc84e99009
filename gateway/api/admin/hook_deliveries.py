"""What came through a hook lately, and whether it is quiet for longer than it usually is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters import watchdog
from gateway.destinations.silences import usual_of
from models.intake import commit
from models.tables import outcome
from models.tables.feedback import iso
from models.tables.outcome import MINUTE

DAY = 86_400_000  # milliseconds
JUDGED = 2_000  # minutes in which a hook was heard, by which it is judged whether it is quiet for too long
FAILED = ("invalid", "unauthorized", "limited", "overloaded", "failed")


def with_deliveries(hooks: Sequence[Mapping[str, Any]], now: int) -> list[dict[str, Any]]:
    """Hooks as they are listed, each with what came through it; `now` is milliseconds UTC."""
    commit.flush()
    return [{**hook, **_lately(hook, now)} for hook in hooks]


def _lately(hook: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The last delivery to the minute, how many came in 24 hours, and since when it is silent."""
    minutes = outcome.newest_minutes(hook["hook_id"], JUDGED)
    ends = outcome.ends_of(hook["hook_id"], now - DAY)
    is_silent = bool(minutes) and (
        now - minutes[-1] >= watchdog.silence_of(hook["options"]) + MINUTE
        if hook["source"] == watchdog.ADAPTER.name
        else usual_of(minutes, now) is not None
    )
    return {
        "last_delivery_at": iso(minutes[-1]) if minutes else None,
        "deliveries_24h": sum(ends.values()),
        "failed_24h": sum(ends.get(name, 0) for name in FAILED),
        "quarantined_24h": ends.get("quarantined", 0),
        "silent_since": iso(minutes[-1]) if is_silent else None,
    }
