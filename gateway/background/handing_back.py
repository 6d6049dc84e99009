"""Records of people who lost access, or may not change records any more, are nobody's again."""

from __future__ import annotations

from functools import partial

from gateway.access.assignees import ROLES
from gateway.background.lease import Lease, Work
from gateway.core.ids import now_ms
from gateway.core.pacing import Pace
from models.tables import assignment

EVERY = 60_000  # milliseconds between two looks at most
BY = "assign"  # who acts, in the history


def hand_back(lease: Lease) -> int:
    """Takes their records from those who are gone. The inbox does so at once; here is what that left."""
    for user in assignment.gone(ROLES):
        if assignment.has_any(user["workspace"], user["id"]):
            of = partial(assignment.release, user["workspace"], user["id"], BY, now_ms())
            Pace(lease.transact).until_none(of)
    return EVERY


HAND_BACK = Work("handing_back", hand_back)
