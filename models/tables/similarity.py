"""What makes alike records findable: the keys of each record's words, made by the background worker.

To erase a record is enough: its signature and keys go with it. A trigger marks the signature of a record
that says something else from now on (migration 0017_said); no other change of a record is of any weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from peewee import SQL, BigIntegerField, CompositeKey, ForeignKeyField, IntegerField, fn

from models.database.base import AT_ONCE, Table, database, locked, rows, update
from models.tables.feedback import Feedback
from models.tables.impact_reasons import impact_of

SPOKEN = ("message", "chat", "correction", "rating")  # types that hold people's words
PER_KEY = 50  # newest records under one key that are looked at, so that a flood costs no more
READ = 4_000  # characters of a text
PAGE = 1_000  # records read at a time


class Signature(Table):
    """A record whose words have been looked at; `stale` is 1 once it says something else."""

    id = IntegerField(primary_key=True)
    feedback = ForeignKeyField(Feedback, unique=True, on_delete="CASCADE")
    stale = IntegerField(default=0)


class SignatureKey(Table):
    """A key of a record's words; alike records share some. It says nothing about the words themselves."""

    key = BigIntegerField()
    signature = ForeignKeyField(Signature, on_delete="CASCADE")

    class Meta:
        primary_key = CompositeKey("key", "signature")
        without_rowid = True


@dataclass(frozen=True, slots=True)
class Signed:
    """The keys of a record's words as they were when it had last been changed at `updated_at`."""

    feedback_id: str
    updated_at: int
    keys: Sequence[int]


_WORDS = (
    Feedback.id,
    Feedback.workspace_id,
    Feedback.title,
    fn.SUBSTR(Feedback.text, 1, READ).alias("text"),
    fn.COALESCE(Feedback.author_id, Feedback.author_email, Feedback.id).alias("who"),
    Feedback.language,
)
_MORE = (*_WORDS, Feedback.received_at, Feedback.updated_at, Feedback.impact_reasons)
_NEWEST = (
    'SELECT "key", signature_id FROM (SELECT "key", signature_id FROM signature_key WHERE "key" = ? '
    "ORDER BY signature_id DESC LIMIT ?) AS newest"
)
# CROSS, and no plain workspace_id: a planner that does not know how many records a workspace has would read
# all of them for this.
_KNOWN = (
    f"SELECT signature.id, feedback.id, title, SUBSTR(text, 1, {READ}), "
    "COALESCE(author_id, author_email, feedback.id), received_at, impact_reasons "
    "FROM signature CROSS JOIN feedback WHERE feedback.id = signature.feedback_id "
    "AND signature.id IN ({}) AND workspace_id || '' = ? AND retracted_at IS NULL"
)
# In the order in which records with the same words are taken, so that no two wait for each other.
_TAKEN = (Feedback.received_at.desc(), Feedback.id.desc())
_STALE = SQL("stale = 1")  # in the words of its index
_SIGN = 'INSERT INTO signature_key ("key", signature_id) VALUES {}'


def unsigned(after: str, until: str, limit: int) -> list[dict[str, Any]]:
    """Records of people's words, with ids between these two, that have no signature.

    Oldest first, texts cut; of every workspace.
    """
    found = Feedback.select(*_MORE).left_outer_join(Signature, on=(Signature.feedback == Feedback.id))
    found = found.where((Feedback.id > after) & (Feedback.id < until) & Feedback.type.in_(SPOKEN))
    return rows(found.where(Signature.id.is_null()).order_by(Feedback.id).limit(limit))


def reworded(limit: int) -> list[dict[str, Any]]:
    """Records, however old, that say something else than their signature; as `unsigned` gives them."""
    stale = Signature.select(Signature.feedback).where(_STALE).limit(limit)
    return of([row["feedback"] for row in rows(stale)])


