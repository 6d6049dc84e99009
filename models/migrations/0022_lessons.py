"""What each project has learnt from people, and which of its lessons were taken back."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, BlobField, BooleanField, ForeignKeyField, Model, TextField


def up(migrator: Any, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Project(Base):
        id = TextField(primary_key=True)

    class Feedback(Base):
        id = TextField(primary_key=True)

    class ProjectHead(Base):
        project = ForeignKeyField(Project, primary_key=True, on_delete="CASCADE")
        workspace_id = TextField()
        asked_by = TextField(null=True)
        stale = BooleanField(default=False)
        tried_at = BigIntegerField(null=True)
        outcome = TextField(null=True)
        basis = TextField(null=True)
        version = TextField(null=True)
        learnt_at = BigIntegerField(null=True)
        corrections = BigIntegerField(default=0)
        confirmations = BigIntegerField(default=0)
        data = BlobField(null=True)

        class Meta:
            indexes = ((("workspace_id",), False),)

    class Unlearnt(Base):
        feedback = ForeignKeyField(Feedback, primary_key=True, on_delete="CASCADE")
        project_id = TextField()
        category = TextField()
        sentiment = TextField()
        at = BigIntegerField()

        class Meta:
            indexes = ((("project_id",), False),)

    db.create_tables([ProjectHead, Unlearnt])
