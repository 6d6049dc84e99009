"""What projects keep for a time only, and its removal by the background worker.

A project keeps everything for good unless it says for how many days: `retention_days` for records with all
that belongs to them, `payload_retention_days` for the raw payloads of deliveries. A delivery in quarantine
is a raw payload and nothing else, so it goes with the earlier of both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from gateway import audit
from gateway.ids import id_at, now_ms
from gateway.lease import Lease, Work
from gateway.pace import rested
from models import retention
from models.base import database
from models.retention import START, Place

NAME = "retention"
DAY = 86_400_000
EVERY = 3_600_000  # milliseconds between two looks
TOGETHER = 50  # records removed in one transaction
PAGE = 500  # records looked at together
LONGEST_PAUSE = 0.5  # seconds after a transaction
COUNTS = ("records", "payloads", "quarantine")
BY = "retention"  # who acts in the audit trail

Transact = Callable[[Callable[[], Any]], Any]


def keep(lease: Lease) -> int:
    """Removes what no project keeps any longer."""
    for project in retention.projects():
        remove(project, lease.transact)
    return EVERY


def transact(work: Callable[[], Any]) -> Any:
    """Does `work` in a transaction, without a lease: what two remove at once is removed once."""
    return database.obj.transact(work, lambda result: False, 5.0)


def remove(project: Mapping[str, Any], transact: Transact = transact) -> dict[str, int]:
    """Removes what a project keeps no longer, in small transactions, and says how much that was."""
    row, counts = dict(project), dict.fromkeys(COUNTS, 0)
    limits = _limits(row, _now())

    def some(name: str, act: Callable[[], int]) -> None:
        with rested(LONGEST_PAUSE):
            counts[name] += transact(act)

    if limits["records"] is not None:
        before = limits["records"]
        for ids in _pages(partial(retention.expired, row, before), TOGETHER):
            some("records", partial(retention.delete_records, ids, before))
    if limits["payloads"] is not None:
        before = limits["payloads"]
        for ids in _pages(partial(retention.received, row, before), PAGE):
            full = retention.with_payloads(ids, before)
            for start in range(0, len(full), TOGETHER):
                chosen = full[start : start + TOGETHER]
                some("payloads", partial(retention.forget_payloads, chosen, before))
    if limits["quarantine"] is not None:
        while ids := retention.held(row, id_at("qr", limits["quarantine"]), TOGETHER):
            some("quarantine", partial(retention.delete_held, ids))
    if any(counts.values()):
        transact(partial(audit.note, row["workspace"], BY, "retention.applied", row["id"], **counts))
    return counts


def count(project: Mapping[str, Any]) -> dict[str, int]:
    """How much `remove` would remove now."""
    row, counts = dict(project), dict.fromkeys(COUNTS, 0)
    limits = _limits(row, _now())
    if limits["records"] is not None:
        pages = _pages(partial(retention.expired, row, limits["records"]), PAGE)
        counts["records"] = sum(map(len, pages))
    if limits["payloads"] is not None:
        pages = _pages(partial(retention.received, row, limits["payloads"]), PAGE)
        counts["payloads"] = sum(retention.count_payloads(ids, limits["payloads"]) for ids in pages)
    if limits["quarantine"] is not None:
        counts["quarantine"] = len(retention.held(row, id_at("qr", limits["quarantine"])))
    return counts


def _now() -> int:
    """The time in milliseconds UTC, but never more than has passed since this process began.

    A clock that is set forward, or is wrong for a while, must not make young records old.
    """
    return min(now_ms(), _BEGAN + _passed())


def _passed() -> int:
    """Milliseconds since the machine was started, those it slept too."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


_BEGAN = now_ms() - _passed()


def _limits(project: Mapping[str, Any], now: int) -> dict[str, int | None]:
    """The times (milliseconds UTC) before which each kind of thing goes; None when it is kept for good."""
    days = {"records": project["retention_days"], "payloads": project["payload_retention_days"]}
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
