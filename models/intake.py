"""The one write: records, their events with the raw payload, and their keys, in one transaction."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from models import dedupe
from models.base import Table, database, first, writing
from models.event import Event
from models.feedback import Feedback

_FORGET_EVERY = 500  # writes between two sweeps of expired keys
_writes = itertools.count(1)

# What the sender said; when a replaceable record comes again, these decide whether anything changed.
CONTENT = (
    "type",
    "title",
    "text",
    "kind",
    "subject",
    "author_id",
    "author_name",
    "author_email",
    "tags",
    "external_id",
    "occurred_at",
)
LABELS = (
    "language",
    "category",
    "category_origin",
    "category_confidence",
    "sentiment",
    "sentiment_origin",
    "sentiment_score",
    "impact",
    "impact_origin",
    "impact_reasons",
    "model_version",
    "fingerprint",
)

# What a label's replacement by a person keeps from being labelled anew.
OVERRULABLE = {"category", "sentiment", "impact"}
RULED_BY = {
    "category_origin": ("category",),
    "category_confidence": ("category",),
    "sentiment_origin": ("sentiment",),
    "sentiment_score": ("sentiment",),
    "impact_origin": ("impact",),
}
_COUNTED = 200  # newest records with the same words that are looked at, so that a flood costs no more
_SAME = (
    "SELECT id, COALESCE(author_id, author_email, id), impact_origin, impact_reasons FROM feedback "
    "WHERE workspace_id = ? AND fingerprint = ? AND received_at >= ? ORDER BY received_at DESC LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Write:
    """One record to store: its row, the event of this delivery, and its natural key if it has one."""

    row: Mapping[str, Any]
    event: Mapping[str, Any]
    dedupe_key: str | None = None
    replaceable: bool = False
    retracts: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key to take for one request. `expires_at` is milliseconds UTC."""

    workspace_id: str
    scope: str
    key: str
    digest: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one write: the row as it now stands (empty when nothing was there to change)."""

    outcome: str
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reach:
    """How reports of the same thing raise each other's impact.

    Those of the last `window` milliseconds count together. `raised` gives impact reasons what so
    many reporters add; when their number meets one of `steps`, the earlier records are raised too.
    """

    steps: Sequence[int]
    window: int
    raised: Callable[[Sequence[Mapping[str, Any]], int], list[dict[str, Any]]]


class Taken(Exception):
    """The request's Idempotency-Key was used before: its body digest and the first answer."""

    def __init__(self, digest: str, answer: str | None) -> None:
        super().__init__("idempotency key already used")
        self.digest = digest
        self.answer = answer


def save(
    writes: Sequence[Write],
    claim: Claim | None,
    answer: Callable[[list[Stored]], str],
    reach: Reach,
    *,
    now: int,
) -> list[Stored]:
    """Commits one request, all or nothing. `answer` makes what a repeat of the claim will be given.

    Raises Taken when the claim was used before, and peewee's OperationalError when the database
    cannot take it now.
    """
    with writing():
        if claim is not None:
            take_claim(claim, now=now)
        stored = [_store(write, reach, now) for write in writes]
        if claim is not None:
            dedupe.remember_answer(claim.workspace_id, claim.scope, claim.key, answer(stored))
        if next(_writes) % _FORGET_EVERY == 0:
            dedupe.forget_expired(now)
    return stored


def take_claim(claim: Claim, *, now: int) -> None:
    """Takes an Idempotency-Key within the open transaction. Raises Taken."""
    free = dedupe.take(
        claim.workspace_id, claim.scope, claim.key, now=now, digest=claim.digest, expires_at=claim.expires_at
    )
    if not free:
        used = dedupe.taken(claim.workspace_id, claim.scope, claim.key)
        assert used is not None, "a key that could not be taken has a row"
        raise Taken(used["digest"], used["answer"])


def _store(write: Write, reach: Reach, now: int) -> Stored:
    row = write.row
    if write.dedupe_key is None:
        return _create(write, reach, now)
    if write.retracts:
        return _retract(write, now)
    if dedupe.take(row["workspace_id"], row["source"], write.dedupe_key, now=now, feedback_id=row["id"]):
        return _create(write, reach, now)
    known = _known(write)
    if known is None:  # the record was erased; its key stays used
        return Stored("ignored", {})
    if not write.replaceable or (known["retracted_at"] is None and _same_content(known, row)):
        return Stored("unchanged", known)
    return _replace(write, known, now)


