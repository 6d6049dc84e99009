"""What a record says decides whether it is signed anew; until now any change of it did."""

from __future__ import annotations

from typing import Any

from peewee import SqliteDatabase

_MARK = "UPDATE signature SET stale = 1 WHERE feedback_id = NEW.id"
_SAID = "OLD.title <> NEW.title OR OLD.text <> NEW.text"
_SQLITE = f"""
CREATE TRIGGER feedback_resaid AFTER UPDATE OF title, text ON feedback WHEN {_SAID} BEGIN {_MARK}; END
"""
_POSTGRES = f"""
CREATE FUNCTION feedback_resaid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    {_MARK};
    RETURN NULL;
END $$;;
CREATE TRIGGER feedback_resaid AFTER UPDATE OF title, text ON feedback FOR EACH ROW WHEN ({_SAID})
    EXECUTE FUNCTION feedback_resaid()
"""


def up(migrator: Any, db: Any) -> None:
    db.execute_sql("ALTER TABLE signature ADD COLUMN stale INTEGER NOT NULL DEFAULT 0")
    # Some of these say something else since they were signed; until now nobody would have looked.
    db.execute_sql(
        "UPDATE signature SET stale = 1 WHERE updated_at <> "
        "(SELECT updated_at FROM feedback WHERE feedback.id = signature.feedback_id)"
    )
    db.execute_sql("ALTER TABLE signature DROP COLUMN updated_at")
    db.execute_sql("CREATE INDEX signature_stale ON signature (id) WHERE stale = 1")
    for statement in (_SQLITE if isinstance(db, SqliteDatabase) else _POSTGRES).split(";;"):
        db.execute_sql(statement.strip())
