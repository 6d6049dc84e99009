"""Groups of alerts that people are not told of for a while."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peewee import BigIntegerField, ForeignKeyField, IntegerField, TextField

from models.database.base import Table, rows
from models.tables.workspace import Project, Workspace

MOST = 100  # mutes of a workspace at a time
TOLD = 86_400_000  # milliseconds that it is told of a mute which has ended


class AlertMute(Table):
    """A group that is muted: `until` a time, or until `more` alerts have come since, whichever is first.

    Without a project it is muted in all of them. `key_id` is who did it, `ended_at` when somebody took it
    back, or one too many came. Times are milliseconds UTC.
    """

    id = TextField(primary_key=True)
    workspace = ForeignKeyField(Workspace, on_delete="CASCADE", index=False)
    project = ForeignKeyField(Project, null=True, on_delete="CASCADE", index=False)
    alert_group = TextField()
    until = BigIntegerField(null=True)
    more = IntegerField(null=True)
    key_id = TextField()
    created_at = BigIntegerField()
    ended_at = BigIntegerField(null=True)

    class Meta:
        indexes = ((("workspace", "id"), False), (("project",), False))


def of_workspaces(workspace_ids: Iterable[str]) -> list[dict[str, Any]]:
    """The mutes of some workspaces that nobody took back, the oldest first; their time may be over."""
    mine = AlertMute.workspace.in_(sorted(set(workspace_ids))) & AlertMute.ended_at.is_null()
    return rows(AlertMute.select().where(mine).order_by(AlertMute.id))


def of_workspace(workspace_id: str, project_id: str | None) -> list[dict[str, Any]]:
    """All that is known of mutes in a workspace (and, when given, in this project), the newest first."""
    found = AlertMute.select().where(AlertMute.workspace == workspace_id)
    if project_id is not None:
        found = found.where((AlertMute.project == project_id) | AlertMute.project.is_null())
    return rows(found.order_by(AlertMute.id.desc()))


def add(row: dict[str, Any]) -> None:
    """Stores a mute within the open transaction."""
    AlertMute.insert(row).execute()


def end(ids: Iterable[str], at: int) -> None:
    """Ends mutes within the open transaction."""
    AlertMute.update(ended_at=at).where(AlertMute.id.in_(list(ids))).execute()


def forget(workspace_id: str, before: int) -> None:
    """Forgets the mutes of a workspace that ended before a time, within the open transaction."""
    ended = (AlertMute.ended_at < before) | (AlertMute.until < before)
    AlertMute.delete().where((AlertMute.workspace == workspace_id) & ended).execute()
