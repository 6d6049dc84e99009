"""Records in the order in which they occurred, and counted on the day they did.

What has no time of its own occurred when it was received. The embedded database keeps that in a generated
column, since it seeks a place in an order only by columns; a server has an index of the expression, so that
no table is written anew. Counts by day stay those of what was received: `rollup_occurred` has by how much
they differ, and a record that occurred on the day it was received is not in there and costs nothing.

On a server the index is made while others write, outside of a transaction. Interrupted it leaves an invalid
one, which is dropped first.
"""

from __future__ import annotations

from typing import Any

from peewee import SqliteDatabase

atomic = False
_ALIKE = (
    "workspace_id",
    "day",
    "project_id",
    "source",
    "type",
    "category",
    "sentiment",
    "status",
    "language",
)
_LEVELS = tuple(f"impact_{level}" for level in range(15))
_COUNTS = ("records", "impact", "score", *_LEVELS)
_KEY, _NAMES = ", ".join(_ALIKE), ", ".join((*_ALIKE, *_COUNTS))
_SUMS = ", ".join(f"SUM({name}) AS {name}" for name in _COUNTS)
_OCCURRED, _DAY = "COALESCE(occurred_at, received_at)", 86_400_000
# What stands behind the order decides about rows without reading them, as in feedback_list.
_COVERED = "project_id, source, type, category, sentiment, status, language, impact, sentiment_score"
_COUNTED_BY = ("received_at", "occurred_at", *_ALIKE[2:], "impact", "sentiment_score")


def _occurred(row: str) -> str:
    return f"COALESCE({row}.occurred_at, {row}.received_at)"


def _moved(row: str) -> str:
    """Whether a record occurred on another day than it was received."""
    return f"{_occurred(row)} / {_DAY} <> {row}.received_at / {_DAY}"


def _counted(row: str, at: str, sign: str = "") -> str:
    """A record as a row of counts on a day, counted up or, with a minus sign, down."""
    names = ("project_id", "source", "type", "category", "sentiment", "status")
    alike = (
        f"{row}.workspace_id",
        f"{at} / {_DAY}",
        *(f"{row}.{name}" for name in names),
        f"COALESCE({row}.language, '')",
    )
    impact = f"CAST({row}.impact AS BIGINT)"
    score = f"CAST(ROUND({row}.sentiment_score * 1000000) AS BIGINT)"
    levels = (f"{sign}CAST({row}.impact = {level} AS INTEGER)" for level in range(len(_LEVELS)))
    return ", ".join((*alike, f"{sign}1", f"{sign}{impact}", f"{sign}{score}", *levels))


def _both(row: str, *, back: bool = False) -> tuple[str, str]:
    """A record on the day it occurred and off the day it was received; `back` takes that back."""
    there, here = ("-", "") if back else ("", "-")
    return _counted(row, _occurred(row), there), _counted(row, f"{row}.received_at", here)


_ADD = f"ON CONFLICT ({_KEY}, slot) DO UPDATE SET " + ", ".join(
    f"{name} = rollup_occurred.{name} + excluded.{name}" for name in _COUNTS
)


def _sqlite(name: str, event: str, row: str) -> str:
    both = _both(row, back=row == "OLD")
    added = " ".join(
        f"INSERT INTO rollup_occurred ({_NAMES}, slot) VALUES ({one}, 0) {_ADD};" for one in both
    )
    return f"CREATE TRIGGER {name} AFTER {event} ON feedback WHEN {_moved(row)} BEGIN {added} END"


_UPDATE = f"UPDATE OF {', '.join(_COUNTED_BY)}"
_SQLITE = (
    _sqlite("feedback_occurred_on", "INSERT", "NEW"),
    _sqlite("feedback_occurred_off", "DELETE", "OLD"),
    _sqlite("feedback_occurred_before", _UPDATE, "OLD"),
    _sqlite("feedback_occurred_after", _UPDATE, "NEW"),
)


def _same(one: str, other: str) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in _ALIKE)


def _each(row: str, *, back: bool = False) -> str:
    return " UNION ALL ".join(f"SELECT {one} FROM {row} WHERE {_moved(row)}" for one in _both(row, back=back))


