"""Themes keep their ids when they are computed anew; those that are there begin with those of their rows."""

from __future__ import annotations

from typing import Any

from peewee import TextField
from playhouse.migrate import migrate


def up(migrator: Any, db: Any) -> None:
    migrate(migrator.add_column("theme", "lasting_id", TextField(null=True)))
    db.execute_sql("UPDATE theme SET lasting_id = id")
    db.execute_sql("CREATE INDEX theme_lasting_id ON theme (lasting_id)")
