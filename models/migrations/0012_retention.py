"""How long a project keeps records and raw payloads, and the repository its issues are opened in."""

from __future__ import annotations

from typing import Any

from peewee import IntegerField, TextField
from playhouse.migrate import migrate


def up(migrator: Any, db: Any) -> None:
    known = {column.name for column in db.get_columns("project")}
    fields = {
        "repository": TextField(null=True),
        "retention_days": IntegerField(null=True),
        "payload_retention_days": IntegerField(null=True),
    }
    for name, field in fields.items():
        if name not in known:
            migrate(migrator.add_column("project", name, field))
