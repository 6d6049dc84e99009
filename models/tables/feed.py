"""The feed of a workspace's changes: each noted by triggers, and numbered when it is seen.

A change is noted in the transaction that makes it, while its workspace has a feed (migration 0033). It has no
number then: of two transactions the one with the smaller number could be committed later, and a reader who is
past that would miss it. Who reads numbers what is committed by then, one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peewee import BigIntegerField, TextField

from models.database.base import Table, database, first, insert, locked, only, rows

KEPT = 30 * 86_400_000  # milliseconds that a change is kept, and that a feed goes on without being read
_NEW = "workspace_id = ? AND seq IS NULL"
CREATED, CHANGED, MERGED, DELETED = TYPES = ("created", "changed", "merged", "deleted")


class Feed(Table):
    """A workspace's feed. Changes have numbers up to `seq`; those up to `forgotten` are no longer kept.

    `id` is another one each time the feed begins, and null when it has ended. `read_at` (milliseconds UTC) is
    when it was read last, or a while before.
    """

    workspace_id = TextField(primary_key=True)
    id = TextField(null=True)
    seq = BigIntegerField()
    forgotten = BigIntegerField()
    read_at = BigIntegerField()


class FeedChange(Table):
    """A change of a record, which may be gone. `at` is milliseconds UTC; `seq` is null until it is seen."""

    id = TextField(primary_key=True)
    workspace_id = TextField()
    project_id = TextField()
    feedback_id = TextField()
    type = TextField()
    at = BigIntegerField()
    seq = BigIntegerField(null=True)


def find(workspace_id: str, *, to_change: bool = False) -> dict[str, Any] | None:
    """A workspace's feed, or None; with `to_change` nobody else changes it before the transaction ends."""
    found = Feed.select().where(Feed.workspace_id == workspace_id)
    return first(locked(found) if to_change else found)


def begin(workspace_id: str, feed_id: str, now: int) -> bool:
    """Begins a workspace's feed within the open transaction, unless it goes on; whether it did."""
    database.obj.serialise([("feed", workspace_id)])
    known = find(workspace_id)
    if known is None:
        row = {"workspace_id": workspace_id, "id": feed_id, "seq": 0, "forgotten": 0, "read_at": now}
        insert(Feed, row)
    elif known["id"] is None:
        _change(workspace_id, id=feed_id, read_at=now)
    return known is None or known["id"] is None


def note_read(workspace_id: str, now: int) -> None:
    """Notes within the open transaction that somebody reads a feed."""
    _change(workspace_id, read_at=now)


def any_new(workspace_id: str) -> bool:
    """Whether there are changes that nobody has seen."""
    # In an order that one index has: a server that takes them for many would look through the table.
    asked = f"SELECT 1 FROM feed_change WHERE {_NEW} ORDER BY {database.obj.ARRIVAL} LIMIT 1"
    return database.execute_sql(asked, (workspace_id,)).fetchone() is not None


def number(workspace_id: str, limit: int) -> int:
    """Numbers some changes that nobody has seen, the oldest first, within the open transaction; how many."""
    known = find(workspace_id, to_change=True)
    assert known is not None
    order = database.obj.ARRIVAL
    done: int = database.execute_sql(
        "UPDATE feed_change SET seq = ? + numbered.place FROM "
        f"(SELECT id, ROW_NUMBER() OVER (ORDER BY {order}) AS place FROM feed_change "
        f"WHERE {_NEW} ORDER BY {order} LIMIT ?) AS numbered "
        "WHERE feed_change.id = numbered.id",
        (known["seq"], workspace_id, limit),
    ).rowcount
    if done:
        _change(workspace_id, seq=known["seq"] + done)
    return done


def after(known: Mapping[str, Any], project_id: str | None, seq: int, limit: int) -> list[dict[str, Any]]:
    """Changes with numbers behind `seq`, up to the feed's last as it is known, in their order."""
    place = (FeedChange.seq > seq) & (FeedChange.seq <= known["seq"])
    mine = FeedChange.select().where(FeedChange.workspace_id == known["workspace_id"], place)
    return rows(only(mine, {FeedChange.project_id: project_id}).order_by(FeedChange.seq).limit(limit))


def moment_of(workspace_id: str, seq: int) -> int | None:
    """When the change of this number was made; None when it is no longer kept."""
    mine = (FeedChange.workspace_id == workspace_id) & (FeedChange.seq == seq)
    found: int | None = FeedChange.select(FeedChange.at).where(mine).scalar()
    return found


def every() -> list[dict[str, Any]]:
    """The feeds of all workspaces, also those that have ended."""
    return rows(Feed.select().order_by(Feed.workspace_id))


def end(workspace_id: str, before: int) -> bool:
    """Ends a feed that was not read since a time, within the open transaction; whether it did.

    Changes are noted no more, and those that were are still to be forgotten.
    """
    unread = (Feed.workspace_id == workspace_id) & Feed.id.is_null(False) & (Feed.read_at < before)
    return bool(Feed.update(id=None).where(unread).execute())


def forget(workspace_id: str, before: int, limit: int) -> int:
    """Deletes some changes from before a time, the oldest, within the open transaction; how many."""
    known = find(workspace_id, to_change=True)
    assert known is not None
    oldest = after(known, None, known["forgotten"], limit)
    last = max((one["seq"] for one in oldest if one["at"] < before), default=0)
    gone = [one["id"] for one in oldest if one["seq"] <= last]
    if gone:
        _change(workspace_id, forgotten=last)
        FeedChange.delete().where(FeedChange.id.in_(gone)).execute()
    return len(gone)


def _change(workspace_id: str, **columns: Any) -> None:
    Feed.update(columns).where(Feed.workspace_id == workspace_id).execute()
