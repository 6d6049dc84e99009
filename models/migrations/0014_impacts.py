"""How many records of each day have each impact, beside what else is counted of them.

To count them from records took half of an overview of 90 days. What is stored already is counted here,
which takes some seconds for a million records; nobody writes meanwhile.
"""

from __future__ import annotations

from typing import Any

from peewee import SqliteDatabase

_LEVELS = tuple(f"impact_{level}" for level in range(15))
_ALIKE = "workspace_id, day, project_id, source, type, category, sentiment, status, language, slot"
_COUNTS = ("records", "impact", "score", *_LEVELS)
_NAMES = f"{_ALIKE}, {', '.join(_COUNTS)}"
_SUMS = ", ".join(f"SUM({name})" for name in _COUNTS)
_ADD = f"ON CONFLICT ({_ALIKE}) DO UPDATE SET " + ", ".join(
    f"{name} = rollup.{name} + excluded.{name}" for name in _COUNTS
)


def _counted(row: str, slot: str, sign: str = "") -> str:
    """A record as a row of the rollup, counted up or, with a minus sign, down."""
    names = ("project_id", "source", "type", "category", "sentiment", "status")
    alike = (
        f"{row}.workspace_id",
        f"{row}.received_at / 86400000",
        *(f"{row}.{name}" for name in names),
        f"COALESCE({row}.language, '')",
        slot,
    )
    impact = f"CAST({row}.impact AS BIGINT)"
    score = f"CAST(ROUND({row}.sentiment_score * 1000000) AS BIGINT)"
    levels = (f"{sign}CAST({row}.impact = {level} AS INTEGER)" for level in range(len(_LEVELS)))
    return ", ".join((*alike, f"{sign}1", f"{sign}{impact}", f"{sign}{score}", *levels))


def _add(counted: str, having: str = "") -> str:
    """Adds counted rows in one order, so that writers wait for each other in a line and not in a circle."""
    return (
        f"INSERT INTO rollup ({_NAMES}) SELECT {_ALIKE}, {_SUMS} FROM ({counted}) AS counted ({_NAMES}) "
        f"GROUP BY {_ALIKE} {having} ORDER BY {_ALIKE} {_ADD};"
    )


_UP, _DOWN = (
    f"INSERT INTO rollup ({_NAMES}) VALUES ({_counted(row, '0', sign)}) {_ADD};"
    for row, sign in (("NEW", ""), ("OLD", "-"))
)
_FRESH, _STALE = (
    f"SELECT {_counted(row, 'mine', sign)} FROM {row}" for row, sign in (("fresh", ""), ("stale", "-"))
)
_CHANGED = f"HAVING {' OR '.join(f'SUM({name}) <> 0' for name in _COUNTS)}"

_POSTGRES = f"""
CREATE OR REPLACE FUNCTION feedback_count() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    mine integer := mod(pg_backend_pid(), 8);
BEGIN
    IF TG_OP = 'INSERT' THEN
        {_add(_FRESH)}
    ELSIF TG_OP = 'DELETE' THEN
        {_add(_STALE)}
    ELSE
        {_add(f"{_FRESH} UNION ALL {_STALE}", _CHANGED)}
    END IF;
    RETURN NULL;
END $$
"""


def up(migrator: Any, db: Any) -> None:
    embedded = isinstance(db, SqliteDatabase)
    if not embedded:
        db.execute_sql("LOCK TABLE feedback IN SHARE ROW EXCLUSIVE MODE")
    for name in _LEVELS:
        db.execute_sql(f"ALTER TABLE rollup ADD COLUMN {name} BIGINT NOT NULL DEFAULT 0")
    db.execute_sql("DELETE FROM rollup")
    db.execute_sql(
        f"WITH counted ({_NAMES}) AS (SELECT {_counted('feedback', '0')} FROM feedback) "
        f"INSERT INTO rollup ({_NAMES}) SELECT {_ALIKE}, {_SUMS} FROM counted GROUP BY {_ALIKE}"
    )
    if embedded:
        _replace_triggers(db)
    else:
        db.execute_sql(_POSTGRES)


def _replace_triggers(db: Any) -> None:
    """What the triggers of 0004 do besides counting stays as it is."""
    for name, counts in (
        ("feedback_inserted", (_UP,)),
        ("feedback_deleted", (_DOWN,)),
        ("feedback_recounted", (_DOWN, _UP)),
    ):
        ((sql,),) = db.execute_sql("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchall()
        head, _, body = sql.partition("BEGIN\n")
        kept = [part for part in body.split(";\n") if "INSERT INTO rollup" not in part]
        db.execute_sql(f"DROP TRIGGER {name}")
        db.execute_sql(f"{head}BEGIN\n    " + "\n    ".join(counts) + "\n" + ";\n".join(kept))
