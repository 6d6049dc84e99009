"""Records that people are told of, together when there are many, and whose words are in what is sent."""

from __future__ import annotations

from typing import Any

from peewee import (
    BigIntegerField,
    BooleanField,
    CompositeKey,
    ForeignKeyField,
    Model,
    SqliteDatabase,
    TextField,
)
from playhouse.migrate import migrate

# With a record all goes that quotes it. What nobody has had yet is told anew, without that record.
_GONE = """
    UPDATE destination SET tell_at = 0, told_at = COALESCE(OLD.since, told_at) WHERE id =
        (SELECT destination_id FROM outgoing WHERE id = OLD.outgoing_id AND state IN ('waiting', 'held'));
    DELETE FROM outgoing WHERE id = OLD.outgoing_id;
"""
_SQLITE = f"CREATE TRIGGER quote_deleted AFTER DELETE ON quote BEGIN {_GONE} END"
_POSTGRES = f"""
CREATE FUNCTION quote_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_GONE} RETURN NULL; END $$;;
CREATE TRIGGER quote_deleted AFTER DELETE ON quote FOR EACH ROW EXECUTE FUNCTION quote_deleted()
"""


def up(migrator: Any, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Feedback(Base):
        id = TextField(primary_key=True)

    class Destination(Base):
        id = TextField(primary_key=True)

    class Outgoing(Base):
        id = TextField(primary_key=True)

    class Notification(Base):
        destination = ForeignKeyField(Destination, on_delete="CASCADE", index=False)
        feedback = ForeignKeyField(Feedback, on_delete="CASCADE")
        reason = TextField()
        is_over = BooleanField()
        at = BigIntegerField()

        class Meta:
            primary_key = CompositeKey("destination", "feedback")
            indexes = ((("destination", "at"), False),)

    class Quote(Base):
        outgoing = ForeignKeyField(Outgoing, on_delete="CASCADE", index=False)
        feedback = ForeignKeyField(Feedback, on_delete="CASCADE")
        since = BigIntegerField(null=True)

        class Meta:
            primary_key = CompositeKey("outgoing", "feedback")

    db.create_tables([Notification, Quote])
    migrate(
        migrator.add_column("destination", "told_at", BigIntegerField(default=0)),
        migrator.add_column("destination", "tell_at", BigIntegerField(null=True)),
        migrator.add_column("destination", "alarms", TextField(default="{}")),
    )
    for statement in [_SQLITE] if isinstance(db, SqliteDatabase) else _POSTGRES.split(";;"):
        db.execute_sql(statement.strip())
