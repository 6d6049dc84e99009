"""What several records of one delivery share, kept once instead of with each of them.

Events from before have the whole delivery as their payload, and keep it.
"""

from __future__ import annotations

from typing import Any

from peewee import BlobField, Model, SqliteDatabase, TextField
from playhouse.migrate import migrate

# The last part that goes takes what is left of its delivery with it.
_SQLITE = """
CREATE TRIGGER event_deleted AFTER DELETE ON event WHEN OLD.delivery_id IS NOT NULL BEGIN
    DELETE FROM delivery WHERE id = OLD.delivery_id AND NOT EXISTS
        (SELECT 1 FROM event WHERE delivery_id = OLD.delivery_id AND payload IS NOT NULL);
END;;
CREATE TRIGGER event_emptied AFTER UPDATE OF payload ON event
    WHEN OLD.delivery_id IS NOT NULL AND NEW.payload IS NULL BEGIN
    DELETE FROM delivery WHERE id = OLD.delivery_id AND NOT EXISTS
        (SELECT 1 FROM event WHERE delivery_id = OLD.delivery_id AND payload IS NOT NULL);
END
"""
# Of two transactions that take the last two parts, the second one waits to see that it is the last.
_POSTGRES = """
CREATE FUNCTION delivery_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM delivery WHERE id = OLD.delivery_id FOR UPDATE;
    DELETE FROM delivery WHERE id = OLD.delivery_id AND NOT EXISTS
        (SELECT 1 FROM event WHERE delivery_id = OLD.delivery_id AND payload IS NOT NULL);
    RETURN NULL;
END $$;;
CREATE TRIGGER event_deleted AFTER DELETE ON event FOR EACH ROW
    WHEN (OLD.delivery_id IS NOT NULL) EXECUTE FUNCTION delivery_left();;
CREATE TRIGGER event_emptied AFTER UPDATE OF payload ON event FOR EACH ROW
    WHEN (OLD.delivery_id IS NOT NULL AND NEW.payload IS NULL) EXECUTE FUNCTION delivery_left()
"""


def up(migrator: Any, db: Any) -> None:
    class Delivery(Model):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        envelope = BlobField()
        rest = BlobField()
        layout = TextField()

        class Meta:
            database = db
            legacy_table_names = False

    db.create_tables([Delivery])
    db.execute_sql("CREATE INDEX delivery_workspace ON delivery (workspace_id, id)")
    migrate(migrator.add_column("event", "delivery_id", TextField(null=True)))
    db.execute_sql(
        "CREATE INDEX event_delivery ON event (delivery_id) "
        "WHERE delivery_id IS NOT NULL AND payload IS NOT NULL"
    )
    for statement in (_SQLITE if isinstance(db, SqliteDatabase) else _POSTGRES).split(";;"):
        db.execute_sql(statement.strip())