def _add(counted: str) -> str:
    """As counts of what was received (0020): into a row that nobody holds."""
    added = ", ".join(f"{name} = rollup_occurred.{name} + free.{name}" for name in _COUNTS)
    changed = " OR ".join(f"SUM({name}) <> 0" for name in _COUNTS)
    return f"""
        WITH each ({_NAMES}) AS ({counted}), counted AS (
            SELECT {_KEY}, {_SUMS} FROM each GROUP BY {_KEY} HAVING {changed}
        ), free AS (
            SELECT counted.*, slot FROM counted CROSS JOIN LATERAL (
                SELECT slot FROM rollup_occurred WHERE {_same("rollup_occurred", "counted")}
                LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
            ) AS row
        ), added AS (
            UPDATE rollup_occurred SET {added} FROM free
            WHERE {_same("rollup_occurred", "free")} AND rollup_occurred.slot = free.slot
            RETURNING {", ".join(f"rollup_occurred.{name}" for name in _ALIKE)}
        )
        INSERT INTO rollup_occurred ({_NAMES}, slot)
            SELECT {_NAMES}, CAST(FLOOR(random() * 2147483647) AS INTEGER) FROM counted
            WHERE NOT EXISTS (SELECT 1 FROM added WHERE {_same("added", "counted")})
            {_ADD};"""


def _any(row: str) -> str:
    return f"EXISTS (SELECT 1 FROM {row} WHERE {_moved(row)})"


_FRESH, _STALE = _each("fresh"), _each("stale", back=True)
_POSTGRES = (
    f"""CREATE OR REPLACE FUNCTION feedback_occurred() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF {_any("fresh")} THEN {_add(_FRESH)} END IF;
    ELSIF TG_OP = 'DELETE' THEN
        IF {_any("stale")} THEN {_add(_STALE)} END IF;
    ELSIF {_any("fresh")} OR {_any("stale")} THEN {_add(f"{_FRESH} UNION ALL {_STALE}")}
    END IF;
    RETURN NULL;
END $$""",
    "CREATE TRIGGER feedback_occurred_on AFTER INSERT ON feedback REFERENCING NEW TABLE AS fresh"
    " FOR EACH STATEMENT EXECUTE FUNCTION feedback_occurred()",
    "CREATE TRIGGER feedback_occurred_off AFTER DELETE ON feedback REFERENCING OLD TABLE AS stale"
    " FOR EACH STATEMENT EXECUTE FUNCTION feedback_occurred()",
    "CREATE TRIGGER feedback_occurred_after AFTER UPDATE ON feedback REFERENCING OLD TABLE AS stale"
    " NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION feedback_occurred()",
)


def up(migrator: Any, db: Any) -> None:
    embedded = isinstance(db, SqliteDatabase)
    if not embedded:
        db.execute_sql("DROP INDEX CONCURRENTLY IF EXISTS feedback_occurred")
        db.execute_sql(
            f"CREATE INDEX CONCURRENTLY feedback_occurred ON feedback (workspace_id, ({_OCCURRED}), id)"
        )
    elif "rollup_occurred" in db.get_tables():
        return
    with db.atomic():
        if embedded:
            kept = f"occurred INTEGER GENERATED ALWAYS AS ({_OCCURRED}) VIRTUAL"
            db.execute_sql(f"ALTER TABLE feedback ADD COLUMN {kept}")
            db.execute_sql(
                f"CREATE INDEX feedback_occurred ON feedback (workspace_id, occurred, id, {_COVERED})"
            )
        else:
            db.execute_sql("LOCK TABLE feedback IN SHARE ROW EXCLUSIVE MODE")
        if "rollup_occurred" not in db.get_tables():
            _count(db, embedded)


def _count(db: Any, embedded: bool) -> None:
    """Counts what is there, and has triggers count from now on."""
    columns = ", ".join(
        f"{name} {'BIGINT' if name in ('day', *_COUNTS) else 'TEXT'} NOT NULL" for name in (*_ALIKE, *_COUNTS)
    )
    key = f"PRIMARY KEY ({_KEY}, slot)"
    after = " WITHOUT ROWID" if embedded else ""
    db.execute_sql(f"CREATE TABLE rollup_occurred ({columns}, slot INTEGER NOT NULL, {key}){after}")
    db.execute_sql(
        f"WITH each ({_NAMES}) AS ({_each('feedback')}) INSERT INTO rollup_occurred ({_NAMES}, slot) "
        f"SELECT {_KEY}, {_SUMS}, 0 FROM each GROUP BY {_KEY}"
    )
    for statement in _SQLITE if embedded else _POSTGRES:
        db.execute_sql(statement)
