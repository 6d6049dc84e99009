"""A day of grace before a project keeps things for a shorter time."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, TextField
from playhouse.migrate import migrate


def up(migrator: Any, db: Any) -> None:
    migrate(
        migrator.add_column("project", "retention_from", BigIntegerField(null=True)),
        migrator.add_column("project", "retention_before", TextField(null=True)),
    )
