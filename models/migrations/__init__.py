"""Numbered changes to the schema, applied in order by peewee's own runner."""

from __future__ import annotations

from typing import Any

from playhouse.migrations import Runner

from models.base import database
from models.schema import HISTORY, STEPS, newer

__all__ = ["ahead", "migrate", "pending"]


def _runner(on: Any = None) -> Runner:
    return Runner(on or database.obj, str(STEPS), HISTORY)


def migrate() -> list[str]:
    """Applies what is pending and returns the names applied.

    One process at a time; the others find everything done.
    """
    with database.obj.alone():
        names: list[str] = _runner().up()
    return names


def pending(on: Any = None) -> list[str]:
    """The names of migrations that have not been applied to the bound database, or to `on`."""
    return [step.name for step in _runner(on).status() if step.applied is None]


def ahead(on: Any = None) -> str:
    """That a newer program changed the schema of the bound database, or of `on`, and what to do; or ""."""
    names = ", ".join(newer(on or database.obj))
    return names and f"the schema is newer than this program ({names}): run a newer feedback-gateway"
