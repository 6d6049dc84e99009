"""Who changed what about the gateway itself: keys, hooks, projects, erasures."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, Database, Model, TextField


def up(migrator: Any, db: Database) -> None:
    class Audit(Model):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        at = BigIntegerField()
        key_id = TextField()
        action = TextField()
        target = TextField()
        detail = TextField()

        class Meta:
            database = db
            legacy_table_names = False
            indexes = ((("workspace_id", "id"), False),)

    db.create_tables([Audit])
