"""Keys whose time is over, removed by the background worker; each is free again from its end on anyway."""

from __future__ import annotations

from functools import partial

from gateway.background.lease import Lease, Work
from gateway.core.ids import now_ms
from gateway.core.pacing import Pace
from models.tables import dedupe

EVERY = 60_000  # milliseconds between two looks at least


def forget(lease: Lease) -> int:
    """Deletes expired keys with the answers kept for them, so that their table does not grow for ever."""
    Pace(lease.transact).until_none(partial(dedupe.forget_expired, now_ms()))
    return EVERY


FORGET = Work("expiry", forget)
