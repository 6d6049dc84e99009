"""What is sent to destinations: each delivery until it is taken or given up, and each attempt at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from peewee import BigIntegerField, BooleanField, CompositeKey, ForeignKeyField, IntegerField, TextField

from models.database.base import Table, database, first, insert, insert_all, only, rows, values
from models.tables.destination import ENABLED, Destination
from models.tables.feedback import Feedback

WAITING, SENT, HELD, DEAD = STATES = ("waiting", "sent", "held", "dead")
# What is sent of many records at once, which nobody asks for by its name.
ROLL_UP, DIGEST = TOGETHER = ("feedback.rolled_up", "feedback.digest")
MOST_COUNTED = 10_000
_FIRST = (
    "SELECT state, id FROM outgoing WHERE destination_id = ? AND (state, id) > (?, '') "
    "ORDER BY state, id LIMIT 1"
)


class Outgoing(Table):
    """One change for one destination: the same id and `body` at each attempt. Times are milliseconds UTC.

    It goes with its record, which one that tells of a record's end has not. `rung` says how far up the
    ladder of delays it is, `tries` how many attempts there were, before a replay, too. `next_at` is when it
    is tried next while it is waiting. `thread` is what a message is about, `reference` the receiver's own
    name for it once it is taken.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField()
    destination = ForeignKeyField(Destination, on_delete="CASCADE")
    feedback = ForeignKeyField(Feedback, null=True, on_delete="CASCADE")
    type = TextField()
    body = TextField()
    state = TextField()
    replay = BooleanField()
    rung = IntegerField()
    tries = IntegerField()
    next_at = BigIntegerField()
    created_at = BigIntegerField()
    thread = TextField(null=True)
    reference = TextField(null=True)


class Attempt(Table):
    """One request: its number, when, how many milliseconds it took, and what was answered.

    `status` is null when there was no answer, and `why` says what was wrong, or what else is to be
    known of one that was taken. `answer` is its beginning.
    """

    delivery = ForeignKeyField(Outgoing, on_delete="CASCADE")
    n = IntegerField()
    at = BigIntegerField()
    ms = IntegerField()
    status = IntegerField(null=True)
    why = TextField(null=True)
    answer = TextField()

    class Meta:
        primary_key = CompositeKey("delivery", "n")


def add_all(deliveries: Sequence[Mapping[str, Any]]) -> None:
    """Stores new deliveries within the open transaction."""
    new = {"replay": False, "rung": 0, "tries": 0, "thread": None, "reference": None}
    insert_all(Outgoing, [values(Outgoing, {**new, **row}) for row in deliveries])


def due(
    now: int,
    limit: int,
    each: int,
    but: Iterable[str],
    full: Iterable[str],
    few: Mapping[str, int] | None = None,
) -> list[dict[str, Any]]:
    """Deliveries whose time has come, `each` to a destination, of those that have waited longest first.

    None of these ids, and none to `full` destinations; of some kinds so `few` and no more. Each has its
    destination's row as `to`. Of one that is `ordered` it is the oldest that was neither taken nor given up,
    if that is due.

    Each destination is asked for its own next one: however much waits for one, the others cost the same.
    """
    mine = (Outgoing.destination == Destination.id) & _due(now, but)
    longest = Outgoing.select(Outgoing.next_at).where(mine).order_by(Outgoing.next_at, Outgoing.id).limit(1)
    ready = (Destination.state == ENABLED) & (Destination.resume_at <= now)
    asked = Destination.select(Destination, longest.alias("since"))
    asked = asked.where(ready & Destination.id.not_in([*full, ""]))
    found: list[dict[str, Any]] = []
    left = dict(few or {})
    for one in sorted((row for row in rows(asked) if row["since"] is not None), key=itemgetter("since")):
        if len(found) >= limit:
            break
        most = min(each, left.get(one["kind"], each))
        some = _next_of(one, now, most, but) if most > 0 else []
        found += [{**row, "to": one} for row in some]
        if one["kind"] in left:
            left[one["kind"]] -= len(some)
    return found


def _next_of(one: Mapping[str, Any], now: int, limit: int, but: Iterable[str]) -> list[dict[str, Any]]:
    mine = (Outgoing.destination == one["id"]) & _due(now, but)
    if one["ordered"]:
        oldest = [_oldest(one["id"], state) for state in (WAITING, HELD)]
        mine &= Outgoing.id == min((name for name in oldest if name), default=None)
    return rows(Outgoing.select().where(mine).order_by(Outgoing.next_at, Outgoing.id).limit(limit))


def _oldest(destination_id: str, state: str) -> str | None:
    """A destination's oldest delivery in this state: what its index has next from where those begin.

    Asked for the least id of them, a server may go through everybody's in the order of ids.
    """
    found = database.execute_sql(_FIRST, (destination_id, state)).fetchone()
    return found[1] if found and found[0] == state else None


