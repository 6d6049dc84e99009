"""Runs: long jobs that somebody started, each done by one host at a time until it has ended.

Whether a run is being worked on is what its lease says, no flag: `status` turns to running when it is first
taken, and a run whose host has died is taken by the next one that looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peewee import BigIntegerField, IntegerField, TextField

from models.database.base import JSONText, Table, database, dumps, first, locked, only, rows, update
from models.tables import job
from models.tables.asset import Asset

STATUSES = ("pending", "running", "completed", "failed")
OPEN = ("pending", "running")
ATTEMPTS = 5  # hosts that a run may take down without getting any further in between
WORKS = ("runs", "more runs")  # the background work that does them: as many at a time
FILES_FOR = 7 * 86_400_000  # milliseconds after its end that a run's files are kept
VIA = "run:"  # how the door begins by which a run's files came
CANCELLED = "cancelled"  # the error code of a run that an admin ended


class Run(Table):
    """A run of a technique (gateway.runs). Times are milliseconds UTC.

    `technique` is its slug and `inputs` maps ids of inputs to texts. `progress` goes from 0 to 100 and never
    back; `position` is what the technique needs to go on from there. Until `leased_until` only `owner` works
    on it, and `attempts` is how often it was taken, and not given back, since it last got further. `outputs`
    lists what it made: `id`, `type`, `name` and `asset_id`; those files are there for `FILES_FOR`, and
    `files_until` is null once they are gone.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField()
    project_id = TextField(null=True)
    technique = TextField()
    inputs = JSONText()
    status = TextField(default="pending")
    progress = IntegerField(default=0)
    position = JSONText(null=True)
    created_at = BigIntegerField()
    started_at = BigIntegerField(null=True)
    completed_at = BigIntegerField(null=True)
    error_code = TextField(null=True)
    error_message = TextField(null=True)
    outputs = JSONText(null=True)
    callback_url = TextField(null=True)
    idempotency_key = TextField(null=True)
    created_by = TextField()
    owner = TextField(null=True)
    leased_until = BigIntegerField(default=0)
    attempts = IntegerField(default=0)
    files_until = BigIntegerField(null=True)


# One statement: two who come at once cannot both find it free. On a server the second one looks again.
_INTERRUPT = (  # in the words of the index of those that have not ended
    "UPDATE run SET owner = NULL, leased_until = 0 "
    "WHERE workspace_id = ? AND status = 'running' "
    "AND id IN (SELECT id FROM run WHERE status IN ('pending', 'running'))"
)
_FREE = "status IN ('pending', 'running') AND (leased_until <= ? OR leased_until > ?)"
_CLAIM = (
    "UPDATE run SET owner = ?, leased_until = ?, status = 'running', attempts = attempts + 1, "
    "started_at = COALESCE(started_at, ?) "
    f"WHERE id = (SELECT id FROM run WHERE {_FREE} ORDER BY id LIMIT 1) AND {_FREE} RETURNING id"
)
_KEEP = "UPDATE run SET leased_until = ? WHERE id = ? AND owner = ? AND status = 'running' RETURNING id"
_FURTHER = (
    "UPDATE run SET progress = CASE WHEN progress < ? THEN ? ELSE progress END, "
    "position = COALESCE(?, position), attempts = 0 "
    "WHERE id = ?"
)
_RELEASE = (
    "UPDATE run SET owner = NULL, leased_until = 0, "
    "attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END WHERE id = ? AND owner = ?"
)


def add(**told: Any) -> dict[str, Any]:
    """Stores a new run within the open transaction; the whole row."""
    Run.insert(told).execute()
    row = find(None, told["id"])
    assert row is not None
    return row


def find(workspace_id: str | None, run_id: str) -> dict[str, Any] | None:
    """A run of this workspace, or of whichever when None is given; None when there is none."""
    return first(only(Run.select().where(Run.id == run_id), {Run.workspace_id: workspace_id}))


def by_key(workspace_id: str, technique: str, key: str) -> dict[str, Any] | None:
    """The run that was started with this idempotency key, or None."""
    mine = (Run.workspace_id == workspace_id) & (Run.technique == technique)
    return first(Run.select().where(mine & (Run.idempotency_key == key)))


