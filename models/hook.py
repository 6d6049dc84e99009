"""Addresses made for senders that sign instead of showing a key."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, BooleanField, ForeignKeyField, TextField

from models.access import Project, Workspace
from models.base import JSONText, Table, first


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
        table_name = "hook"


def find_hook(hook_id: str) -> dict[str, Any] | None:
    """The hook with this id and its workspace's default project, unless it was deleted."""
    hooks = HookRow.select(HookRow, Workspace.default_project_id.alias("default_project_id"))
    return first(hooks.join(Workspace).where((HookRow.id == hook_id) & HookRow.deleted_at.is_null()))
