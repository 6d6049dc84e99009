"""Answers to authors: what is to be sent, what was, and who wants none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from peewee import (
    SQL,
    BigIntegerField,
    BooleanField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    TextField,
    fn,
)

from models.database.base import AT_ONCE, JSONText, Table, database, first, rows
from models.tables.feedback import Feedback, iso
from models.tables.workspace import Workspace

EVENT = "replied"  # in the history of a record whose author was answered
QUEUED, SENDING, SENT, FAILED = STATES = ("queued", "sending", "sent", "failed")


class Reply(Table):
    """One answer to one author, which goes with its record. Times are milliseconds UTC.

    `theme` is the lasting id of the theme whose authors were told at once, null for an answer to one record;
    `also` are the ids of the author's other records of it. `address` is a keyed digest of the author's, null
    in a channel without any: it tells whether the record still has the same one. `server` is who takes it, as
    the channel names it. `next_at` is when it is sent next while it is queued or being sent, `why` what was
    wrong with the last try, and `undeliverable` that nobody has the address.
    """

    id = TextField(primary_key=True)
    workspace_id = TextField()
    feedback = ForeignKeyField(Feedback, on_delete="CASCADE")
    theme = TextField(null=True)
    also = JSONText()
    channel = TextField()
    address = TextField(null=True)
    server = TextField()
    text = TextField()
    state = TextField()
    tries = IntegerField()
    next_at = BigIntegerField()
    why = TextField(null=True)
    undeliverable = BooleanField()
    key_id = TextField()
    created_at = BigIntegerField()
    sent_at = BigIntegerField(null=True)


class Unsubscribed(Table):
    """An address that gets no more mail from a workspace, as a keyed digest, and since when."""

    workspace_id = TextField()
    address = TextField()
    at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("workspace_id", "address")


_WAITS = Reply.state.in_([SQL("'queued'"), SQL("'sending'")])  # written out, as the index says it
_NOBODYS = Reply.state.in_([QUEUED, FAILED])
_TOLD = Reply.theme.is_null(False)


def add_all(replies: Sequence[Mapping[str, Any]]) -> int:
    """Stores new answers within the open transaction, but for authors who are told of the theme already.

    How many were stored.
    """
    new: dict[str, Any] = {
        "also": [],
        "theme": None,
        "state": QUEUED,
        "tries": 0,
        "why": None,
        "undeliverable": False,
        "sent_at": None,
    }
    stored = 0
    for row in replies:
        query = Reply.insert({**new, **row}).on_conflict_ignore()
        stored += bool(query.as_rowcount().execute())
    return stored


def find(feedback_id: str, reply_id: str) -> dict[str, Any] | None:
    """One answer to this record, or None."""
    return first(Reply.select().where((Reply.feedback == feedback_id) & (Reply.id == reply_id)))


def of_record(
    feedback_id: str, *, limit: int | None = None, after: str | None = None
) -> list[dict[str, Any]]:
    """The answers to a record, the oldest first, with ids after one if that is given."""
    found = Reply.select().where(Reply.feedback == feedback_id)
    found = found if after is None else found.where(Reply.id > after)
    return rows(found.order_by(Reply.id).limit(limit))


def sent_before(row: Mapping[str, Any]) -> list[str]:
    """The ids of what was sent to the same author by the same channel before, the oldest first."""
    mine = (Reply.feedback == row["feedback"]) & (Reply.channel == row["channel"])
    mine &= (Reply.id < row["id"]) & (Reply.state == SENT)
    mine &= Reply.address.is_null() if row["address"] is None else Reply.address == row["address"]
    return [one["id"] for one in rows(Reply.select(Reply.id).where(mine).order_by(Reply.id))]


def due(
    now: int, limit: int, each: int, under_way: Mapping[str, str], records: Iterable[str]
) -> list[dict[str, Any]]:
    """Answers whose time has come, `each` to a server at most, of those that are due for longest first.

    None of those that are `under_way`, which count: their servers by their ids. None to these `records`, and
    none before its turn.

    Each server is asked for its own next ones: however much waits for one, the others cost the same.
    """
    busy, found = Counter(under_way.values()), list[dict[str, Any]]()
    mine = (Reply.next_at <= now) & _in_turn() & Reply.id.not_in([*under_way, ""])
    mine &= Reply.feedback.not_in([*records, ""])
    for server in _servers():
        if (left := each - busy[server]) > 0:
            some = Reply.select().where(_WAITS & (Reply.server == server) & mine)
            found += rows(some.order_by(Reply.next_at, Reply.id).limit(left))
    return sorted(found, key=itemgetter("next_at", "id"))[:limit]


def next_due() -> int | None:
    """When the next answer is due; None when none waits but for one before it."""
    times = []
    for server in _servers():
        some = Reply.select(Reply.next_at).where(_WAITS & (Reply.server == server) & _in_turn())
        if (row := first(some.order_by(Reply.next_at, Reply.id).limit(1))) is not None:
            times.append(int(row["next_at"]))
    return min(times, default=None)


def _servers() -> Iterator[str]:
    """The servers for which anything waits, each found by a step in the index."""
    last = ""
    found = Reply.select(Reply.server).order_by(Reply.server).limit(1)
    while (row := first(found.where(_WAITS & (Reply.server > last)))) is not None:
        yield (last := row["server"])


def _in_turn() -> Any:
    """That none before it to the same author is tried again later: they arrive as they were written."""
    earlier = Reply.alias()
    same = (earlier.feedback == Reply.feedback) & (earlier.channel == Reply.channel)
    same &= (earlier.address == Reply.address) | (earlier.address.is_null() & Reply.address.is_null())
    before = (earlier.id < Reply.id) & (earlier.state == SENDING)
    return ~fn.EXISTS(earlier.select(SQL("1")).where(same & before))


def claim(reply_id: str) -> bool:
    """Begins to send an answer, within the open transaction; False when it was taken back."""
    mine = (Reply.id == reply_id) & _WAITS
    return bool(Reply.update(state=SENDING).where(mine).execute())


def settle(reply_id: str, changed: Mapping[str, Any]) -> bool:
    """Notes what became of a try within the open transaction; False when the answer is gone."""
    mine = (Reply.id == reply_id) & (Reply.state == SENDING)
    return bool(Reply.update({**changed, "tries": Reply.tries + 1}).where(mine).execute())


def take_back(reply_id: str) -> bool:
    """Deletes an answer that nobody has begun to send, or that was given up; whether it was one.

    Within the open transaction.
    """
    return bool(Reply.delete().where((Reply.id == reply_id) & _NOBODYS).execute())


def take_back_some(workspace_id: str, theme: str, projects: Sequence[str], limit: int) -> int:
    """The same for some of a theme's in these projects; how many."""
    mine = (Reply.workspace_id == workspace_id) & (Reply.theme == theme) & _TOLD & _NOBODYS
    found = Reply.select(Reply.id).join(Feedback).where(mine & Feedback.project_id.in_(list(projects)))
    ids = [row["id"] for row in rows(found.limit(limit))]
    return int(Reply.delete().where(Reply.id.in_(ids) & _NOBODYS).execute()) if ids else 0


