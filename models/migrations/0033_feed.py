"""The feed of a workspace's changes, which triggers note for who follows it: whatever writes a record, in the
same transaction."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, Model, SqliteDatabase, TextField

_COLUMNS = "id, workspace_id, project_id, feedback_id, type, at"
_ID, _AT = "lower(hex(randomblob(14)))", "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


def _sqlite(name: str, event: str, *noted: tuple[str, str, str]) -> str:
    """A trigger; `noted` are the type of a change, which row tells of it, and when there is one."""
    told = "".join(
        f" INSERT INTO feed_change ({_COLUMNS}) SELECT {_ID}, {row}.workspace_id, {row}.project_id, {row}.id,"
        f" '{kind}', {_AT} WHERE {test};"
        for kind, row, test in noted
    )
    which = noted[0][1]
    return (
        f"CREATE TRIGGER {name} AFTER {event} ON feedback"
        f" WHEN EXISTS (SELECT 1 FROM feed WHERE workspace_id = {which}.workspace_id AND id IS NOT NULL)"
        f" BEGIN{told} END"
    )


_MOVED = "OLD.project_id <> NEW.project_id"  # it is gone from where it was
_SQLITE = (
    "CREATE INDEX feed_change_new ON feed_change (workspace_id) WHERE seq IS NULL",  # in the order of rowid
    _sqlite("feed_created", "INSERT", ("created", "NEW", "1")),
    _sqlite("feed_changed", "UPDATE", ("deleted", "OLD", _MOVED), ("changed", "NEW", "1")),
    _sqlite("feed_deleted", "DELETE", ("deleted", "OLD", "1")),
)


def _note(kind: str, found: str) -> str:
    return (
        "WITH followed AS (SELECT workspace_id FROM feed WHERE id IS NOT NULL) "
        f"INSERT INTO feed_change ({_COLUMNS}) SELECT lpad(to_hex("
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint), 16, '0')"
        " || substr(replace(gen_random_uuid()::text, '-', ''), 1, 12), workspace_id, project_id, one.id,"
        f" '{kind}', (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM {found};"
    )


_POSTGRES = (
    "CREATE INDEX feed_change_new ON feed_change (workspace_id, id) WHERE seq IS NULL",
    f"""CREATE FUNCTION feed_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM feed WHERE id IS NOT NULL) THEN RETURN NULL; END IF;
    IF TG_OP = 'INSERT' THEN
        {_note("created", "fresh AS one JOIN followed USING (workspace_id)")}
    ELSIF TG_OP = 'DELETE' THEN
        {_note("deleted", "stale AS one JOIN followed USING (workspace_id)")}
    ELSE
        {
        _note(
            "deleted",
            "(SELECT stale.* FROM stale JOIN fresh ON fresh.id = stale.id"
            " WHERE fresh.project_id <> stale.project_id) AS one JOIN followed USING (workspace_id)",
        )
    }
        {_note("changed", "fresh AS one JOIN followed USING (workspace_id)")}
    END IF;
    RETURN NULL;
END $$""",
    "CREATE TRIGGER feed_created AFTER INSERT ON feedback REFERENCING NEW TABLE AS fresh"
    " FOR EACH STATEMENT EXECUTE FUNCTION feed_note()",
    "CREATE TRIGGER feed_changed AFTER UPDATE ON feedback REFERENCING OLD TABLE AS stale NEW TABLE AS fresh"
    " FOR EACH STATEMENT EXECUTE FUNCTION feed_note()",
    "CREATE TRIGGER feed_deleted AFTER DELETE ON feedback REFERENCING OLD TABLE AS stale"
    " FOR EACH STATEMENT EXECUTE FUNCTION feed_note()",
)


def up(migrator: Any, db: Any) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Feed(Base):
        workspace_id = TextField(primary_key=True)
        id = TextField(null=True)
        seq = BigIntegerField()
        forgotten = BigIntegerField()
        read_at = BigIntegerField()

    class FeedChange(Base):
        id = TextField(primary_key=True)
        workspace_id = TextField()
        project_id = TextField()
        feedback_id = TextField()
        type = TextField()
        at = BigIntegerField()
        seq = BigIntegerField(null=True)

    db.create_tables([Feed, FeedChange])
    for columns, name in (("workspace_id, seq", "read"), ("workspace_id, project_id, seq", "project")):
        db.execute_sql(f"CREATE INDEX feed_change_{name} ON feed_change ({columns}) WHERE seq IS NOT NULL")
    for statement in _SQLITE if isinstance(db, SqliteDatabase) else _POSTGRES:
        db.execute_sql(statement)
