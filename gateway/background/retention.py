"""What projects keep for a time only, and its removal by the background worker.

A project keeps everything for good unless it says for how many days: `retention_days` for records with all
that belongs to them, `payload_retention_days` for the raw payloads of deliveries. A delivery in quarantine
is a raw payload and nothing else, so it goes with the earlier of both. Fewer days than before hold after a
day of grace, in which that can be taken back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from gateway.access import audit_log
from gateway.background.lease import Lease, Work
from gateway.core.ids import id_at, now_ms
from gateway.core.pacing import Pace, Transact, transact
from gateway.files import removal
from models.queries import retention
from models.queries.retention import START, Place
from models.tables import asset, event

NAME = "retention"
DAY = 86_400_000
GRACE = DAY  # milliseconds before fewer days hold
DAYS = ("retention_days", "payload_retention_days")
EVERY = 3_600_000  # milliseconds between two looks
PAGE = 500  # records looked at together
COUNTS = ("records", "files", "payloads", "quarantine")
BY = "retention"  # who acts in the audit trail


def keep(lease: Lease) -> int:
    """Removes what no project keeps any longer."""
    for project in retention.projects():
        remove(project, lease.transact)
    return EVERY


def remove(project: Mapping[str, Any], transact: Transact = transact) -> dict[str, int]:
    """Removes what a project keeps no longer, in short transactions, and says how much that was.

    Without a lease, too: what two remove at once is removed once.
    """
    row, counts = dict(project), dict.fromkeys(COUNTS, 0)
    limits, pace = _limits(row, _now()), Pace(transact)
    if (before := limits["records"]) is not None:
        for ids in _pages(partial(retention.expired, row, before), PAGE):
            for feedback_id in event.crowded(ids):  # the old part of it, also if the record stays after all
                pace.until_none(partial(event.delete_some, feedback_id, before))
            for records, files in pace.each(ids, partial(retention.delete_records, before=before)):
                counts["records"] += records
                counts["files"] += files
        if counts["files"]:
            removal.release_now(transact, most=None)
    if (before := limits["payloads"]) is not None:
        for ids in _pages(partial(retention.received, row, before), PAGE):
            events = retention.with_payloads(ids, before)
            counts["payloads"] += sum(pace.each(events, event.forget_payloads))
    if (before := limits["quarantine"]) is not None:
        held = partial(retention.held, row, id_at("qr", before), PAGE)
        while ids := held():
            counts["quarantine"] += sum(pace.each(ids, retention.delete_held))
    if any(counts.values()):
        pace.write(partial(audit_log.note, row["workspace"], BY, "retention.applied", row["id"], **counts))
    return counts


def count(project: Mapping[str, Any], most: int | None = None) -> dict[str, int]:
    """How much `remove` would remove now; of more than `most` records only so many are looked at."""
    row, counts = dict(project), dict.fromkeys(COUNTS, 0)
    limits, pages_at_most = _limits(row, _now()), most and most // PAGE
    if limits["records"] is not None:
        for ids in islice(_pages(partial(retention.expired, row, limits["records"]), PAGE), pages_at_most):
            counts["records"] += len(ids)
            counts["files"] += asset.count(ids)
    if limits["payloads"] is not None:
        pages = islice(_pages(partial(retention.received, row, limits["payloads"]), PAGE), pages_at_most)
        counts["payloads"] = sum(retention.count_payloads(ids, limits["payloads"]) for ids in pages)
    if limits["quarantine"] is not None:
        counts["quarantine"] = len(retention.held(row, id_at("qr", limits["quarantine"]), most))
    return counts


def changed(project: Mapping[str, Any], days: Mapping[str, int | None], now: int) -> dict[str, Any]:
    """The columns of a project that is to keep things for so many days, said at `now` (milliseconds UTC).

    More days hold at once, fewer after GRACE; those named in `days` alone are changed.
    """
    before, new = in_force(project, now), {name: days.get(name, project[name]) for name in DAYS}
    longer = {
        name: None if None in (new[name], before[name]) else max(new[name], before[name]) for name in DAYS
    }
    if longer == new:
        return {**new, "retention_from": None, "retention_before": None}
    return {**new, "retention_from": now + GRACE, "retention_before": longer}


def in_force(project: Mapping[str, Any], now: int) -> dict[str, int | None]:
    """For how many days a project keeps things at a time; None is for good."""
    waiting = project["retention_from"] is not None and now < project["retention_from"]
    source = project["retention_before"] if waiting else project
    return {name: source[name] for name in DAYS}


# Linux alone counts what the machine slept.
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _now() -> int:
    """The time in milliseconds UTC, but never more than has passed since this process began.

    A clock that is set forward, or is wrong for a while, must not make young records old.
    """
    return min(now_ms(), _BEGAN + _passed())


def _passed() -> int:
    """Milliseconds since the machine was started, those it slept too where the system counts them."""
    return time.clock_gettime_ns(_SINCE_BOOT) // 1_000_000


_BEGAN = now_ms() - _passed()


def _limits(project: Mapping[str, Any], now: int) -> dict[str, int | None]:
    """The times (milliseconds UTC) before which each kind of thing goes; None when it is kept for good."""
    force = in_force(project, now)
    days = {"records": force["retention_days"], "payloads": force["payload_retention_days"]}
    found = {name: None if number is None else now - number * DAY for name, number in days.items()}
    times = [at for at in found.values() if at is not None]
    return {**found, "quarantine": max(times, default=None)}


def _pages(look: Callable[[Place, int], list[Place]], limit: int) -> Iterator[list[str]]:
    """Ids of records that `look` finds, some at a time; it goes on after the last one, removed or not."""
    after = START
    while found := look(after, limit):
        after = found[-1]
        yield [feedback_id for _, feedback_id in found]


KEEP = Work(NAME, keep)
