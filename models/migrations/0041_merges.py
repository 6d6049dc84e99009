"""Records that stand for others which say the same, and which of them were said not to.

The feed of changes tells a record that gets merged as such: its triggers are those of 0033, with a type more.
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
from playhouse.migrate import migrate

_COLUMNS = "id, workspace_id, project_id, feedback_id, type, at"
_ID, _AT = "lower(hex(randomblob(14)))", "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
_TYPE = (
    "CASE WHEN {new}.merged_into IS NOT NULL AND {old}.merged_into IS NULL THEN 'merged' ELSE 'changed' END"
)


def _noted(row: str, kind: str, test: str) -> str:
    return (
        f"INSERT INTO feed_change ({_COLUMNS}) SELECT {_ID}, {row}.workspace_id, {row}.project_id, {row}.id, "
        f"{kind}, {_AT} WHERE {test}; "
    )


_SQLITE = (
    "DROP TRIGGER feed_changed",
    "CREATE TRIGGER feed_changed AFTER UPDATE ON feedback "
    "WHEN EXISTS (SELECT 1 FROM feed WHERE workspace_id = OLD.workspace_id AND id IS NOT NULL) BEGIN "
    + _noted("OLD", "'deleted'", "OLD.project_id <> NEW.project_id")
    + _noted("NEW", _TYPE.format(new="NEW", old="OLD"), "1")
    + "END",
)


def _note(kind: str, found: str) -> str:
    return (
        "WITH followed AS (SELECT workspace_id FROM feed WHERE id IS NOT NULL) "
        f"INSERT INTO feed_change ({_COLUMNS}) SELECT lpad(to_hex("
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint), 16, '0')"
        " || substr(replace(gen_random_uuid()::text, '-', ''), 1, 12), one.workspace_id, one.project_id,"
        f" one.id, {kind}, (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM {found};"
    )


_FOLLOWED = "JOIN followed ON followed.workspace_id = one.workspace_id"
_BOTH = "(SELECT {row}.*, {type} AS told FROM stale JOIN fresh ON fresh.id = stale.id {where}) AS one"
_MOVED = _BOTH.format(row="stale", type="'deleted'", where="WHERE fresh.project_id <> stale.project_id")
_CHANGED = _BOTH.format(row="fresh", type=_TYPE.format(new="fresh", old="stale"), where="")
_POSTGRES = (
    f"""CREATE OR REPLACE FUNCTION feed_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM feed WHERE id IS NOT NULL) THEN RETURN NULL; END IF;
    IF TG_OP = 'INSERT' THEN
        {_note("'created'", f"fresh AS one {_FOLLOWED}")}
    ELSIF TG_OP = 'DELETE' THEN
        {_note("'deleted'", f"stale AS one {_FOLLOWED}")}
    ELSE
        {_note("one.told", f"{_MOVED} {_FOLLOWED}")}
        {_note("one.told", f"{_CHANGED} {_FOLLOWED}")}
    END IF;
    RETURN NULL;
END $$""",
)


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
    db.execute_sql(
        "CREATE INDEX feedback_merged_of ON feedback (workspace_id, received_at, id) "
        "WHERE merged_into IS NOT NULL"
    )
    db.create_tables([Merge, MergeDismissal])
    for statement in _SQLITE if isinstance(db, SqliteDatabase) else _POSTGRES:
        db.execute_sql(statement)
