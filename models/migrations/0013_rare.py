"""What views of the inbox look for is rare among a million records: alerts, and those triage was unsure of.

Both indexes leave out what is common, so that storing a plain message costs no more than before. A query
has to say so in the same words to be read through one.
"""

from __future__ import annotations

from typing import Any

_INDEXES = (
    "CREATE INDEX IF NOT EXISTS feedback_type ON feedback (workspace_id, type, status, received_at, id) "
    "WHERE type <> 'message'",
    "CREATE INDEX IF NOT EXISTS feedback_unsure ON feedback (workspace_id, received_at, id, status, "
    "category, category_confidence) WHERE category_confidence < 0.5",
)


def up(migrator: Any, db: Any) -> None:
    for statement in _INDEXES:
        db.execute_sql(statement)
