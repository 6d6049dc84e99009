"""Bytes of files that no asset has any more, removed by the background worker."""

from __future__ import annotations

from gateway.background.lease import Lease, Work
from gateway.core.ids import now_ms
from gateway.core.pacing import Pace
from gateway.files import removal
from models.tables import asset, job

NAME = "files"
EVERY = 60_000  # milliseconds between two looks for what was left
WHOLE = 3_600_000  # and between two of the whole store


def sweep(lease: Lease) -> int:
    """Deletes the bytes of assets that are gone and, once an hour, lays the whole store beside the assets.

    An asset whose bytes were to be uploaded fails with that, when they have not come in an hour.
    """
    removal.release(transact=lease.transact)
    swept = job.state(NAME)
    now = now_ms()
    if not isinstance(swept, int) or not swept <= now < swept + WHOLE:
        removal.sweep(lease.transact)
        late = now - 1_000 * removal.GRACE  # which is longer than an upload may take
        Pace(lease.transact).until_none(lambda limit: asset.expire_uploads(late, now, limit))
        lease.transact(lambda: job.remember(NAME, now))
    return EVERY


SWEEP = Work(NAME, sweep)
