"""Whoever a request comes from, as every step after `auth` knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.area_rules import Rules, rules_of
from models.tables.workspace import areas_of


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key. `project_id` is None for a key that may use its whole workspace.

    `rules` are those of every project of the workspace, and empty when no project has any.
    """

    key_id: str
    workspace_id: str
    project_id: str | None
    default_project_id: str
    scopes: frozenset[str]
    rate_limit: str | None
    expires_at: int | None
    rules: Mapping[str, Rules] = field(default_factory=dict)

    def rules_for(self, project_ref: str | None) -> Rules:
        """The areas of the project that a record lands in which names this one
        (gateway.intake.store.place)."""
        if not self.rules:
            return None
        if project_ref is not None and self.project_id is None and project_ref in self.rules:
            return self.rules[project_ref]
        return self.rules.get(self.default_project_id)


def rules_in(workspace_id: str) -> dict[str, Rules]:
    """The rules of each project of a workspace; empty when none of them has any of its own."""
    return {project_id: rules_of(kept) for project_id, kept in areas_of(workspace_id).items()}
