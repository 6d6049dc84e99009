"""Whoever a request comes from, as every step after `auth` knows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key. `project_id` is None for a key that may use its whole workspace."""

    key_id: str
    workspace_id: str
    project_id: str | None
    default_project_id: str
    scopes: frozenset[str]
    rate_limit: str | None
    expires_at: int | None
