"""Runs of techniques, how their files are found, and how many a workspace may start in a month."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, IntegerField, Model, TextField
from playhouse.migrate import migrate


def up(migrator: Any, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Run(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        project_id = TextField(null=True)
        technique = TextField()
        inputs = TextField()
        status = TextField()
        progress = IntegerField()
        position = TextField(null=True)
        created_at = BigIntegerField()
        started_at = BigIntegerField(null=True)
        completed_at = BigIntegerField(null=True)
        error_code = TextField(null=True)
        error_message = TextField(null=True)
        outputs = TextField(null=True)
        callback_url = TextField(null=True)
        idempotency_key = TextField(null=True)
        created_by = TextField()
        owner = TextField(null=True)
        leased_until = BigIntegerField()
        attempts = IntegerField()
        files_until = BigIntegerField(null=True)

        class Meta:
            indexes = (
                (("workspace_id", "technique", "idempotency_key"), True),
                (("workspace_id", "id"), False),
            )

    db.create_tables([Run])
    # Only what has not ended, which is a few: those who look for work look here.
    db.execute_sql("CREATE INDEX run_open ON run (id) WHERE status IN ('pending', 'running')")
    db.execute_sql("CREATE INDEX run_files ON run (files_until) WHERE files_until IS NOT NULL")
    db.execute_sql("CREATE INDEX asset_via ON asset (uploaded_via)")  # which says of which run one is
    migrate(migrator.add_column("workspace", "runs_a_month", IntegerField(null=True)))
