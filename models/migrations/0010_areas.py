"""Projects' own rules of what weighs more."""

from __future__ import annotations

from typing import Any

from peewee import TextField
from playhouse.migrate import migrate


def up(migrator: Any, db: Any) -> None:
    if "areas" not in {column.name for column in db.get_columns("project")}:
        migrate(migrator.add_column("project", "areas", TextField(null=True)))
