"""What makes alike records findable: the keys of each record's words, made by the background worker.

To erase a record is enough: its signature and keys go with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from peewee import BigIntegerField, CompositeKey, ForeignKeyField, IntegerField, fn

from models.base import AT_ONCE, Table, database, locked, rows
from models.feedback import Feedback

SPOKEN = ("message", "chat", "correction", "rating")  # types that hold people's words
PER_KEY = 50  # newest records under one key that are looked at, so that a flood costs no more
CANDIDATES = 100  # of all keys together
READ = 4_000  # characters of a text
PAGE = 1_000  # records read at a time


class Signature(Table):
    """A record whose words have been looked at, as they were at `updated_at` (milliseconds UTC)."""

    id = IntegerField(primary_key=True)
    feedback = ForeignKeyField(Feedback, unique=True, on_delete="CASCADE")
    updated_at = BigIntegerField()


class SignatureKey(Table):
    """A key of a record's words; alike records share some. It says nothing about the words themselves."""

    key = BigIntegerField()
    signature = ForeignKeyField(Signature, on_delete="CASCADE")

    class Meta:
        primary_key = CompositeKey("key", "signature")
        without_rowid = True


@dataclass(frozen=True, slots=True)
class Signed:
    """The keys of a record's words as they were at `updated_at`."""

    feedback_id: str
    updated_at: int
    keys: Sequence[int]


_WORDS = (
    Feedback.id,
    Feedback.workspace_id,
    Feedback.title,
    fn.SUBSTR(Feedback.text, 1, READ).alias("text"),
    Feedback.received_at,
    Feedback.updated_at,
    fn.COALESCE(Feedback.author_id, Feedback.author_email, Feedback.id).alias("who"),
)
_NEWEST = (
    'SELECT signature_id FROM (SELECT signature_id FROM signature_key WHERE "key" = ? '
    "ORDER BY signature_id DESC LIMIT ?) AS newest"
)
_ALIKE = (
    "SELECT signature_id FROM ({}) AS found GROUP BY signature_id "
    "ORDER BY COUNT(*) DESC, signature_id DESC LIMIT ?"
)
_FOUND = (
    f"SELECT feedback.id, title, SUBSTR(text, 1, {READ}), COALESCE(author_id, author_email, feedback.id) "
    "FROM signature JOIN feedback ON feedback.id = signature.feedback_id WHERE retracted_at IS NULL AND {}"
)
_SIGN = 'INSERT INTO signature_key ("key", signature_id) VALUES {}'


def unsigned(after: str, until: str, limit: int) -> list[dict[str, Any]]:
    """Records of people's words, with ids between these two, that have no signature or an old one.

    Oldest first, texts cut; of every workspace.
    """
    found = Feedback.select(*_WORDS).left_outer_join(Signature, on=(Signature.feedback == Feedback.id))
    known = Signature.updated_at == Feedback.updated_at
    found = found.where((Feedback.id > after) & (Feedback.id < until) & Feedback.type.in_(SPOKEN))
    found = found.where(Signature.id.is_null() | ~known)
    return rows(found.order_by(Feedback.id).limit(limit))


def sign(signed: Iterable[Signed]) -> None:
    """Stores signatures within the open transaction, in place of those that were; erased records get none.

    Only who has the lease of this work may call it: ids are given out here.
    """
    wanted = {item.feedback_id: item for item in signed}
    there = Feedback.select(Feedback.id).where(Feedback.id.in_(list(wanted)))
    kept = [wanted[row["id"]] for row in rows(there)]
    Signature.delete().where(Signature.feedback.in_(list(wanted))).execute()
    first = 1 + (Signature.select(fn.MAX(Signature.id)).scalar() or 0)
    numbered = list(enumerate(sorted(kept, key=lambda item: item.feedback_id), first))
    Signature.insert_many(
        [(number, item.feedback_id, item.updated_at) for number, item in numbered],
        fields=[Signature.id, Signature.feedback, Signature.updated_at],
    ).execute()
    # In the order of the tree, so that neighbours are written together.
    pairs = sorted({(key, number) for number, item in numbered for key in item.keys})
    for start in range(0, len(pairs), 8 * AT_ONCE):
        some = pairs[start : start + 8 * AT_ONCE]
        marks = ", ".join(["(?, ?)"] * len(some))
        database.execute_sql(_SIGN.format(marks), list(chain.from_iterable(some)))


def candidates(
    workspace_id: str, project_id: str | None, keys: Sequence[int], *, since: int | None = None
) -> list[dict[str, Any]]:
    """Records of this workspace that share a key: {id, title, text, who}, texts cut.

    Of many, those that share most. Those that their senders took back are left out. Plain SQL: the
    background worker asks this for every record.
    """
    if not keys:
        return []
    newest = " UNION ALL ".join([_NEWEST] * len(keys))
    values = [*chain.from_iterable((key, PER_KEY) for key in keys), CANDIDATES]
    alike = [number for (number,) in database.execute_sql(_ALIKE.format(newest), values).fetchall()]
    if not alike:
        return []
    marks = ", ".join(["?"] * len(alike))
    where, asked = [f"signature.id IN ({marks})", "workspace_id = ?"], [*alike, workspace_id]
    for column, value in (("project_id = ?", project_id), ("received_at >= ?", since)):
        if value is not None:
            where.append(column)
            asked.append(value)
    found = database.execute_sql(_FOUND.format(" AND ".join(where)), asked).fetchall()
    return [dict(zip(("id", "title", "text", "who"), row, strict=True)) for row in found]


def raise_reach(
    ids: Sequence[str], raised: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], now: int
) -> int:
    """Gives records the impact reasons that `raised` makes of theirs, within the open transaction.

    Says how many changed. The impact is their sum again, unless a person set it.
    """
    found = Feedback.select(Feedback.id, Feedback.impact_origin, Feedback.impact_reasons)
    # In the order in which records with the same words are taken, so that no two wait for each other.
    found = found.where(Feedback.id.in_(list(ids))).order_by(Feedback.received_at.desc())
    changed = 0
    for row in rows(locked(found)):
        reasons = raised(row["impact_reasons"])
        if reasons == row["impact_reasons"]:
            continue
        update: dict[str, Any] = {"impact_reasons": reasons, "updated_at": now}
        if row["impact_origin"] != "corrected":
            update["impact"] = sum(reason["points"] for reason in reasons)
        Feedback.update(update).where(Feedback.id == row["id"]).execute()
        changed += 1
    return changed


def spoken(workspace_id: str, project_id: str | None, since: str, limit: int) -> Iterator[dict[str, Any]]:
    """The newest records of people's words with ids from `since` on, newest first, read in pages, texts cut.

    Those that their senders took back are left out.
    """
    mine = (
        (Feedback.workspace_id == workspace_id) & Feedback.type.in_(SPOKEN) & Feedback.retracted_at.is_null()
    )
    if project_id is not None:
        mine &= Feedback.project_id == project_id
    found = Feedback.select(*_WORDS).where(mine & (Feedback.id >= since)).order_by(Feedback.id.desc())
    before, left = "", limit
    while left > 0:
        page = rows((found.where(Feedback.id < before) if before else found).limit(min(PAGE, left)))
        yield from page
        if len(page) < PAGE:
            return
        before, left = page[-1]["id"], left - len(page)
