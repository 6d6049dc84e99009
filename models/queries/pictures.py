"""Pictures that have no thumbnail yet."""

from __future__ import annotations

from typing import Any

from models.database.base import rows
from models.tables.asset import Asset

KINDS = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif")


def without_thumbnail(limit: int) -> list[dict[str, Any]]:
    """Some of those that can have one, the oldest first, each with `id`, `workspace_id` and `sha256`."""
    due = Asset.select(Asset.id, Asset.workspace_id, Asset.sha256).where(
        Asset.status == "ready",
        Asset.content_type.in_(KINDS),
        Asset.thumbnail.is_null(),
        Asset.reason.is_null(),
    )
    return rows(due.order_by(Asset.id).limit(limit))