def list_page(
    workspace_id: str | None,
    *,
    project_id: str | None = None,
    techniques: Sequence[str] | None = None,
    status: str | None = None,
    before: str | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Runs of a workspace, or of all, the newest first, from after the id `before`.

    Without `techniques`, slugs, they are of all of them.
    """
    wanted = {Run.workspace_id: workspace_id, Run.project_id: project_id}
    found = only(Run.select(), {**wanted, Run.status: status})
    if techniques is not None:
        found = found.where(Run.technique.in_(list(techniques)))
    if before is not None:
        found = found.where(Run.id < before)
    return rows(found.order_by(Run.id.desc()).limit(limit))


def started_since(workspace_id: str, since_id: str) -> int:
    """How many runs of a workspace have this id or a later one, which say when they were made."""
    found: int = Run.select().where((Run.workspace_id == workspace_id) & (Run.id >= since_id)).count()
    return found


def waiting(now: int) -> bool:
    """Whether there is a run that nobody works on."""
    values = (now, now + job.SKEW + job.LEASE)
    return database.execute_sql(f"SELECT 1 FROM run WHERE {_FREE} LIMIT 1", values).fetchone() is not None


def claim(owner: str, now: int, until: int) -> dict[str, Any] | None:
    """Takes the oldest run that nobody works on until then, within the open transaction; None for none.

    A lease that ends later than any could is that of a clock that was set back since.
    """
    late = now + job.SKEW + job.LEASE
    found = database.execute_sql(_CLAIM, (owner, until, now, now, late, now, late)).fetchall()
    return find(None, found[0][0]) if found else None


def keep(run_id: str, owner: str, until: int) -> None:
    """Holds the run until then, within the transaction that does some of it. Raises job.Lost.

    The row is locked with it: nobody takes the run over, or ends it, before that transaction does.
    """
    if not database.execute_sql(_KEEP, (until, run_id, owner)).fetchall():
        raise job.Lost(f"{run_id} is somebody else's, or has ended")


def further(run_id: str, progress: int, position: Any) -> None:
    """Says how far a run is, within the open transaction of who has it."""
    kept = None if position is None else dumps(position)
    database.execute_sql(_FURTHER, (progress, progress, kept, run_id))


def release(run_id: str, owner: str) -> None:
    """Gives a run back unfinished, within the open transaction; nothing happens when it is lost.

    That was no attempt: a host that stops is not one that the run took down.
    """
    database.execute_sql(_RELEASE, (run_id, owner))


def interrupt(workspace_id: str) -> None:
    """Has the runs of a workspace go on from their last step, within the open transaction.

    Whoever is at one has lost it, with what was read since then.
    """
    database.execute_sql(_INTERRUPT, (workspace_id,))


def end(run_id: str, ended: Mapping[str, Any]) -> dict[str, Any] | None:
    """Ends a run within the open transaction; the row as it is now, or None when it had ended before."""
    row = first(locked(Run.select().where(Run.id == run_id)))
    if row is None or row["status"] not in OPEN:
        return None
    until = ended["completed_at"] + FILES_FOR
    changed = {**ended, "owner": None, "leased_until": 0, "position": None, "files_until": until}
    update(Run, run_id, changed)
    return {**row, **changed}


def outdated(now: int, limit: int) -> list[str]:
    """Runs whose files have been kept for long enough."""
    found = Run.select(Run.id).where(Run.files_until <= now).order_by(Run.files_until).limit(limit)
    return [row["id"] for row in rows(found)]


def forget_files(run_ids: Sequence[str]) -> None:
    """Deletes the assets of runs within the open transaction; their bytes go afterwards."""
    via = [via_of(run_id) for run_id in run_ids]
    Asset.delete().where(Asset.uploaded_via.in_(via)).execute()
    Run.update(files_until=None).where(Run.id.in_(list(run_ids))).execute()


def via_of(run_id: str) -> str:
    """How an asset is marked that a run made."""
    return f"{VIA}{run_id}"
