"""Files of records and workspaces, and which bytes in the store may belong to none.

Triggers see to the second: whatever deletes an asset, a record's deletion included, leaves a line for the
bytes that it had, and an asset that has its bytes takes away the line that kept them for it.
"""

from __future__ import annotations

from typing import Any

from peewee import (
    BigIntegerField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    Model,
    SqliteDatabase,
    TextField,
)

_COLUMNS = ("sha256", "thumbnail")
# In the words of models.queries.missing_thumbnails, which a partial index is used for alone.
_PICTURES = (
    "thumbnail IS NULL AND reason IS NULL AND content_type IN "
    "('image/png', 'image/jpeg', 'image/webp', 'image/gif', 'image/avif')"
)


def _left(column: str) -> str:
    return (
        f"INSERT INTO unclaimed_file (sha256, id, workspace_id, size, at) "
        f"SELECT OLD.{column}, OLD.id, OLD.workspace_id, 0, 0 WHERE OLD.{column} IS NOT NULL "
        "ON CONFLICT (sha256, id) DO UPDATE SET size = 0, at = 0"
    )


def _changed(column: str) -> str:
    return _left(column).replace(
        " ON CONFLICT", f" AND OLD.{column} IS DISTINCT FROM NEW.{column} ON CONFLICT"
    )


_TAKEN = "DELETE FROM unclaimed_file WHERE id = NEW.id AND sha256 IN (NEW.sha256, NEW.thumbnail)"
_GONE = "; ".join(map(_left, _COLUMNS))
_OTHERS = "; ".join([*map(_changed, _COLUMNS), _TAKEN])
_SQLITE = f"""
CREATE TRIGGER asset_made AFTER INSERT ON asset BEGIN {_TAKEN}; END;;
CREATE TRIGGER asset_changed AFTER UPDATE OF sha256, thumbnail ON asset BEGIN {_OTHERS}; END;;
CREATE TRIGGER asset_gone AFTER DELETE ON asset BEGIN {_GONE}; END
"""
_POSTGRES = f"""
CREATE FUNCTION asset_made() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_TAKEN}; RETURN NULL; END $$;;
CREATE FUNCTION asset_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_OTHERS}; RETURN NULL; END $$;;
CREATE FUNCTION asset_gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_GONE}; RETURN NULL; END $$;;
CREATE TRIGGER asset_made AFTER INSERT ON asset FOR EACH ROW EXECUTE FUNCTION asset_made();;
CREATE TRIGGER asset_changed AFTER UPDATE OF sha256, thumbnail ON asset FOR EACH ROW
    EXECUTE FUNCTION asset_changed();;
CREATE TRIGGER asset_gone AFTER DELETE ON asset FOR EACH ROW EXECUTE FUNCTION asset_gone()
"""


def up(migrator: Any, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Feedback(Base):
        id = TextField(primary_key=True)

    class Asset(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        project_id = TextField(null=True)
        feedback_id = ForeignKeyField(
            Feedback, null=True, on_delete="CASCADE", column_name="feedback_id", index=False
        )
        name = TextField()
        content_type = TextField()
        size = BigIntegerField()
        sha256 = TextField(null=True)
        width = IntegerField(null=True)
        height = IntegerField(null=True)
        status = TextField()
        reason = TextField(null=True)
        source_url = TextField(null=True)
        uploaded_via = TextField()
        thumbnail = TextField(null=True)
        created_at = BigIntegerField()
        updated_at = BigIntegerField()

        class Meta:
            indexes = (
                (("workspace_id", "id"), False),
                (("feedback_id", "id"), False),
                (("sha256",), False),
                (("thumbnail",), False),
            )

    class UnclaimedFile(Base):
        sha256 = TextField()
        id = TextField()
        workspace_id = TextField()
        size = BigIntegerField()
        at = BigIntegerField()

        class Meta:
            primary_key = CompositeKey("sha256", "id")
            indexes = ((("at",), False), (("workspace_id",), False))
            without_rowid = True

    db.create_tables([Asset, UnclaimedFile])
    # Only what is yet to be uploaded, which is a few.
    reserved = "status = 'pending_upload' AND source_url IS NULL AND sha256 IS NULL"
    db.execute_sql(f"CREATE INDEX asset_reserved ON asset (updated_at) WHERE {reserved}")
    db.execute_sql(f"CREATE INDEX asset_pictures ON asset (status, id) WHERE {_PICTURES}")
    for statement in (_SQLITE if isinstance(db, SqliteDatabase) else _POSTGRES).split(";;"):
        db.execute_sql(statement.strip())
