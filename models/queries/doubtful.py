"""Records whose category triage is not sure of and nobody else has named: those a second reader is to read.

A record that has been read says so itself, by the origin of its category: it is not found again unless its
words, and with them its labels, change. The others are encoded by themselves (gateway.background.encoding).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peewee import SQL, fn

from models.database.base import database, first, insert, locked, rows
from models.database.query_dialects import PRIMARY
from models.tables import outbox
from models.tables.event import Event
from models.tables.feedback import Feedback, version
from models.tables.meaning import Meaning
from models.tables.similarity import SPOKEN

_SAID = (Feedback.type.in_(SPOKEN), Feedback.retracted_at.is_null())
WINDOW = 1_000  # records that are looked at together, in the order of their ids


def ids_behind(after: str, until: str) -> list[str]:
    """The next ids behind `after` and up to `until`."""
    found = Feedback.select(Feedback.id).where((Feedback.id > after) & (Feedback.id <= until))
    return [row["id"] for row in rows(found.order_by(Feedback.id).limit(WINDOW))]


def ids_before(before: str) -> list[str]:
    """The next ids before this one, the greatest first."""
    found = Feedback.select(Feedback.id).where(Feedback.id < before)
    return [row["id"] for row in rows(found.order_by(Feedback.id.desc()).limit(WINDOW))]


def unsure(first: str, last: str, below: float) -> list[str]:
    """The records with ids from `first` to `last` that are to be read; WINDOW lie between at most."""
    found = Feedback.select(Feedback.id).where(Feedback.id.between(first, last), *_to_read(below))
    return [row["id"] for row in rows(database.obj.through(found, PRIMARY).order_by(Feedback.id))]


def rows_of(ids: Sequence[str], below: float) -> list[dict[str, Any]]:
    """Those of these records that are to be read."""
    found = Feedback.select().where(Feedback.id.in_(list(ids)), *_to_read(below))
    return rows(database.obj.through(found, PRIMARY).order_by(Feedback.id))


def _to_read(below: float) -> tuple[Any, ...]:
    return _is_doubtful(below), *_SAID


def unencoded(first: str, last: str, below: float) -> list[str]:
    """Of the records with ids from `first` to `last` those to be encoded by themselves, the newest first.

    What they mean is not kept (models.tables.meaning), and no second reader is to read them.
    """
    found = Feedback.select(Feedback.id).where(Feedback.id.between(first, last), *_unencoded(below))
    return [row["id"] for row in rows(database.obj.through(found, PRIMARY).order_by(Feedback.id.desc()))]


def unencoded_rows(ids: Sequence[str], below: float) -> list[dict[str, Any]]:
    """Those of these records that are to be encoded by themselves."""
    found = Feedback.select().where(Feedback.id.in_(list(ids)), *_unencoded(below))
    return rows(database.obj.through(found, PRIMARY).order_by(Feedback.id.desc()))


def _unencoded(below: float) -> tuple[Any, ...]:
    kept = Meaning.select(SQL("1")).where(Meaning.feedback == Feedback.id)
    return ~_is_doubtful(below), ~fn.EXISTS(kept), *_SAID


def _is_doubtful(below: float) -> Any:
    return (Feedback.category_origin == "predicted") & (Feedback.category_confidence < below)


def apply(known: Mapping[str, Any], changed: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Changes a record and tells its history, within the open transaction.

    Nothing happens, and False is returned, when it is not as it was when it was read.
    """
    mine = Feedback.id == known["id"]
    now = first(locked(Feedback.select().where(mine)))
    if now is None or version(now) != version(known):
        return False
    Feedback.update(dict(changed)).where(mine).execute()
    insert(Event, {**event, "feedback": known["id"], "payload": None, "delivery_id": None})
    outbox.note(outbox.RELABELLED, known, event["at"], event["id"])
    return True
