"""Pictures that have no thumbnail yet."""

from __future__ import annotations

from typing import Any

from models.database.base import database

KINDS = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif")
_COLUMNS = ("id", "workspace_id", "sha256")
# In the words of the index that has these and few others (migration 0027).
_DUE = (
    f"SELECT {', '.join(_COLUMNS)} FROM asset "
    "WHERE status = 'ready' AND thumbnail IS NULL AND reason IS NULL "
    f"AND content_type IN ({', '.join(map(repr, KINDS))}) ORDER BY id LIMIT ?"
)


def due(limit: int) -> list[dict[str, Any]]:
    """Some that can have one, the oldest first, each with `id`, `workspace_id` and `sha256`."""
    found = database.execute_sql(_DUE, (limit,)).fetchall()
    return [dict(zip(_COLUMNS, row, strict=True)) for row in found]