def of(ids: Sequence[str]) -> list[dict[str, Any]]:
    """Those of these records that are there; as `unsigned` gives them."""
    found = Feedback.select(*_MORE).where(Feedback.id.in_(list(ids))).order_by(Feedback.id)
    return rows(found) if ids else []


def sign(signed: Sequence[Signed]) -> None:
    """Stores signatures within the open transaction, in place of those that were; erased records get none.

    One that was changed since it was read is marked, to be read again. Only who has the lease of this work
    may call it: ids are given out here.
    """
    wanted = {item.feedback_id: item for item in signed}
    there = Feedback.select(Feedback.id, Feedback.updated_at).where(Feedback.id.in_(list(wanted)))
    now = {row["id"]: row["updated_at"] for row in rows(locked(there.order_by(*_TAKEN)))}
    Signature.delete().where(Signature.feedback.in_(list(wanted))).execute()
    if not now:
        return
    first = 1 + (Signature.select(fn.MAX(Signature.id)).scalar() or 0)
    numbered = list(enumerate(map(wanted.__getitem__, sorted(now)), first))
    Signature.insert_many(
        [(number, one.feedback_id, int(now[one.feedback_id] != one.updated_at)) for number, one in numbered],
        fields=[Signature.id, Signature.feedback, Signature.stale],
    ).execute()
    # In the order of the tree, so that neighbours are written together.
    pairs = sorted({(key, number) for number, item in numbered for key in item.keys})
    for start in range(0, len(pairs), 8 * AT_ONCE):
        some = pairs[start : start + 8 * AT_ONCE]
        marks = ", ".join(["(?, ?)"] * len(some))
        database.execute_sql(_SIGN.format(marks), list(chain.from_iterable(some)))


def holders(keys: Sequence[int]) -> dict[int, list[int]]:
    """The numbers of the newest signatures (PER_KEY) that have each of these keys.

    Plain SQL, here and in `known`: the background worker asks this for every record.
    """
    found: dict[int, list[int]] = {key: [] for key in keys}
    if not keys:
        return found
    newest = " UNION ALL ".join([_NEWEST] * len(keys))
    values = list(chain.from_iterable((key, PER_KEY) for key in keys))
    for key, number in database.execute_sql(newest, values).fetchall():
        found[key].append(number)
    return found


def known(
    workspace_id: str, numbers: Sequence[int], project_id: str | None = None
) -> dict[int, dict[str, Any]]:
    """The records of this workspace with these signatures, by its number, texts cut.

    Each is {id, title, text, who, received_at, impact_reasons}. Those that their senders took back are left
    out.
    """
    if not numbers:
        return {}
    sql, values = _KNOWN.format(", ".join("?" * len(numbers))), [*numbers, workspace_id]
    if project_id is not None:
        sql, values = f"{sql} AND project_id = ?", [*values, project_id]
    found = {}
    for number, *row, reasons in database.execute_sql(sql, values).fetchall():
        found[number] = dict(zip(("id", "title", "text", "who", "received_at"), row, strict=True))
        found[number]["impact_reasons"] = Feedback.impact_reasons.python_value(reasons)
    return found


def raise_reach(
    reports: Mapping[str, int],
    raised: Callable[[list[dict[str, Any]], int], list[dict[str, Any]]],
    now: int,
) -> int:
    """Gives records the impact reasons that `raised` makes of theirs, within the open transaction.

    It is told how many report each. Says how many records changed. The impact is their sum again, unless
    a person set it.
    """
    found = Feedback.select(Feedback.id, Feedback.impact_reasons, Feedback.impact_origin, Feedback.people)
    found = found.where(Feedback.id.in_(list(reports))).order_by(*_TAKEN)
    changed = 0
    for row in rows(locked(found)):
        reasons = raised(row["impact_reasons"], reports[row["id"]])
        if reasons == row["impact_reasons"]:
            continue
        update(Feedback, row["id"], {**impact_of(row, reasons), "updated_at": now})
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
