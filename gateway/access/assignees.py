"""Who may take care of records: the people of a workspace who may change them."""

from __future__ import annotations

from typing import Any

from gateway.access.users import SCOPES
from models.database.base import first, kept, rows
from models.tables.user import User

ROLES = tuple(role for role, scopes in SCOPES.items() if "triage" in scopes)


def people_of(workspace_id: str) -> list[dict[str, Any]]:
    """Those who may be assigned, by name."""
    found = User.select(User.id, User.name, User.email, User.role).where(_may(workspace_id))
    return rows(found.order_by(User.name, User.id))


def find(workspace_id: str, who: str) -> str | None:
    """The id of the one who has this id or email address and may be assigned, or None."""
    mine = (User.id == who) | (User.email == who.strip().lower())
    found = first(User.select(User.id).where(_may(workspace_id), mine))
    return None if found is None else str(found["id"])


def stays(workspace_id: str, user_id: str) -> bool:
    """Whether somebody may be assigned, and still may when the open transaction ends."""
    found = User.select(User.id).where(_may(workspace_id), User.id == user_id)
    return first(kept(found)) is not None


def _may(workspace_id: str) -> Any:
    return (User.workspace == workspace_id) & User.disabled_at.is_null() & User.role.in_(ROLES)
