"""Which views somebody has: those that a workspace shares, and a person's own."""

from __future__ import annotations

from typing import Any

from models.database.base import first, rows
from models.tables.user import SavedView, views_of


def shared_in(workspace_id: str) -> list[dict[str, Any]]:
    """The views that a workspace shares, in their order."""
    found = SavedView.select().where(SavedView.shared_in == workspace_id)
    return rows(found.order_by(SavedView.position, SavedView.id))


def of(workspace_id: str, person: str | None) -> list[dict[str, Any]]:
    """The views that somebody sees: the shared ones first, then a person's own."""
    return shared_in(workspace_id) + (views_of(person) if person else [])


def find(workspace_id: str, person: str | None, view_id: str) -> dict[str, Any] | None:
    """One of the views that somebody sees, or None."""
    seen = SavedView.shared_in == workspace_id
    if person:
        seen |= (SavedView.user == person) & SavedView.shared_in.is_null()
    return first(SavedView.select().where((SavedView.id == view_id) & seen))


def query_of(workspace_id: str, view_id: str) -> str | None:
    """The query of a view that a workspace shares, or None."""
    found = find(workspace_id, None, view_id)
    return None if found is None else str(found["query"])
