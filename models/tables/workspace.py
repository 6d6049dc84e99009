"""Who may use the gateway: workspaces (the tenant boundary), their projects, and API keys."""

from __future__ import annotations

from typing import Any

from peewee import BigIntegerField, BooleanField, ForeignKeyField, IntegerField, TextField, fn

from models.database.base import JSONText, Table, database, first, rows
from models.tables.feedback import Feedback


class Workspace(Table):
    """A tenant. `default_project_id` is where records land whose key names no project.

    It may start `runs_a_month` runs in a calendar month, UTC; null is any number. With `address_key`, sealed,
    digests of authors' addresses are made (gateway.replies.recipients).
    """

    id = TextField(primary_key=True)
    name = TextField()
    default_project_id = TextField(null=True)
    created_at = BigIntegerField()
    runs_a_month = IntegerField(null=True)
    address_key = TextField(null=True)


class Project(Table):
    """A group of records within a workspace.

    Records and raw payloads that are older than so many days are removed (gateway.background.retention); null
    is never. Before `retention_from` (milliseconds UTC) the days of `retention_before` hold instead.
    """

    id = TextField(primary_key=True)
    workspace = ForeignKeyField(Workspace, backref="projects", on_delete="CASCADE")
    name = TextField()
    origin = TextField(null=True)
    email_followup = BooleanField(default=True)
    areas = JSONText(null=True)  # what weighs more here, beside what does anywhere (gateway.core.area_rules)
    usual_areas_off = JSONText(null=True)  # the names of what weighs more anywhere and not here
    repository = TextField(null=True)  # where issues are opened: owner/name, or the address of one elsewhere
    retention_days = IntegerField(null=True)
    payload_retention_days = IntegerField(null=True)
    retention_from = BigIntegerField(null=True)
    retention_before = JSONText(null=True)
    created_at = BigIntegerField()


class ApiKey(Table):
    """A key, kept as the SHA-256 of its text. Times are milliseconds UTC; `scopes` is a list of words."""

    id = TextField(primary_key=True)
    workspace = ForeignKeyField(Workspace, backref="keys", on_delete="CASCADE")
    project = ForeignKeyField(Project, null=True, backref="keys", on_delete="CASCADE")
    digest = TextField(unique=True)
    prefix = TextField()
    name = TextField(default="")
    scopes = JSONText()
    rate_limit = TextField(null=True)
    created_at = BigIntegerField()
    expires_at = BigIntegerField(null=True)
    revoked_at = BigIntegerField(null=True)
    last_used_at = BigIntegerField(null=True)


def find_key(digest: str) -> dict[str, Any] | None:
    """The key with this digest and its workspace's default project, or None."""
    keys = ApiKey.select(ApiKey, Workspace.default_project_id.alias("default_project_id"))
    return first(keys.join(Workspace).where(ApiKey.digest == digest))


def keys_that_end(since: int, until: int) -> list[dict[str, Any]]:
    """The keys that end later than `since` and by `until` (milliseconds UTC), unless they were revoked."""
    soon = (ApiKey.expires_at > since) & (ApiKey.expires_at <= until) & ApiKey.revoked_at.is_null()
    return rows(ApiKey.select().where(soon).order_by(ApiKey.expires_at, ApiKey.id))


def workspace_of(project_id: str) -> str | None:
    """The workspace a project belongs to, or None when there is no such project.

    Plain SQL: the straight line asks this, and building the query would cost more than running it.
    """
    row = database.execute_sql("SELECT workspace_id FROM project WHERE id = ?", (project_id,)).fetchone()
    return None if row is None else str(row[0])


def project_name(project_id: str) -> str | None:
    """What a project is called, or None when there is no such project."""
    found: str | None = Project.select(Project.name).where(Project.id == project_id).scalar()
    return found


def areas_of(workspace_id: str) -> dict[str, str | None]:
    """The rules of each project of a workspace as JSON text; empty when none of them has any of its own."""
    asked = "SELECT id, areas FROM project WHERE workspace_id = ?"
    if not database.execute_sql(f"{asked} AND areas IS NOT NULL LIMIT 1", (workspace_id,)).fetchone():
        return {}
    return dict(database.execute_sql(asked, (workspace_id,)).fetchall())


def is_workspace(workspace_id: str) -> bool:
    """Whether there is such a workspace."""
    found = database.execute_sql("SELECT 1 FROM workspace WHERE id = ?", (workspace_id,)).fetchone()
    return found is not None


def default_project(workspace_id: str) -> str:
    """The project where records of a workspace land whose key names none."""
    found: str = Workspace.select(Workspace.default_project_id).where(Workspace.id == workspace_id).scalar()
    return found


def first_workspace() -> str:
    """The id of the workspace that was made first."""
    found: str = Workspace.select(Workspace.id).order_by(Workspace.id).limit(1).scalar()
    return found


def list_projects(
    workspace_id: str, *, only: str | None = None, name: str = "", offset: int = 0, limit: int | None = None
) -> tuple[list[dict[str, Any]], int]:
    """A workspace's projects, most recently active first, and how many there are in all.

    `only` restricts to one project, `name` to those whose name contains it. `last_modified` is when
    the newest record arrived, or None.
    """
    newest = _newest()
    where = (Project.workspace == workspace_id) & (Project.name.contains(name) if name else True)
    if only is not None:
        where &= Project.id == only
    found = (
        Project.select(Project, newest.alias("last_modified"))
        .where(where)
        .order_by(fn.COALESCE(newest, Project.created_at).desc(), Project.id.desc())
        .offset(offset)
    )
    total = Project.select().where(where).count()
    return rows(found.limit(limit) if limit is not None else found), total


def projects_after(
    workspace_id: str, after: str, limit: int, *, only: str | None = None
) -> list[dict[str, Any]]:
    """A page of a workspace's projects as in `list_projects`, the oldest first, after the id `after`."""
    where = (Project.workspace == workspace_id) & (Project.id > after)
    if only is not None:
        where &= Project.id == only
    found = Project.select(Project, _newest().alias("last_modified")).where(where)
    return rows(found.order_by(Project.id).limit(limit))


def count_projects(workspace_id: str) -> int:
    found: int = Project.select().where(Project.workspace == workspace_id).count()
    return found


def _newest() -> Any:
    """When the newest record of a project arrived."""
    return Feedback.select(fn.MAX(Feedback.received_at)).where(
        (Feedback.workspace_id == Project.workspace) & (Feedback.project_id == Project.id)
    )
