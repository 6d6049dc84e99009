"""The first tables: workspace, project, api_key, feedback, event, dedupe.

A frozen copy of the schema: it does not follow later changes of the models.
"""

from __future__ import annotations

from typing import Any

from peewee import (
    BigIntegerField,
    BlobField,
    BooleanField,
    CompositeKey,
    Database,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)


def up(migrator: Any, db: Database) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Workspace(Base):
        id = TextField(primary_key=True)
        name = TextField()
        default_project_id = TextField(null=True)
        created_at = BigIntegerField()

    class Project(Base):
        id = TextField(primary_key=True)
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE")
        name = TextField()
        origin = TextField(null=True)
        email_followup = BooleanField()
        created_at = BigIntegerField()

    class ApiKey(Base):
        id = TextField(primary_key=True)
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE")
        project = ForeignKeyField(Project, null=True, on_delete="CASCADE")
        digest = TextField(unique=True)
        prefix = TextField()
        name = TextField()
        scopes = TextField()
        rate_limit = TextField(null=True)
        created_at = BigIntegerField()
        expires_at = BigIntegerField(null=True)
        revoked_at = BigIntegerField(null=True)
        last_used_at = BigIntegerField(null=True)

    class Feedback(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        project_id = TextField()
        source = TextField()
        type = TextField()
        title = TextField()
        text = TextField()
        language = TextField(null=True)
        kind = TextField(null=True)
        category = TextField()
        category_origin = TextField()
        category_confidence = DoubleField()
        sentiment = TextField()
        sentiment_origin = TextField()
        sentiment_score = DoubleField()
        impact = IntegerField()
        impact_origin = TextField()
        impact_reasons = TextField()
        overruled = TextField(null=True)
        subject = TextField()
        author_id = TextField(null=True)
        author_name = TextField(null=True)
        author_email = TextField(null=True)
        tags = TextField()
        status = TextField()
        incident_key = TextField(null=True)
        occurrences = IntegerField()
        first_seen_at = BigIntegerField()
        last_seen_at = BigIntegerField()
        resolved_at = BigIntegerField(null=True)
        retracted_at = BigIntegerField(null=True)
        external_id = TextField(null=True)
        occurred_at = BigIntegerField(null=True)
        received_at = BigIntegerField()
        updated_at = BigIntegerField()
        model_version = TextField()
        fingerprint = TextField(null=True)

        class Meta:
            indexes = (
                (("workspace_id", "id"), False),
                (("workspace_id", "project_id", "id"), False),
                (("project_id", "received_at"), False),
                (("workspace_id", "fingerprint", "received_at"), False),
            )

    class Event(Base):
        id = TextField(primary_key=True)
        feedback = ForeignKeyField(Feedback, index=False, on_delete="CASCADE")
        type = TextField()
        at = BigIntegerField()
        detail = TextField()
        payload = BlobField(null=True)

        class Meta:
            indexes = ((("feedback", "id"), False),)

    class Dedupe(Base):
        workspace_id = TextField()
        scope = TextField()
        key = TextField()
        feedback_id = TextField(null=True)
        digest = TextField(null=True)
        answer = TextField(null=True)
        expires_at = BigIntegerField(null=True, index=True)

        class Meta:
            primary_key = CompositeKey("workspace_id", "scope", "key")
            without_rowid = True

    db.create_tables([Workspace, Project, ApiKey, Feedback, Event, Dedupe])
