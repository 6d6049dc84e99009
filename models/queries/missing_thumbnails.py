"""Pictures that have no thumbnail yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.database.base import database
from models.tables.asset import Asset

KINDS = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif")
_COLUMNS = ("id", "workspace_id", "sha256")
# In the words of the index that has these and few others (migration 0027).
_DUE = (
    f"SELECT {', '.join(_COLUMNS)} FROM asset "
    "WHERE status = 'ready' AND thumbnail IS NULL AND reason IS NULL "
    f"AND content_type IN ({', '.join(map(repr, KINDS))}) AND id > ? ORDER BY id LIMIT ?"
)


def due(limit: int, after: str = "") -> list[dict[str, Any]]:
    """Some that can have one, the oldest first after an id, each with `id`, `workspace_id` and `sha256`."""
    found = database.execute_sql(_DUE, (after, limit)).fetchall()
    return [dict(zip(_COLUMNS, row, strict=True)) for row in found]


def settle(picture: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """Sets columns of an asset, within the open transaction, unless its bytes are others now or missing."""
    same = (Asset.id == picture["id"]) & (Asset.sha256 == picture["sha256"]) & (Asset.status == "ready")
    Asset.update(**told).where(same).execute()
