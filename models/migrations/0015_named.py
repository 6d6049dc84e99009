"""What a filter names: pages get an index, and on a server no value is too long for its index any more.

A row of a server's index holds less than three kilobytes, and a record with a longer author, trace or id
could not be stored. So the first characters are in the index, and the rest is compared in the rows found.
"""

from __future__ import annotations

from typing import Any

from peewee import SqliteDatabase

_FIRST = 400  # characters, each of up to four bytes


def up(migrator: Any, db: Any) -> None:
    page, trace = db.member("subject", "page"), db.member("subject", "trace_id")
    embedded: bool = isinstance(db, SqliteDatabase)
    if embedded:
        db.execute_sql(
            f"CREATE INDEX feedback_page ON feedback (workspace_id, ({page})) WHERE ({page}) IS NOT NULL"
        )
        return
    for name, value, order in (
        ("author", "author_id", ""),
        ("email", "author_email", ""),
        ("external", "external_id", ""),
        ("trace", trace, ""),
        ("page", page, ' COLLATE "C"'),  # the order in which what begins alike is together
    ):
        db.execute_sql(f"DROP INDEX IF EXISTS feedback_{name}")
        db.execute_sql(
            f"CREATE INDEX feedback_{name} ON feedback (workspace_id, (LEFT({value}, {_FIRST})){order}) "
            f"WHERE {value} IS NOT NULL"
        )
    db.execute_sql("ANALYZE feedback")
