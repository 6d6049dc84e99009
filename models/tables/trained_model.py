"""Triage models that were learnt from corrections: the last few, whole, so that every host finds them."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, BlobField, IntegerField, TextField, fn

from models.database.base import JSONText, Table, database, first, rows

SHIPPED = "shipped"  # the version of the row that stands for the model in the package
KEPT = 5  # models that can be gone back to


class LearntModel(Table):
    """A model with its card and arrays (gateway.triage.model); times are milliseconds UTC.

    In use is the one that was chosen last, and the shipped one when none ever was. `made_by` is who asked
    for it, `corrections` how many people's labels it has learnt.
    """

    version = TextField(primary_key=True)
    made_at = BigIntegerField()
    made_by = TextField()
    corrections = IntegerField()
    chosen_at = BigIntegerField(null=True)
    card = JSONText(null=True)
    arrays = BlobField(null=True)  # the last column: who asks for the others does not read it


_TOLD = (
    LearntModel.version,
    LearntModel.made_at,
    LearntModel.made_by,
    LearntModel.corrections,
    LearntModel.chosen_at,
)
_IN_USE = (
    "SELECT version FROM learnt_model WHERE chosen_at IS NOT NULL "
    "ORDER BY chosen_at DESC, version DESC LIMIT 1"
)


def in_use() -> str:
    """The version of the model to use. Plain SQL: every process asks this all the time."""
    row = database.execute_sql(_IN_USE).fetchone()
    return SHIPPED if row is None else str(row[0])


def kept() -> list[dict[str, Any]]:
    """Every model that can be used but the shipped one, the newest first, without what it is made of."""
    found = LearntModel.select(*_TOLD).where(LearntModel.version != SHIPPED)
    return rows(found.order_by(LearntModel.made_at.desc(), LearntModel.version.desc()))


def find(version: str) -> dict[str, Any] | None:
    """A model with its card and arrays, or None."""
    return first(LearntModel.select().where(LearntModel.version == version))


def add(version: str, made_by: str, corrections: int, card: dict[str, Any], arrays: bytes, now: int) -> None:
    """Stores a model and uses it from now on, within the open transaction; the oldest ones are dropped."""
    row = {"made_at": now, "made_by": made_by, "corrections": corrections, "card": card, "arrays": arrays}
    LearntModel.delete().where(LearntModel.version == version).execute()
    LearntModel.insert({**row, "version": version, "chosen_at": None}).execute()
    choose(version, now)
    old = [item["version"] for item in kept()[KEPT:]]
    if old:
        LearntModel.delete().where(LearntModel.version.in_(old)).execute()


def choose(version: str, now: int) -> bool:
    """Uses a model from now on, within the open transaction; False when there is none of this version."""
    if version == SHIPPED and find(SHIPPED) is None:
        row = {"made_at": now, "made_by": "", "corrections": 0, "card": None, "arrays": None}
        LearntModel.insert({**row, "version": SHIPPED, "chosen_at": None}).execute()
    # Later than the last choice, whatever the hosts' clocks say.
    at = max(now, (LearntModel.select(fn.MAX(LearntModel.chosen_at)).scalar() or 0) + 1)
    changed = LearntModel.update(chosen_at=at).where(LearntModel.version == version).execute()
    return bool(changed)
