"""The outcome ledger, and tables that cost less to write to.

An event is kept where its record's events are, in one tree instead of three. Indexes hold only the
rows somebody looks for by them; the newest record of a project is found by its id, which sorts by time.
"""

from __future__ import annotations

from typing import Any

from peewee import (
    SQL,
    BigIntegerField,
    BlobField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)


def up(migrator: Any, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Outcome(Base):
        minute = BigIntegerField()
        workspace_id = TextField()
        key_id = TextField()
        source = TextField()
        outcome = TextField()
        requests = IntegerField()
        records = IntegerField()

        class Meta:
            primary_key = CompositeKey("minute", "workspace_id", "key_id", "source", "outcome")
            without_rowid = True

    class Feedback(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        incident_key = TextField(null=True)
        fingerprint = TextField(null=True)
        received_at = BigIntegerField()

    class EventNew(Base):
        id = TextField()
        feedback = ForeignKeyField(Feedback, index=False, on_delete="CASCADE")
        type = TextField()
        at = BigIntegerField()
        detail = TextField()
        payload = BlobField(null=True)

        class Meta:
            primary_key = CompositeKey("feedback", "id")
            without_rowid = True

    db.create_tables([Outcome, EventNew])
    columns = "id, feedback_id, type, at, detail, payload"
    db.execute_sql(f"INSERT INTO event_new ({columns}) SELECT {columns} FROM event ORDER BY feedback_id, id")
    db.execute_sql("DROP TABLE event")
    db.execute_sql("ALTER TABLE event_new RENAME TO event")
    for old in (
        "feedback_project_id_received_at",
        "feedback_workspace_id_incident_key",
        "feedback_workspace_id_fingerprint_received_at",
    ):
        db.execute_sql(f'DROP INDEX "{old}"')
    story = Feedback.index(
        Feedback.workspace_id,
        Feedback.incident_key,
        where=SQL("incident_key IS NOT NULL"),
        name="feedback_story",
    )
    words = Feedback.index(
        Feedback.workspace_id,
        Feedback.fingerprint,
        Feedback.received_at,
        where=SQL("fingerprint IS NOT NULL"),
        name="feedback_words",
    )
    for index in (story, words):
        db.execute(index)