def count(ids: Sequence[str]) -> int:
    """How many answers there are to these records."""
    return int(Reply.select().where(Reply.feedback.in_(list(ids))).count()) if ids else 0


def forget_record(feedback_id: str) -> int:
    """Deletes the answers to a record within the open transaction; how many."""
    return int(Reply.delete().where(Reply.feedback == feedback_id).execute())


def count_told(workspace_id: str, since: str) -> int:
    """How many of a workspace's authors were told of themes, by ids of answers from `since` on."""
    mine = (Reply.workspace_id == workspace_id) & (Reply.id >= since) & _TOLD
    return int(Reply.select().where(mine).count())


def told(workspace_id: str, theme: str, addresses: Sequence[str]) -> set[str]:
    """Those of these digests that are told of the theme already."""
    mine = (Reply.workspace_id == workspace_id) & (Reply.theme == theme) & _TOLD
    found = (
        rows(Reply.select(Reply.address).where(mine & Reply.address.in_(some))) for some in _parts(addresses)
    )
    return {row["address"] for part in found for row in part}


def undeliverable(workspace_id: str, addresses: Sequence[str]) -> set[str]:
    """Those of these digests that nobody has, as a mail server said when the last mail was sent there."""
    mine = (Reply.workspace_id == workspace_id) & Reply.undeliverable
    found = (
        rows(Reply.select(Reply.address).where(mine & Reply.address.in_(some))) for some in _parts(addresses)
    )
    return {row["address"] for part in found for row in part}


