"""Addresses made for senders that sign instead of showing a key."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, BooleanField, ForeignKeyField, TextField

from models.database.base import JSONText, Table, database, first, rows
from models.tables.workspace import Project, Workspace

NAME = "hook"  # of the table


class HookRow(Table):
    """A hook. `secrets` is a list of {"secret": encrypted text, "expires_at": ms or null}, newest first."""

    id = TextField(primary_key=True)
    workspace = ForeignKeyField(Workspace, backref="hooks", on_delete="CASCADE")
    project = ForeignKeyField(Project, null=True, backref="hooks", on_delete="CASCADE")
    source = TextField()
    name = TextField(default="")
    secrets = JSONText()
    unsigned = BooleanField(default=False)
    options = JSONText()
    rate_limit = TextField(null=True)
    created_at = BigIntegerField()
    deleted_at = BigIntegerField(null=True)

    class Meta:
        table_name = NAME


def find_hook(hook_id: str) -> dict[str, Any] | None:
    """The hook with this id and its workspace's default project, unless it was deleted."""
    hooks = HookRow.select(HookRow, Workspace.default_project_id.alias("default_project_id"))
    return first(hooks.join(Workspace).where((HookRow.id == hook_id) & HookRow.deleted_at.is_null()))


def hooks_of(source: str) -> list[dict[str, Any]]:
    """The hooks of a source that were not deleted, each with its workspace's default project."""
    hooks = HookRow.select(HookRow, Workspace.default_project_id.alias("default_project_id"))
    wanted = (HookRow.source == source) & HookRow.deleted_at.is_null()
    return rows(hooks.join(Workspace).where(wanted).order_by(HookRow.id))


def of_workspace(workspace_id: str) -> list[dict[str, Any]]:
    """The hooks of a workspace that were not deleted."""
    mine = (HookRow.workspace == workspace_id) & HookRow.deleted_at.is_null()
    return rows(HookRow.select().where(mine).order_by(HookRow.id))


def live_secrets(now: int) -> list[dict[str, Any]]:
    """The hooks that have secrets which still count at `now` (ms UTC): `id`, `source`, `unsigned`, `secrets`.

    `secrets` are only those, as they are stored. Nothing where the schema has no hooks yet.
    """
    if not database.table_exists(NAME):
        return []
    hooks = HookRow.select(HookRow.id, HookRow.source, HookRow.unsigned, HookRow.secrets)
    found = []
    for row in rows(hooks.where(HookRow.deleted_at.is_null()).order_by(HookRow.created_at, HookRow.id)):
        live = [item for item in row["secrets"] if item["expires_at"] is None or item["expires_at"] > now]
        if live:
            found.append({**row, "secrets": [item["secret"] for item in live]})
    return found
