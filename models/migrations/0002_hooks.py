"""Hooks, the quarantine, and what a record needs to follow a story of several deliveries."""

from __future__ import annotations

from typing import Any

from peewee import (
    BigIntegerField,
    BlobField,
    BooleanField,
    Database,
    IntegerField,
    Model,
    TextField,
)


def up(migrator: Any, db: Database) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Hook(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        project_id = TextField(null=True)
        source = TextField()
        name = TextField()
        secrets = TextField()
        unsigned = BooleanField()
        options = TextField()
        rate_limit = TextField(null=True)
        created_at = BigIntegerField()
        deleted_at = BigIntegerField(null=True)

    class Quarantine(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        project_id = TextField()
        source = TextField()
        hook_id = TextField()
        reason = TextField()
        request = TextField()
        payload = BlobField()
        received_at = BigIntegerField()
        replayed_at = BigIntegerField(null=True)

        class Meta:
            indexes = ((("workspace_id", "id"), False),)

    db.create_tables([Hook, Quarantine])
    migrator.migrate(
        migrator.add_column("feedback", "votes", IntegerField(default=0)),
        migrator.add_column("feedback", "triggers", IntegerField(default=0)),
        migrator.add_column("feedback", "state_key", TextField(null=True)),
        migrator.add_column("feedback", "content_key", TextField(null=True)),
        migrator.add_index("feedback", ("workspace_id", "incident_key")),
    )
