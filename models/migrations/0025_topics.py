"""Topics that projects define, and the one that each record is about.

No record has any, so the new columns cost no row anything and the new indexes are empty. On a server they
are made while others write, outside of a transaction; interrupted they leave invalid ones, which are dropped
first.
"""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, ForeignKeyField, Model, SqliteDatabase, TextField

atomic = False
_COLUMNS = {"topic": "TEXT", "topic_origin": "TEXT", "topic_confidence": "DOUBLE PRECISION"}
_INDEXES = {
    "feedback_topic": "feedback (workspace_id, topic, received_at, id) WHERE topic IS NOT NULL",
    "feedback_taught": (
        "feedback (workspace_id, project_id, updated_at, id) WHERE topic_origin = 'corrected'"
    ),
}


def up(migrator: Any, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Project(Base):
        id = TextField(primary_key=True)

    class Topic(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        project = ForeignKeyField(Project, on_delete="CASCADE")
        name = TextField()
        description = TextField()
        created_at = BigIntegerField()
        merged_into = TextField(null=True)
        ended_at = BigIntegerField(null=True)
        settled_at = BigIntegerField(null=True)

        class Meta:
            indexes = ((("workspace_id",), False),)

    db.create_tables([Topic])
    there = {column.name for column in db.get_columns("feedback")}
    for name, kind in _COLUMNS.items():
        if name not in there:
            db.execute_sql(f"ALTER TABLE feedback ADD COLUMN {name} {kind}")
    apart = "" if isinstance(db, SqliteDatabase) else "CONCURRENTLY"
    for name, of in _INDEXES.items():
        db.execute_sql(f"DROP INDEX {apart} IF EXISTS {name}")
        db.execute_sql(f"CREATE INDEX {apart} {name} ON {of}")
