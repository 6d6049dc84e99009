"""Whoever a request comes from, as every step after `auth` knows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from gateway.core.area_rules import LearntHead, ProjectRules, Rules, areas_of, names_of
from models.tables.project_head import head_of, rules_of_projects

PERSON = "usr_"  # what ids of people begin with
HOOK_RATE = "1000/minute"  # alerts come in storms, and most of their senders never send again


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sends or asks: a key's holder, a hook, a person. `project_id` is None for a whole workspace.

    `rules` are those of every project of the workspace, and empty when no project has any.
    """

    key_id: str
    workspace_id: str
    project_id: str | None
    default_project_id: str
    scopes: frozenset[str]
    rate_limit: str | None = None
    expires_at: int | None = None
    rules: Mapping[str, Rules] = field(default_factory=dict)

    @classmethod
    def of_key(cls, row: Mapping[str, Any]) -> Self:
        """The holder of an API key, from its row with the `rules` of its workspace."""
        return cls(
            key_id=row["id"],
            workspace_id=row["workspace"],
            project_id=row["project"],
            default_project_id=row["project"] or row["default_project_id"],
            scopes=frozenset(row["scopes"]),
            rate_limit=row["rate_limit"],
            expires_at=row["expires_at"],
            rules=row["rules"],
        )

    @classmethod
    def of_hook(cls, row: Mapping[str, Any]) -> Self:
        """The sender of a hook, from its row with the `rules` of its workspace."""
        rate_limit = row["rate_limit"] or HOOK_RATE
        return cls.of_key({**row, "scopes": ("ingest",), "rate_limit": rate_limit, "expires_at": None})

    @classmethod
    def of_session(cls, session: Mapping[str, Any], scopes: Iterable[str]) -> Self:
        """A person at the inbox, with the scopes of their role."""
        return cls(
            session["user_id"],
            session["user_workspace"],
            None,
            session["default_project_id"],
            frozenset(scopes),
        )

    @classmethod
    def inside(cls, key_id: str, workspace_id: str, project_id: str | None, default_project_id: str) -> Self:
        """Who stores records from within the gateway: an import, a replay, background work."""
        scopes, rules = frozenset({"ingest"}), rules_in(workspace_id)
        return cls(key_id, workspace_id, project_id, default_project_id, scopes, rules=rules)

    @property
    def person(self) -> str | None:
        """The user's id when it is a person at the inbox, else None."""
        return self.key_id if self.key_id.startswith(PERSON) else None

    def rules_for(self, project_ref: str | None) -> Rules:
        """The areas, and what people taught, of the project that a record lands in which names this one
        (gateway.intake.store.place)."""
        if not self.rules:
            return None
        if project_ref is not None and self.project_id is None and project_ref in self.rules:
            return self.rules[project_ref]
        return self.rules.get(self.default_project_id)


def rules_in(workspace_id: str) -> dict[str, Rules]:
    """The rules of each project of a workspace; empty when none of them has any of its own."""
    return {row[0]: _rules_of(*row) for row in rules_of_projects(workspace_id)}


@lru_cache(maxsize=128)
def _rules_of(project_id: str, areas: str | None, off: str | None, version: str | None) -> ProjectRules:
    """The same for all who ask, since every key that is remembered has those of its workspace."""
    data = head_of(project_id, version) if version else None
    head = LearntHead(version, data) if version and data else None
    return ProjectRules(areas_of(areas), head, names_of(off))
