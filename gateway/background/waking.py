"""Records that were put aside are back when their time has come; who looks no more is forgotten."""

from __future__ import annotations

from functools import partial

from gateway.background.bounded import pause
from gateway.background.lease import Lease, Work
from gateway.core.ids import now_ms
from gateway.core.pacing import Pace
from models.tables import presence, snoozes


def wake(lease: Lease) -> int:
    """Wakes the records whose time has come, each with its event in one transaction."""
    now = now_ms()
    Pace(lease.transact).until_none(partial(snoozes.wake, now))
    Pace(lease.transact).until_none(partial(presence.forget, now))
    return pause(snoozes.next_at())


WAKE = Work("waking", wake, prompt=True)
