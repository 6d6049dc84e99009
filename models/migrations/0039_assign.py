"""Who takes care of a record, until when it sleeps, who is named in notes, who looks, and views of a team.

No record has any of it, so the new columns cost no row anything and the new indexes are empty. On a server
they are made while others write, outside of a transaction; interrupted they leave invalid ones, which are
dropped first.
"""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, CompositeKey, ForeignKeyField, Model, SqliteDatabase, TextField
from playhouse.migrate import migrate

atomic = False
_COLUMNS = {
    "feedback": {"assignee": "TEXT", "snoozed_until": "BIGINT", "wakes_on_delivery": "INTEGER"},
    "saved_view": {"shared_in": "TEXT", "position": "INTEGER"},
}
_INDEXES = {
    "feedback_assignee": "feedback (workspace_id, assignee, received_at, id) WHERE assignee IS NOT NULL",
    "feedback_snoozed": "feedback (workspace_id, received_at, id) WHERE wakes_on_delivery IS NOT NULL",
    "feedback_waking": "feedback (snoozed_until, id) WHERE snoozed_until IS NOT NULL",
    "saved_view_shared": "saved_view (shared_in, position, id) WHERE shared_in IS NOT NULL",
}


def up(migrator: Any, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Feedback(Base):
        id = TextField(primary_key=True)

    class User(Base):
        id = TextField(primary_key=True)

    class Session(Base):
        digest = TextField(primary_key=True)

    class Mention(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        feedback = ForeignKeyField(Feedback, on_delete="CASCADE")
        at = BigIntegerField()
        read_at = BigIntegerField(null=True)

        class Meta:
            indexes = ((("user", "feedback"), False),)

    class Presence(Base):
        feedback = ForeignKeyField(Feedback, on_delete="CASCADE", index=False)
        session = ForeignKeyField(Session, on_delete="CASCADE")
        until = BigIntegerField()

        class Meta:
            primary_key = CompositeKey("feedback", "session")
            indexes = ((("until",), False),)

    db.create_tables([Mention, Presence])
    for table, columns in _COLUMNS.items():
        there = {column.name for column in db.get_columns(table)}
        for name, kind in columns.items():
            if name not in there:
                db.execute_sql(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    (owner,) = (column for column in db.get_columns("saved_view") if column.name == "user_id")
    if not owner.null:  # a key has no views of its own, and may make one for all
        with db.atomic():
            migrate(migrator.drop_not_null("saved_view", "user_id"))
    apart = "" if isinstance(db, SqliteDatabase) else "CONCURRENTLY"
    for name, of in _INDEXES.items():
        db.execute_sql(f"DROP INDEX {apart} IF EXISTS {name}")
        db.execute_sql(f"CREATE INDEX {apart} {name} ON {of}")
    db.execute_sql("CREATE INDEX IF NOT EXISTS mention_unread ON mention (user_id, id) WHERE read_at IS NULL")