def note_delivered(workspace_id: str, address: str) -> None:
    """Notes within the open transaction that a mail server takes mail to an address."""
    mine = (Reply.workspace_id == workspace_id) & (Reply.address == address) & Reply.undeliverable
    Reply.update(undeliverable=False).where(mine).execute()


def last_told(workspace_id: str, addresses: Sequence[str]) -> dict[str, int]:
    """When each of these digests was, or is to be, told of any theme last."""
    last: dict[str, int] = {}
    for some in _parts(addresses):
        mine = (Reply.workspace_id == workspace_id) & Reply.address.in_(some) & _TOLD
        found = Reply.select(Reply.address, fn.MAX(Reply.next_at).alias("at")).where(mine)
        last |= {row["address"]: int(row["at"]) for row in rows(found.group_by(Reply.address))}
    return last


def unsubscribe(workspace_id: str, address: str, now: int) -> None:
    """Notes that an address wants no more mail, within the open transaction."""
    row = {"workspace_id": workspace_id, "address": address, "at": now}
    Unsubscribed.insert(row).on_conflict_ignore().execute()


def unsubscribed(workspace_id: str, addresses: Sequence[str]) -> set[str]:
    """Those of these digests that want no mail."""
    mine = Unsubscribed.workspace_id == workspace_id
    found = (
        rows(Unsubscribed.select(Unsubscribed.address).where(mine & Unsubscribed.address.in_(some)))
        for some in _parts(addresses)
    )
    return {row["address"] for part in found for row in part}


def address_key(workspace_id: str) -> str | None:
    """What a workspace's digests of addresses are made with, sealed; None before it has any."""
    found: str | None = Workspace.select(Workspace.address_key).where(Workspace.id == workspace_id).scalar()
    return found


def keep_address_key(workspace_id: str, sealed: str) -> None:
    """Sets it within the open transaction."""
    Workspace.update(address_key=sealed).where(Workspace.id == workspace_id).execute()


def any_address_key() -> bool:
    """Whether any workspace has one; False where the schema has no such column yet."""
    columns = {column.name for column in database.get_columns("workspace")}
    return (
        "address_key" in columns and Workspace.select().where(Workspace.address_key.is_null(False)).exists()
    )


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as the API shows it. `send_at` is when it is sent, or tried again."""
    waits = row["state"] in (QUEUED, SENDING)
    return {
        "id": row["id"],
        "feedback_id": row["feedback"],
        "theme_id": row["theme"],
        "channel": row["channel"],
        "text": row["text"],
        "state": row["state"],
        "why": row["why"],
        "undeliverable": row["undeliverable"],
        "tries": row["tries"],
        "key_id": row["key_id"],
        "created_at": iso(row["created_at"]),
        "send_at": iso(row["next_at"]) if waits else None,
        "sent_at": iso(row["sent_at"]),
    }


def _parts(values: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), AT_ONCE):
        yield [*values[start : start + AT_ONCE]]
