"""Has who listens told of API keys that end within a week, once each."""

from __future__ import annotations

from functools import partial

from gateway.background.lease import Lease, Work
from gateway.core.ids import now_ms
from gateway.core.pacing import Pace
from models.tables import job, outbox
from models.tables.feedback import iso
from models.tables.workspace import keys_that_end

AHEAD = 7 * 86_400_000  # milliseconds before its end that a key is told of
EVERY = 3_600_000  # milliseconds between two looks


def tell(lease: Lease) -> int:
    """Notes each key whose end has come within a week since the last look; when to look again.

    So one that is made for less than a week is never told of.
    """
    now = now_ms()
    since = (job.state(lease.name) or {}).get("until", now)
    until = max(since, now + AHEAD)
    Pace(lease.transact).write(partial(_note, lease.name, since, until, now))
    return EVERY


def _note(name: str, since: int, until: int, now: int) -> None:
    for key in keys_that_end(since, until):
        data = {
            "key_id": key["id"],
            "project_id": key["project"],
            "prefix": key["prefix"],
            "name": key["name"],
        }
        data["expires_at"] = iso(key["expires_at"])
        outbox.note_other(outbox.EXPIRING, key["workspace"], key["project"], data, now)
    job.remember(name, {"until": until})


TELL = Work("keys", tell)
