"""Triage models that were learnt from corrections, which one is in use, and an index of what they learn."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, BlobField, IntegerField, Model, TextField


def up(migrator: Any, db: Any) -> None:
    class LearntModel(Model):
        version = TextField(primary_key=True)
        made_at = BigIntegerField()
        made_by = TextField()
        corrections = IntegerField()
        chosen_at = BigIntegerField(null=True)
        card = TextField(null=True)
        arrays = BlobField(null=True)

        class Meta:
            database = db
            legacy_table_names = False

    db.create_tables([LearntModel])
    db.execute_sql(
        "CREATE INDEX IF NOT EXISTS feedback_corrected ON feedback (workspace_id, project_id, retracted_at) "
        "WHERE category_origin = 'corrected' OR sentiment_origin = 'corrected'"
    )
