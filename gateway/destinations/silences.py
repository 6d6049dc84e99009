"""Hooks that usually send, and are quiet for longer than ever but once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from adapters import watchdog
from gateway.destinations import links, messages
from gateway.destinations.alarm import Alarm
from gateway.destinations.kind import Change
from models.tables import hook, outbox, outcome
from models.tables.feedback import iso

HOUR, DAY = 3_600_000, 86_400_000  # milliseconds
KNOWN = 28 * DAY  # of what is looked at
LEAST_MINUTES, LEAST_SPAN = 10, 3 * DAY  # in which a hook was heard, for it to be missed
TIMES = 3  # its longest usual gap
LEAST = HOUR
COOLDOWN = DAY

Row = Mapping[str, Any]


def usual_of(minutes: Sequence[int], now: int) -> int | None:
    """The longest usual gap of a hook that is quiet for too long, in milliseconds, else None.

    `minutes` are those in which it was heard, ascending. Of the gaps between them the longest is left out:
    what happened once is not usual.
    """
    if len(minutes) < LEAST_MINUTES or minutes[-1] - minutes[0] < LEAST_SPAN:
        return None
    usual = sorted(later - earlier for earlier, later in pairwise(minutes))[-2]
    return usual if now - minutes[-1] >= max(LEAST, TIMES * usual) else None


def of(one: Row, now: int) -> Iterator[Alarm]:
    """The hooks of a destination's workspace, or project, that are silent. Deleted ones never are."""
    if outbox.SILENT not in one["events"]:
        return
    hooks = {
        row["id"]: row
        for row in hook.of_workspace(one["workspace_id"])
        if one["project_id"] in (None, row["project"])
        and row["source"] != watchdog.ADAPTER.name  # which says itself when it must be heard
        and one["alarms"].get(row["id"], 0) <= now - COOLDOWN
    }
    recent = outcome.minutes(one["workspace_id"], list(hooks), now - LEAST)
    quiet = [name for name in hooks if name not in recent]
    for name, minutes in outcome.minutes(one["workspace_id"], quiet, now - KNOWN).items():
        usual, heard = usual_of(minutes, now), minutes[-1]
        if usual is not None and one["alarms"].get(name, 0) <= heard:
            change = _change(one, hooks[name], now, heard, usual)
            yield Alarm(name, min(heard, now - COOLDOWN), change, messages.of_silence(change))


def _change(one: Row, row: Row, now: int, heard: int, usual: int) -> Change:
    data = {"hook_id": row["id"], "project_id": row["project"], "source": row["source"], "name": row["name"]}
    data |= {"last_heard_at": iso(heard), "quiet_seconds": (now - heard) // 1000}
    data |= {"usual_seconds": usual // 1000}
    return Change(outbox.SILENT, now, one["workspace_id"], data, url=links.of_hook(row["id"]))
