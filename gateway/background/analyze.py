"""Tells the database's planner how large its tables have become (models.database.planner_statistics), a part
at a time."""

from __future__ import annotations

from functools import partial

from gateway.background.lease import Lease, Work
from gateway.core.pacing import Pace
from models.database.base import database
from models.tables import job

EVERY = 60_000  # milliseconds between two looks at how much there is


def keep(lease: Lease) -> int:
    """Analyses what has grown since the last time, each part in a short transaction of its own."""
    before = int((job.state(lease.name) or {}).get("records", 0))
    parts, records = database.obj.outdated(before)
    pace = Pace(lease.transact)
    for part in parts:
        pace.write(partial(database.obj.analyse, part))
    if parts:
        pace.write(database.obj.tell_planners)
        pace.write(partial(job.remember, lease.name, {"records": records}))
    return EVERY


KEEP = Work("planner", keep)