def reference_of(destination_id: str, thread: str | None) -> str | None:
    """The receiver's name for the first message of a thread that it took; None when there is none."""
    if thread is None:
        return None
    mine = (Outgoing.destination == destination_id) & (Outgoing.thread == thread)
    taken = Outgoing.select(Outgoing.reference).where(mine & Outgoing.reference.is_null(False))
    row = first(taken.order_by(Outgoing.id).limit(1))
    return None if row is None else str(row["reference"])


def tried(known: Mapping[str, Any], changed: Mapping[str, Any], attempt: Mapping[str, Any]) -> bool:
    """Notes an attempt and what became of it, within the open transaction.

    Nothing happens, and False is returned, when another process noted its own meanwhile or it is gone.
    """
    mine = (Outgoing.id == known["id"]) & (Outgoing.tries == known["tries"])
    if not Outgoing.update({**changed, "tries": known["tries"] + 1}).where(mine).execute():
        return False
    insert(Attempt, {**attempt, "delivery": known["id"], "n": known["tries"] + 1})
    return True


def any_to_hold() -> bool:
    """Whether anything waits for a destination that is not enabled."""
    return bool(_to_hold().exists())


def hold(limit: int) -> int:
    """Holds some of what waits for destinations that are not enabled, in the open transaction; how many."""
    ids = [row["id"] for row in rows(_to_hold().limit(limit))]
    return int(Outgoing.update(state=HELD).where(Outgoing.id.in_(ids)).execute()) if ids else 0


def replay(ids: Sequence[str], now: int) -> int:
    """Has deliveries sent anew, and those that wait now, within the open transaction; how many."""
    if not ids:
        return 0
    mine = Outgoing.id.in_(list(ids))
    sooner = mine & _waiting() & (Outgoing.next_at > now)
    anew = {"state": WAITING, "replay": True, "rung": 0, "next_at": now}
    done = Outgoing.update(next_at=now).where(sooner).execute()
    return int(done + Outgoing.update(anew).where(mine & (Outgoing.state != WAITING)).execute())


def list_page(
    destination_id: str, *, state: str | None = None, before: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """A destination's deliveries, the newest first, with ids before one if that is given."""
    found = only(Outgoing.select(), {Outgoing.destination: destination_id, Outgoing.state: state})
    found = found if before is None else found.where(Outgoing.id < before)
    return rows(found.order_by(Outgoing.id.desc()).limit(limit))


def ids_between(destination_id: str, states: Sequence[str], since: str, until: str, limit: int) -> list[str]:
    """The ids of a destination's deliveries in these states, from `since` on and before `until`."""
    mine = (Outgoing.destination == destination_id) & Outgoing.state.in_(list(states))
    found = Outgoing.select(Outgoing.id).where(mine & (Outgoing.id >= since) & (Outgoing.id < until))
    return [row["id"] for row in rows(found.order_by(Outgoing.id).limit(limit))]


def attempts_of(ids: Sequence[str]) -> list[dict[str, Any]]:
    """The attempts at these deliveries, in their order."""
    found = Attempt.select().where(Attempt.delivery.in_(list(ids)))
    return rows(found.order_by(Attempt.delivery, Attempt.n)) if ids else []


def count(destination_id: str, state: str) -> int:
    """How many deliveries of a destination are in this state, MOST_COUNTED at most."""
    mine = (Outgoing.destination == destination_id) & (Outgoing.state == state)
    return int(Outgoing.select(Outgoing.id).where(mine).limit(MOST_COUNTED).count())


def forget_record(feedback_id: str) -> int:
    """Deletes what was or is to be sent of a record, within the open transaction; how many deliveries."""
    return int(Outgoing.delete().where(Outgoing.feedback == feedback_id).execute())


def forget_in(ids: Sequence[str], states: Sequence[str]) -> int:
    """Deletes deliveries, those that are in such a state still, within the open transaction; how many."""
    mine = Outgoing.id.in_(list(ids)) & Outgoing.state.in_(list(states))
    return int(Outgoing.delete().where(mine).execute()) if ids else 0


def forget(before: str, limit: int) -> int:
    """Deletes some deliveries with ids below `before` within the open transaction, and says how many."""
    old = Outgoing.select(Outgoing.id).where(Outgoing.id < before).order_by(Outgoing.id).limit(limit)
    ids = [row["id"] for row in rows(old)]
    return int(Outgoing.delete().where(Outgoing.id.in_(ids)).execute()) if ids else 0


def forget_of(destination_id: str, limit: int) -> int:
    """Deletes some of a destination's deliveries within the open transaction, and says how many."""
    mine = Outgoing.select(Outgoing.id).where(Outgoing.destination == destination_id)
    ids = [row["id"] for row in rows(mine.order_by(Outgoing.id).limit(limit))]
    return int(Outgoing.delete().where(Outgoing.id.in_(ids)).execute()) if ids else 0


def _waiting() -> Any:
    return Outgoing.state == WAITING


def _to_hold() -> Any:
    resting = Destination.select(Destination.id).where(Destination.state != ENABLED)
    return Outgoing.select(Outgoing.id).where(_waiting() & Outgoing.destination.in_(resting))


def _due(now: int, but: Iterable[str]) -> Any:
    return _waiting() & (Outgoing.next_at <= now) & Outgoing.id.not_in([*but, ""])
