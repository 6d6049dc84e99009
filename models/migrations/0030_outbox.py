"""Destinations, the changes that they are still to be told, the deliveries and the attempts at those."""

from __future__ import annotations

from typing import Any

from peewee import (
    BigIntegerField,
    BooleanField,
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

    class Feedback(Base):
        id = TextField(primary_key=True)

    class Destination(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        project_id = TextField(null=True)
        kind = TextField()
        name = TextField()
        url = TextField()
        secrets = TextField()
        headers = TextField()
        filter = TextField()  # type: ignore[assignment]  # in place of peewee's method of that name
        events = TextField()
        thin = BooleanField()
        state = TextField()
        reason = TextField(null=True)
        resume_at = BigIntegerField()
        enabled_at = BigIntegerField()
        succeeded_at = BigIntegerField(null=True)
        failing_since = BigIntegerField(null=True)
        created_at = BigIntegerField()

        class Meta:
            indexes = ((("workspace_id", "id"), False),)

    class Outbox(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        project_id = TextField(null=True)
        type = TextField()
        feedback_id = TextField(null=True)
        event_id = TextField(null=True)
        destination_id = TextField(null=True)
        at = BigIntegerField()

    class Outgoing(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        destination = ForeignKeyField(Destination, on_delete="CASCADE", index=False)
        feedback = ForeignKeyField(Feedback, null=True, on_delete="CASCADE")
        type = TextField()
        body = TextField()
        state = TextField()
        replay = BooleanField()
        rung = IntegerField()
        tries = IntegerField()
        next_at = BigIntegerField()
        created_at = BigIntegerField()

        class Meta:
            indexes = (
                (("destination", "id"), False),
                (("destination", "state", "id"), False),
                (("workspace_id", "id"), False),
            )

    class Attempt(Base):
        delivery = ForeignKeyField(Outgoing, on_delete="CASCADE", index=False)
        n = IntegerField()
        at = BigIntegerField()
        ms = IntegerField()
        status = IntegerField(null=True)
        why = TextField(null=True)
        answer = TextField()

        class Meta:
            primary_key = CompositeKey("delivery", "n")

    db.create_tables([Destination, Outbox, Outgoing, Attempt])
    # Only what is still to be sent: whoever looks for work looks here.
    db.execute_sql("CREATE INDEX outgoing_waiting ON outgoing (next_at, id) WHERE state = 'waiting'")
