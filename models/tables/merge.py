"""Which record was merged into which: a tree for each group, so that taking one out restores all as it was.

`feedback.merged_into` is the root of a record's tree, which stands for it in lists, and is kept with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from peewee import BigIntegerField, CompositeKey, ForeignKeyField, TextField, fn

from models.database.base import AT_ONCE, Table, database, rows
from models.database.query_dialects import PRIMARY
from models.tables.feedback import Feedback

Pair = tuple[str, str]  # of records, the one with the smaller id first


class Merge(Table):
    """A record that was merged into another one, by whom and when (milliseconds UTC).

    `into` was the root of its own tree then; with another one deleted, what stands in its place.
    """

    feedback = ForeignKeyField(Feedback, primary_key=True, on_delete="CASCADE")
    into = ForeignKeyField(Feedback, backref="merges", on_delete="CASCADE")
    key_id = TextField()
    at = BigIntegerField()


class MergeDismissal(Table):
    """Two records that somebody said are not the same, the one with the smaller id first."""

    one = ForeignKeyField(Feedback, on_delete="CASCADE")
    other = ForeignKeyField(Feedback, on_delete="CASCADE")
    key_id = TextField()
    at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("one", "other")


def below(roots: Sequence[str]) -> list[str]:
    """The records that these stand for."""
    found = Feedback.select(Feedback.id).where(Feedback.merged_into.in_(list(roots)))
    return [row["id"] for row in rows(found)] if roots else []


def edges(root_id: str) -> dict[str, str]:
    """What each record of a group beside its root was merged into, the oldest first."""
    mine = Feedback.select(Feedback.id).where(Feedback.merged_into == root_id)
    ids = [row["id"] for row in rows(mine.order_by(Feedback.received_at, Feedback.id))]
    found: dict[str, str] = {}
    for start in range(0, len(ids), AT_ONCE):
        some = Merge.select(Merge.feedback, Merge.into).where(
            Merge.feedback.in_(ids[start : start + AT_ONCE])
        )
        found |= {row["feedback"]: row["into"] for row in rows(some)}
    return {one: found[one] for one in ids}


def members(root_id: str, limit: int | None = None) -> list[dict[str, Any]]:
    """The records of a group beside its root, the oldest first."""
    found = Feedback.select().where(Feedback.merged_into == root_id)
    return rows(found.order_by(Feedback.received_at, Feedback.id).limit(limit))


def count_members(root_id: str) -> int:
    """How many records a group has beside its root."""
    return int(Feedback.select().where(Feedback.merged_into == root_id).count())


def count_people(root_id: str) -> int:
    """How many distinct authors a group has: by id, else by address; without either each record is one."""
    who = fn.COALESCE(Feedback.author_id, Feedback.author_email, Feedback.id)
    mine = (Feedback.merged_into == root_id) | (Feedback.id == root_id)
    return int(Feedback.select(fn.COUNT(who.distinct())).where(mine).scalar())


def pair(one: str, other: str) -> Pair:
    """Two records as they are told of together."""
    return min(one, other), max(one, other)


def dismiss(two: Pair, key_id: str, now: int) -> None:
    """Remembers within the open transaction that two records are not the same."""
    row = {"one": two[0], "other": two[1], "key_id": key_id, "at": now}
    MergeDismissal.insert(row).on_conflict_ignore().execute()


def undecided(pairs: Iterable[Pair]) -> set[Pair]:
    """Those of the pairs that nobody merged, either of them, and nobody said are not the same."""
    wanted = set(pairs)
    ids = sorted({one for two in wanted for one in two})
    found: set[Pair] = set()
    merged: set[str] = set()
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        said = MergeDismissal.select(MergeDismissal.one, MergeDismissal.other)
        found |= {(row["one"], row["other"]) for row in rows(said.where(MergeDismissal.one.in_(some)))}
        named = database.obj.through(Feedback.select(Feedback.id).where(Feedback.id.in_(some)), PRIMARY)
        gone = named.where(Feedback.merged_into.is_null(False))
        merged |= {row["id"] for row in rows(gone)}
    return {two for two in wanted - found if not merged & set(two)}
