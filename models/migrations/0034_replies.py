"""Answers to authors, and the addresses that want none."""

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

    class Reply(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        feedback = ForeignKeyField(Feedback, on_delete="CASCADE", index=False)
        theme = TextField(null=True)
        also = TextField()
        channel = TextField()
        address = TextField(null=True)
        text = TextField()
        state = TextField()
        tries = IntegerField()
        next_at = BigIntegerField()
        why = TextField(null=True)
        key_id = TextField()
        created_at = BigIntegerField()
        sent_at = BigIntegerField(null=True)

        class Meta:
            indexes = (
                (("feedback", "id"), False),
                (("workspace_id", "id"), False),
                (("workspace_id", "address"), False),
            )

    class Unsubscribed(Base):
        workspace_id = TextField()
        address = TextField()
        at = BigIntegerField()

        class Meta:
            primary_key = CompositeKey("workspace_id", "address")

    db.create_tables([Reply, Unsubscribed])
    # Only what is still to be sent: whoever looks for work looks here.
    db.execute_sql("CREATE INDEX reply_waiting ON reply (next_at, id) WHERE state IN ('queued', 'sending')")
    # Who is told of a theme is told once.
    db.execute_sql(
        "CREATE UNIQUE INDEX reply_told ON reply (workspace_id, theme, address) WHERE theme IS NOT NULL"
    )
    migrate(migrator.add_column("workspace", "address_key", TextField(null=True)))
