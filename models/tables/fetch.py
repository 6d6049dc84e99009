"""Files still to be fetched from where they are linked: assets that wait, and how often each was tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from peewee import JOIN, SQL, BigIntegerField, IntegerField, TextField, fn

from models.database.base import Table, first, rows
from models.tables.asset import Asset


class Fetch(Table):
    """A file that could not be had yet: how often it was tried, and when next (milliseconds UTC)."""

    asset_id = TextField(primary_key=True)
    attempt = IntegerField()
    next_at = BigIntegerField()


# Written out, as the index says it.
_WAITS = (Asset.status == SQL("'pending_upload'")) & Asset.source_url.is_null(False)
_NEXT_AT = fn.COALESCE(Fetch.next_at, 0)


def due(now: int, limit: int, but: Iterable[str], workspaces: Iterable[str]) -> list[dict[str, Any]]:
    """Assets whose file is to be fetched now, the oldest first, each with its `attempt`.

    None of these ids, and none of these workspaces.
    """
    found = _waiting(Asset, fn.COALESCE(Fetch.attempt, 0).alias("attempt"))
    found = found.where(Fetch.next_at.is_null() | (Fetch.next_at <= now))
    for column, values in ((Asset.id, [*but]), (Asset.workspace_id, [*workspaces])):
        if values:
            found = found.where(column.not_in(values))
    return rows(found.order_by(Asset.id).limit(limit))


def next_due() -> int | None:
    """When the next file is to be fetched, in the past for one that nobody has tried; None when none is."""
    row = first(_waiting(_NEXT_AT.alias("next_at")).order_by(_NEXT_AT).limit(1))
    return None if row is None else int(row["next_at"])


def again(asset_id: str, attempt: int, next_at: int) -> None:
    """Has a file be fetched once more, after so many tries, within the open transaction."""
    row = {"asset_id": asset_id, "attempt": attempt, "next_at": next_at}
    new = {Fetch.attempt: attempt, Fetch.next_at: next_at}
    Fetch.insert(row).on_conflict(conflict_target=[Fetch.asset_id], update=new).execute()


def settle(asset_id: str, changed: Mapping[str, Any]) -> None:
    """Notes what became of a file within the open transaction, unless its asset waits no longer."""
    Asset.update({**changed}).where((Asset.id == asset_id) & _WAITS).execute()
    Fetch.delete().where(Fetch.asset_id == asset_id).execute()


def forget_gone(limit: int) -> int:
    """Forgets, within the open transaction, some tries for assets that wait no longer; how many."""
    there = Asset.select(Asset.id).where(_WAITS)
    gone = rows(Fetch.select(Fetch.asset_id).where(Fetch.asset_id.not_in(there)).limit(limit))
    ids = [row["asset_id"] for row in gone]
    return int(Fetch.delete().where(Fetch.asset_id.in_(ids)).execute()) if ids else 0


def _waiting(*columns: Any) -> Any:
    joined = Asset.select(*columns).join(Fetch, JOIN.LEFT_OUTER, on=(Fetch.asset_id == Asset.id))
    return joined.where(_WAITS)
