"""Numbered changes to the schema, applied in order by peewee's own runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playhouse.migrations import Migration, Runner

from models.database.base import database
from models.database.schema_version import HISTORY, STEPS, newer, steps

__all__ = ["ahead", "migrate", "pending"]


class _Runner(Runner):  # type: ignore[misc]  # playhouse has no types
    """Peewee's, which records a change under the name that it had first."""

    def migrations(self) -> list[Migration]:
        return steps()


def _runner(on: Any = None) -> Runner:
    return _Runner(on or database.obj, str(STEPS), HISTORY)


def migrate() -> list[str]:
    """Applies what is pending and returns the names applied.

    One process at a time; the others find everything done.
    """
    with database.obj.alone():
        names: list[str] = _runner().up()
    return names


@dataclass(frozen=True, slots=True)
class Waiting:
    """The names of pending migrations; as a text, what that means and which command helps."""

    names: list[str]
    all: bool

    def __str__(self) -> str:
        if not self.names:
            return "has today's schema"
        if self.all:
            return "has no tables yet: run `feedback-gateway init` (or only `feedback-gateway migrate`)"
        count = f"{len(self.names)} pending migration{'s' if len(self.names) > 1 else ''}"
        return f"has {count} ({', '.join(self.names)}): run `feedback-gateway migrate`"


def waiting(on: Any = None) -> Waiting:
    """What the bound database, or `on`, waits for."""
    found = _runner(on).status()
    names = [step.name for step in found if step.applied is None]
    return Waiting(names, len(names) == len(found))


def pending(on: Any = None) -> list[str]:
    """The names of migrations that have not been applied to the bound database, or to `on`."""
    return waiting(on).names


def ahead(on: Any = None) -> str:
    """That a newer program changed the schema of the bound database, or of `on`, and what to do; or ""."""
    names = ", ".join(newer(on or database.obj))
    return names and f"the schema is newer than this program ({names}): run a newer feedback-gateway"
