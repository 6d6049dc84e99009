"""On a server a record is counted by day in a row that nobody holds.

Until now each writer had a row of its own, and waited for whoever held that.
"""

from __future__ import annotations

from typing import Any

from peewee import SqliteDatabase

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
_NAMES = ", ".join((*_ALIKE, *_COUNTS))
_KEY = ", ".join(_ALIKE)
_SUMS = ", ".join(f"SUM({name}) AS {name}" for name in _COUNTS)


def _counted(row: str, sign: str = "") -> str:
    """A record as a row of the rollup, counted up or, with a minus sign, down."""
    names = ("project_id", "source", "type", "category", "sentiment", "status")
    alike = (
        f"{row}.workspace_id",
        f"{row}.received_at / 86400000",
        *(f"{row}.{name}" for name in names),
        f"COALESCE({row}.language, '')",
    )
    impact = f"CAST({row}.impact AS BIGINT)"
    score = f"CAST(ROUND({row}.sentiment_score * 1000000) AS BIGINT)"
    levels = (f"{sign}CAST({row}.impact = {level} AS INTEGER)" for level in range(len(_LEVELS)))
    return (
        f"SELECT {', '.join((*alike, f'{sign}1', f'{sign}{impact}', f'{sign}{score}', *levels))} FROM {row}"
    )


def _same(one: str, other: str) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in _ALIKE)


def _add(counted: str, having: str = "") -> str:
    added = ", ".join(f"{name} = rollup.{name} + free.{name}" for name in _COUNTS)
    again = ", ".join(f"{name} = rollup.{name} + excluded.{name}" for name in _COUNTS)
    return f"""
        WITH each ({_NAMES}) AS ({counted}), counted AS (
            SELECT {_KEY}, {_SUMS} FROM each GROUP BY {_KEY} {having}
        ), free AS (
            SELECT counted.*, slot FROM counted CROSS JOIN LATERAL (
                SELECT slot FROM rollup WHERE {_same("rollup", "counted")}
                LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
            ) AS row
        ), added AS (
            UPDATE rollup SET {added} FROM free WHERE {_same("rollup", "free")} AND rollup.slot = free.slot
            RETURNING {", ".join(f"rollup.{name}" for name in _ALIKE)}
        )
        INSERT INTO rollup ({_NAMES}, slot)
            SELECT {_NAMES}, CAST(FLOOR(random() * 2147483647) AS INTEGER) FROM counted
            WHERE NOT EXISTS (SELECT 1 FROM added WHERE {_same("added", "counted")})
            ON CONFLICT ({_KEY}, slot) DO UPDATE SET {again};"""


_CHANGED = f"HAVING {' OR '.join(f'SUM({name}) <> 0' for name in _COUNTS)}"
_FRESH, _STALE = _counted("fresh"), _counted("stale", "-")
_POSTGRES = f"""
CREATE OR REPLACE FUNCTION feedback_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN {_add(_FRESH)}
    ELSIF TG_OP = 'DELETE' THEN {_add(_STALE)}
    ELSE {_add(f"{_FRESH} UNION ALL {_STALE}", _CHANGED)}
    END IF;
    RETURN NULL;
END $$
"""


def up(migrator: Any, db: Any) -> None:
    if not isinstance(db, SqliteDatabase):
        db.execute_sql(_POSTGRES)
