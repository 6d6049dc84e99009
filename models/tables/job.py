"""Work that one process at a time may do, on whichever host: leases that end by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import BigIntegerField, Case, TextField

from models.database.base import JSONText, Table, database, first, rows, writing

LEASE = 120_000  # milliseconds without a word from the one who works before another one may
SKEW = 60_000  # milliseconds that the clocks of two hosts may differ


class Job(Table):
    """A kind of background work. Times are milliseconds UTC.

    Until `leased_until` only `owner` does it; nobody begins before `due_at`. `state` is what the work
    itself wants to remember, such as how far it has come.
    """

    name = TextField(primary_key=True)
    owner = TextField(null=True)
    leased_until = BigIntegerField()
    due_at = BigIntegerField()
    finished_at = BigIntegerField(null=True)
    state = JSONText(null=True)


class Lost(Exception):
    """The lease ended and somebody else has the work: what was about to be written must not be."""


# One statement: two who come at once cannot both find it free. What was hurried is due at less than zero from
# then on: a zero is somebody's who came too late for who is at it to see what there is.
_CLAIM = (
    "INSERT INTO job (name, owner, leased_until, due_at) VALUES (?, ?, ?, -1) "
    "ON CONFLICT (name) DO UPDATE "
    "SET owner = excluded.owner, leased_until = excluded.leased_until, "
    "due_at = CASE WHEN job.due_at = 0 THEN -1 ELSE job.due_at END "
    "WHERE (job.leased_until <= ? OR job.leased_until > ?) AND (job.due_at <= ? OR job.finished_at > ?) "
    "RETURNING name"
)
_KEEP = "UPDATE job SET leased_until = ? WHERE name = ? AND owner = ? RETURNING name"


def claim(name: str, owner: str, now: int, until: int) -> bool:
    """Takes the work until then, unless somebody else has it or it is not due.

    A lease that ends later than any could, or work that was finished in the future, are those of a clock
    that was set back since: nobody waits for it to catch up.
    """
    if not _free(name, now):  # the usual case, and nothing to write
        return False
    with writing():
        late = now + SKEW
        values = (name, owner, until, now, late + LEASE, now, late)
        return bool(database.execute_sql(_CLAIM, values).fetchall())


def keep(name: str, owner: str, until: int) -> None:
    """Holds the work until then, within the transaction that writes some of it. Raises Lost.

    The row is locked with it, so nobody takes the work over before that transaction ends.
    """
    if not database.execute_sql(_KEEP, (until, name, owner)).fetchall():
        raise Lost(f"the lease of {name} ended")


def finish(name: str, owner: str, now: int, due_at: int) -> None:
    """Gives the work back; nobody begins again before `due_at`, unless somebody hurried it meanwhile.

    Nothing happens when it is lost.
    """
    due = Case(None, [(Job.due_at == 0, 0)], due_at)
    done = {"owner": None, "leased_until": 0, "due_at": due, "finished_at": now}
    with writing():
        Job.update(done).where((Job.name == name) & (Job.owner == owner)).execute()


def hurry(name: str) -> None:
    """Makes the work due at once, within the open transaction; who is at it does it again soon after."""
    Job.update(due_at=0).where(Job.name == name).execute()


def hurried(now: int, prompt: Sequence[str] = ()) -> list[str]:
    """The names of work that somebody wants at once, or that is `prompt` and due; nobody does it yet."""
    free = (Job.leased_until <= now) | (Job.leased_until > now + SKEW + LEASE)
    wanted = (Job.due_at <= 0) | (Job.name.in_(prompt) & (Job.due_at <= now))
    found = Job.select(Job.name).where(wanted & free)
    return [row["name"] for row in rows(found)]


def ask(name: str, state: Any) -> None:
    """Gives work something to do at once, within the open transaction, in place of what it remembers."""
    row = {"name": name, "leased_until": 0, "due_at": 0, "state": state}
    new = {Job.due_at: 0, Job.state: state}
    Job.insert(row).on_conflict(conflict_target=[Job.name], update=new).execute()


def state(name: str) -> Any:
    """What the work remembers, or None."""
    row = first(Job.select(Job.state).where(Job.name == name))
    return None if row is None else row["state"]


def remember(name: str, state: Any) -> None:
    """Keeps what the work remembers, within the open transaction of who has it."""
    Job.update(state=state).where(Job.name == name).execute()


def _free(name: str, now: int) -> bool:
    row = first(Job.select(Job.leased_until, Job.due_at, Job.finished_at).where(Job.name == name))
    if row is None:
        return True
    late = now + SKEW
    free = row["leased_until"] <= now or row["leased_until"] > late + LEASE
    return free and (row["due_at"] <= now or (row["finished_at"] or 0) > late)
