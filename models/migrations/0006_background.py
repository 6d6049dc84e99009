"""Who does which background work, and until when."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, Database, Model, TextField


def up(migrator: Any, db: Database) -> None:
    class Job(Model):
        name = TextField(primary_key=True)
        owner = TextField(null=True)
        leased_until = BigIntegerField()
        due_at = BigIntegerField()
        finished_at = BigIntegerField(null=True)
        state = TextField(null=True)

        class Meta:
            database = db
            legacy_table_names = False

    db.create_tables([Job])
