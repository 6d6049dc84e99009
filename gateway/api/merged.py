"""What one record stands for, shown beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.access.caller import Caller
from models.tables import feedback, merge

MOST_SHOWN = 100  # members beside a record


def merged_of(caller: Caller, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records that one stands for, the oldest first, at most MOST_SHOWN."""
    return [
        {
            "id": one["id"],
            "title": one["title"],
            "source": one["source"],
            "received_at": feedback.iso(one["received_at"]),
            "author": {name: one[f"author_{name}"] for name in ("id", "name", "email")},
        }
        for one in merge.members(row["id"], MOST_SHOWN)
    ]
