"""Feeds of changes that nobody reads any more, and changes that are kept no longer."""

from __future__ import annotations

from functools import partial

from gateway.access import audit_log
from gateway.background.lease import Lease, Work
from gateway.core.ids import now_ms
from gateway.core.pacing import Pace
from models.tables import feed

EVERY = 3_600_000  # milliseconds between two looks
BY = "feeds"  # who acts in the audit trail


def keep(lease: Lease) -> int:
    """Ends feeds that were not read for long, and forgets what is older."""
    pace = Pace(lease.transact)
    for known in feed.every():
        workspace_id, before = known["workspace_id"], now_ms() - feed.KEPT
        ended = pace.write(partial(_end, known, before)) or known["id"] is None
        pace.until_none(partial(feed.number, workspace_id))
        pace.until_none(partial(feed.forget, workspace_id, now_ms() if ended else before))
    return EVERY


def _end(known: dict[str, str], before: int) -> bool:
    ended = feed.end(known["workspace_id"], before)
    if ended:
        audit_log.note(known["workspace_id"], BY, "feed.ended", known["id"])
    return ended


KEEP = Work("feeds", keep)
