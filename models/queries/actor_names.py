"""Who did something, as people call them: users, keys and hooks, all of which act by their ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from models.database.base import rows
from models.tables.hook import HookRow
from models.tables.user import User
from models.tables.workspace import ApiKey


def called(workspace_id: str, ids: Iterable[str]) -> dict[str, str]:
    """By id, what those of this workspace are called; others are left out. Of a hook a cut id does."""
    wanted = sorted(set(ids))
    found: dict[str, str] = {}
    kinds: tuple[tuple[Any, str], ...] = ((User, "email"), (ApiKey, "prefix"), (HookRow, "source"))
    for table, instead in kinds:
        column = getattr(table, instead)
        mine = table.select(table.id, table.name, column).where(
            (table.workspace == workspace_id) & table.id.in_(wanted)
        )
        found |= {row["id"]: row["name"] or row[instead] for row in rows(mine)}
    for cut in (name for name in wanted if name.endswith("…")):
        mine = HookRow.select().where((HookRow.workspace == workspace_id) & HookRow.id.startswith(cut[:-1]))
        for row in rows(mine.limit(1)):
            found[cut] = row["name"] or row["source"]
    return found
