"""What texts mean, as the numbers of an encoder: kept so that no text is encoded twice.

They go with their record, and when it says something else (a trigger of migration 0026).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from peewee import BlobField, ForeignKeyField

from models.database.base import Table, locked, rows
from models.tables.feedback import Feedback

PAGE = 500  # records whose numbers are read at once


class Meaning(Table):
    """The numbers of one record's text, a signed byte each (gateway.triage.second_reader)."""

    feedback = ForeignKeyField(Feedback, primary_key=True, on_delete="CASCADE")
    vector = BlobField()

    class Meta:
        without_rowid = True


@dataclass(frozen=True, slots=True)
class Meant:
    """The numbers of a record's text as it was when the record had last been changed at `updated_at`."""

    feedback_id: str
    updated_at: int
    vector: bytes


def vectors(ids: Sequence[str]) -> dict[str, bytes]:
    """The numbers of those of these records that have some."""
    found: dict[str, bytes] = {}
    for start in range(0, len(ids), PAGE):
        some = Meaning.select().where(Meaning.feedback.in_(list(ids[start : start + PAGE])))
        found |= {row["feedback"]: bytes(row["vector"]) for row in rows(some)}
    return found


def keep(meant: Sequence[Meant]) -> None:
    """Stores numbers within the open transaction; none of a record that is gone or has changed meanwhile."""
    wanted = {one.feedback_id: one for one in meant}
    there = Feedback.select(Feedback.id, Feedback.updated_at).where(Feedback.id.in_(list(wanted)))
    # In the order in which others take several records, so that no two wait for each other.
    there = there.order_by(Feedback.received_at.desc(), Feedback.id.desc())
    now = {row["id"]: row["updated_at"] for row in rows(locked(there))}
    put({name: wanted[name].vector for name, at in now.items() if at == wanted[name].updated_at})


def put(vectors: Mapping[str, bytes]) -> None:
    """Stores numbers of records that nobody else changes, within the open transaction."""
    if vectors:
        Meaning.delete().where(Meaning.feedback.in_(list(vectors))).execute()
        given = [{"feedback": name, "vector": vector} for name, vector in vectors.items()]
        Meaning.insert_many(given).execute()
