"""Callbacks of runs and the secrets that they are signed with; tries to fetch files that are linked."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, IntegerField, Model, TextField


def up(migrator: Any, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Callback(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        run_id = TextField()
        url = TextField()
        host = TextField()
        event = TextField()
        body = TextField()
        state = TextField()
        attempt = IntegerField()
        next_at = BigIntegerField()
        status = IntegerField(null=True)
        why = TextField(null=True)
        created_at = BigIntegerField()

        class Meta:
            indexes = ((("workspace_id", "id"), False),)

    class CallbackSecret(Base):
        workspace_id = TextField(primary_key=True)
        secrets = TextField()
        changed_at = BigIntegerField()

    class Fetch(Base):
        asset_id = TextField(primary_key=True)
        attempt = IntegerField()
        next_at = BigIntegerField()

    db.create_tables([Callback, CallbackSecret, Fetch])
    # Only what is still to be sent or fetched, which is a few.
    db.execute_sql("CREATE INDEX callback_waiting ON callback (next_at) WHERE state = 'waiting'")
    waiting = "status = 'pending_upload' AND source_url IS NOT NULL"
    db.execute_sql(f"CREATE INDEX asset_linked ON asset (id) WHERE {waiting}")
