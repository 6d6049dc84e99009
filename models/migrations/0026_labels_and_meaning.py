"""Doubtful records, and those whose labels somebody else than triage gave, are found where they are rare.

The indexes leave out what is common, as those of 0013 do: a plain message that triage is sure of enters
none. A query says what one is of in the same words. On a server they are made while others write, outside
of a transaction; an interrupted one is invalid and is dropped first.

What a text means is kept as numbers beside its record, and goes when the record says something else.
"""

from __future__ import annotations

from typing import Any

from peewee import BlobField, ForeignKeyField, Model, SqliteDatabase, TextField

atomic = False
# In the words of 0023, whose generated column the embedded database has.
_SURE = (
    "CASE WHEN sentiment_confidence < category_confidence THEN sentiment_confidence "
    "ELSE category_confidence END"
)
_DOUBT = f"(CAST(ROUND(impact * (1 - {_SURE}) * 1000) AS BIGINT))"
_ORIGINS = ("category_origin", "sentiment_origin")
_FORGET = "DELETE FROM meaning WHERE feedback_id = NEW.id"
_SAID = "OLD.title <> NEW.title OR OLD.text <> NEW.text"
_SQLITE = f"""
CREATE TRIGGER IF NOT EXISTS feedback_meant AFTER UPDATE OF title, text ON feedback WHEN {_SAID}
    BEGIN {_FORGET}; END
"""
_POSTGRES = f"""
CREATE OR REPLACE FUNCTION feedback_meant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    {_FORGET};
    RETURN NULL;
END $$;;
DROP TRIGGER IF EXISTS feedback_meant ON feedback;;
CREATE TRIGGER feedback_meant AFTER UPDATE OF title, text ON feedback FOR EACH ROW WHEN ({_SAID})
    EXECUTE FUNCTION feedback_meant()
"""


def up(migrator: Any, db: Any) -> None:
    embedded = isinstance(db, SqliteDatabase)
    concurrently = "" if embedded else "CONCURRENTLY"

    def index(name: str, columns: str, where: str) -> None:
        db.execute_sql(f"DROP INDEX {concurrently} IF EXISTS {name}")
        on = f"feedback (workspace_id, {columns})"
        db.execute_sql(f"CREATE INDEX {concurrently} {name} ON {on} WHERE {where}")

    index(
        "feedback_doubtful",
        f"{'doubt' if embedded else _DOUBT}, received_at, id, status",
        "category_confidence < 0.6 OR sentiment_confidence < 0.6",
    )
    for name in _ORIGINS:
        index(f"feedback_{name}", f"{name}, received_at, id, status", f"{name} <> 'predicted'")
    _keep_meaning(db, embedded)


def _keep_meaning(db: Any, embedded: bool) -> None:
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Feedback(Base):
        id = TextField(primary_key=True)

    class Meaning(Base):
        feedback = ForeignKeyField(Feedback, primary_key=True, on_delete="CASCADE")
        vector = BlobField()

        class Meta:
            without_rowid = True

    db.create_tables([Meaning])
    for statement in (_SQLITE if embedded else _POSTGRES).split(";;"):
        db.execute_sql(statement.strip())
