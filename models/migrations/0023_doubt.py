"""How sure triage is of the sentiment, and records in the order in which doubt matters most.

Doubt is impact times what the less sure of the two labels lacks to certainty, in thousandths. The embedded
database keeps that in a generated column, since it seeks a place in an order only by columns; a server has an
index of the expression, so that no table is written anew. What was labelled before has no confidence of its
sentiment: of that the category alone decides.

On a server the index is made while others write, outside of a transaction. Interrupted it leaves an invalid
one, which is dropped first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peewee import SqliteDatabase

atomic = False
_SURE = (
    "CASE WHEN sentiment_confidence < category_confidence THEN sentiment_confidence "
    "ELSE category_confidence END"
)
_DOUBT = f"CAST(ROUND(impact * (1 - {_SURE}) * 1000) AS BIGINT)"
_INDEX = "feedback_doubt ON feedback (workspace_id, {doubt}, received_at, id, status)"


def up(migrator: Any, db: Any) -> None:
    run: Callable[..., Any] = db.execute_sql
    if not isinstance(db, SqliteDatabase):
        run("ALTER TABLE feedback ADD COLUMN IF NOT EXISTS sentiment_confidence DOUBLE PRECISION")
        run("DROP INDEX CONCURRENTLY IF EXISTS feedback_doubt")
        run(f"CREATE INDEX CONCURRENTLY {_INDEX.format(doubt=f'({_DOUBT})')}")
        return
    if any(column.name == "sentiment_confidence" for column in db.get_columns("feedback")):
        return
    with db.atomic():
        run("ALTER TABLE feedback ADD COLUMN sentiment_confidence REAL")
        run(f"ALTER TABLE feedback ADD COLUMN doubt INTEGER GENERATED ALWAYS AS ({_DOUBT}) VIRTUAL")
        run(f"CREATE INDEX {_INDEX.format(doubt='doubt')}")
