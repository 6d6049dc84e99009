"""What a record says decides whether it is signed anew; what somebody wrote is found in the order of lists.

Until now any change of a record had it signed again, an author's records were sorted for each page, and
what is still in quarantine was looked for among all that had been there.
"""

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
_FIRST = 400  # characters of a value in a server's index (migration 0012)


def up(migrator: Any, db: Any) -> None:
    db.execute_sql("ALTER TABLE signature ADD COLUMN stale INTEGER NOT NULL DEFAULT 0")
    # Some of these say something else since they were signed; until now nobody would have looked.
    db.execute_sql(
        "UPDATE signature SET stale = 1 WHERE updated_at <> "
        "(SELECT updated_at FROM feedback WHERE feedback.id = signature.feedback_id)"
    )
    db.execute_sql("ALTER TABLE signature DROP COLUMN updated_at")
    db.execute_sql("CREATE INDEX signature_stale ON signature (id) WHERE stale = 1")
    embedded: bool = isinstance(db, SqliteDatabase)
    for name, column in (("author", "author_id"), ("email", "author_email")):
        value = column if embedded else f"(LEFT({column}, {_FIRST}))"
        db.execute_sql(f"DROP INDEX feedback_{name}")
        db.execute_sql(
            f"CREATE INDEX feedback_{name} ON feedback (workspace_id, {value}, received_at, id) "
            f"WHERE {column} IS NOT NULL"
        )
    db.execute_sql("CREATE INDEX quarantine_held ON quarantine (workspace_id, id) WHERE replayed_at IS NULL")
    for statement in (_SQLITE if embedded else _POSTGRES).split(";;"):
        db.execute_sql(statement.strip())
