"""Records that stand for others which say the same, and which of them were said not to."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, CompositeKey, ForeignKeyField, IntegerField, Model, TextField
from playhouse.migrate import migrate


def up(migrator: Any, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Feedback(Base):
        id = TextField(primary_key=True)

    class Merge(Base):
        feedback = ForeignKeyField(Feedback, primary_key=True, on_delete="CASCADE")
        into = ForeignKeyField(Feedback, backref="merges", on_delete="CASCADE")
        key_id = TextField()
        at = BigIntegerField()

    class MergeDismissal(Base):
        one = ForeignKeyField(Feedback, on_delete="CASCADE", index=False)
        other = ForeignKeyField(Feedback, on_delete="CASCADE")
        key_id = TextField()
        at = BigIntegerField()

        class Meta:
            primary_key = CompositeKey("one", "other")

    migrate(
        migrator.add_column("feedback", "merged_into", TextField(null=True)),
        migrator.add_column("feedback", "people", IntegerField(null=True)),
    )
    # Only those that are merged: a record that is not costs nothing.
    db.execute_sql(
        "CREATE INDEX feedback_merged ON feedback (merged_into, received_at, id) "
        "WHERE merged_into IS NOT NULL"
    )
    db.create_tables([Merge, MergeDismissal])
