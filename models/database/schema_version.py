"""Which changes of the schema this program knows, and whether a database has others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from peewee import OperationalError
from playhouse.migrations import Migration

STEPS = Path(__file__).parent.parent / "migrations"
HISTORY = "schema_migration"  # where the runner of migrations notes what it has applied
# Files that got another number, with the names under which databases have recorded them, and go on to.
RECORDED_AS: Mapping[str, str] = {
    "0007_signature": "0006_signature",
    "0008_theme": "0006_theme",
    "0009_people": "0007_people",
    "0010_areas": "0008_areas",
    "0011_learnt": "0009_learnt",
    "0012_retention": "0009_retention",
    "0013_rare": "0010_rare",
    "0014_impacts": "0011_impacts",
    "0015_named": "0012_named",
    "0016_indexes": "0013_indexes",
    "0017_said": "0013_said",
    "0018_dsn": "0014_dsn",
    "0019_delivery": "0015_delivery",
    "0020_slots": "0016_slots",
}


class Newer(OperationalError):
    """The database was changed by a newer program: what this one wrote might be incomplete."""


def steps() -> list[Migration]:
    """The changes that came with this program, in their order, by the names that databases record."""
    return [
        Migration(number, RECORDED_AS.get(name, name), path, applied)
        for number, name, path, applied in Migration.load_directory(str(STEPS))
    ]


@cache
def known() -> frozenset[str]:
    """The names of the changes that came with this program."""
    return frozenset(step.name for step in steps())


def newer(database: Any) -> list[str]:
    """The names of changes in a database that this program does not know."""
    if not database.table_exists(HISTORY):
        return []
    found = {name for (name,) in database.execute_sql(f"SELECT name FROM {HISTORY}").fetchall()}
    return sorted(found - known())


def refuse_newer(database: Any) -> None:
    """Raises Newer when a newer program has changed the database's schema."""
    if names := newer(database):
        raise Newer(f"the schema is newer than this program ({', '.join(names)}): run a newer one")