def _create(write: Write, reach: Reach, now: int) -> Stored:
    row = _joined(write.row, reach, now) if write.row["fingerprint"] else write.row
    _insert(Feedback, row)
    _insert(Event, {**write.event, "feedback": row["id"], "type": "received"})
    return Stored("created", row)


def _joined(row: Mapping[str, Any], reach: Reach, now: int) -> Mapping[str, Any]:
    """A new row with the reach that the same words from others give it, which it gives them in turn."""
    since = now - reach.window
    same = database.execute_sql(_SAME, (row["workspace_id"], row["fingerprint"], since, _COUNTED)).fetchall()
    if not same:
        return row
    who = row["author_id"] or row["author_email"] or row["id"]
    before = {reporter for _, reporter, *_ in same}
    reports = len({who, *before})
    if reports > len(before) and reports in reach.steps:
        for feedback_id, _, origin, reasons in same:
            _raise(feedback_id, origin, reach.raised(json.loads(reasons), reports), now)
    reasons = reach.raised(row["impact_reasons"], reports)
    return {**row, "impact_reasons": reasons, "impact": _sum(reasons)}


def _raise(feedback_id: str, origin: str, reasons: list[dict[str, Any]], now: int) -> None:
    changed: dict[str, Any] = {"impact_reasons": reasons, "updated_at": now}
    if origin != "corrected":
        changed["impact"] = _sum(reasons)
    Feedback.update(changed).where(Feedback.id == feedback_id).execute()


def _sum(reasons: Sequence[Mapping[str, Any]]) -> int:
    return sum(reason["points"] for reason in reasons)


def _replace(write: Write, known: Mapping[str, Any], now: int) -> Stored:
    """New content for a record its sender sent before; a removed one stands again."""
    kept = OVERRULABLE & set(known["overruled"] or ())
    changed = {
        name: write.row[name] for name in (*CONTENT, *LABELS) if not kept & {name, *RULED_BY.get(name, ())}
    }
    changed |= {"updated_at": now, "last_seen_at": now}
    if known["retracted_at"] is not None:
        changed |= {"retracted_at": None, "status": "open"}
    Feedback.update(changed).where(Feedback.id == known["id"]).execute()
    _insert(Event, {**write.event, "feedback": known["id"], "type": "updated"})
    return Stored("updated", {**known, **changed})


def _retract(write: Write, now: int) -> Stored:
    known = _known(write)
    if known is None:
        return Stored("ignored", {})
    if known["retracted_at"] is not None:
        return Stored("unchanged", known)
    changed = {"retracted_at": now, "updated_at": now, "status": "ignored"}
    Feedback.update(changed).where(Feedback.id == known["id"]).execute()
    _insert(Event, {**write.event, "feedback": known["id"], "type": "retracted"})
    return Stored("retracted", {**known, **changed})


def _known(write: Write) -> dict[str, Any] | None:
    used = dedupe.taken(write.row["workspace_id"], write.row["source"], write.dedupe_key or "")
    if used is None:
        return None
    return first(Feedback.select().where(Feedback.id == used["feedback_id"]))


def _same_content(known: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Compared as values, so that 4 and 4.0 are the same rating whichever client sent them."""
    return all(known[name] == row[name] for name in CONTENT)


def _insert(table: type[Table], row: Mapping[str, Any]) -> None:
    sql, fields = _insert_sql(table)
    database.execute_sql(sql, [field.db_value(row[field.name]) for field in fields])


@cache
def _insert_sql(table: type[Table]) -> tuple[str, tuple[Any, ...]]:
    """A table's INSERT, compiled once: building it anew costs more than running it."""
    fields = tuple(table._meta.sorted_fields)
    columns = ", ".join(f'"{field.column_name}"' for field in fields)
    marks = ", ".join([database.param] * len(fields))
    return f'INSERT INTO "{table._meta.table_name}" ({columns}) VALUES ({marks})', fields
