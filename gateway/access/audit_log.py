"""Notes in the audit trail, written in the transaction of what they tell."""

from __future__ import annotations

from typing import Any

from gateway.core.ids import new_id, now_ms
from models.database.base import insert
from models.tables.audit import Audit

COMMAND_LINE = "command line"  # who acts without a key


def note(workspace_id: str, by: str, action: str, target: str, **detail: Any) -> None:
    """Notes within the open transaction that `by` (a key's id) did something. Never a secret in `detail`."""
    insert(
        Audit,
        {
            "id": new_id("au"),
            "workspace_id": workspace_id,
            "at": now_ms(),
            "key_id": by,
            "action": action,
            "target": target,
            "detail": detail,
        },
    )
