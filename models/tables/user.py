"""Who may use the inbox: users, their sessions, one-time links, and the views they keep."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peewee import BigIntegerField, ForeignKeyField, IntegerField, TextField, fn

from models.database.base import JSONText, Table, first, rows
from models.tables.workspace import Workspace


class User(Table):
    """A person in one workspace. `role` is viewer, triager or admin; times are milliseconds UTC.

    `password` is an Argon2 hash, None for who signs in elsewhere only; `identity` is that elsewhere:
    the issuer and its subject. `language` and `zone` (an IANA name) are what the person chose.
    """

    id = TextField(primary_key=True)
    workspace = ForeignKeyField(Workspace, backref="users", on_delete="CASCADE")
    email = TextField(unique=True)
    name = TextField()
    role = TextField()
    password = TextField(null=True)
    identity = TextField(null=True, unique=True)
    language = TextField(null=True)
    zone = TextField(null=True)
    created_at = BigIntegerField()
    seen_at = BigIntegerField(null=True)
    disabled_at = BigIntegerField(null=True)


class Session(Table):
    """A browser that is signed in, kept as the SHA-256 of its cookie. `note` is what its next page says."""

    digest = TextField(primary_key=True)
    user = ForeignKeyField(User, backref="sessions", on_delete="CASCADE")
    created_at = BigIntegerField()
    seen_at = BigIntegerField()
    expires_at = BigIntegerField()
    note = JSONText(null=True)


class Invite(Table):
    """A link that works once, kept as the SHA-256 of its secret.

    It makes a user of `role` (with `email` when that is set), or gives `user` a new password.
    """

    digest = TextField(primary_key=True)
    workspace = ForeignKeyField(Workspace, backref="invites", on_delete="CASCADE")
    user = ForeignKeyField(User, null=True, backref="links", on_delete="CASCADE")
    email = TextField(null=True)
    role = TextField()
    created_at = BigIntegerField()
    expires_at = BigIntegerField()
    used_at = BigIntegerField(null=True)


class SavedView(Table):
    """A list's query that a user keeps under a name.

    A shared one is everybody's in the workspace `shared_in`, in the order of `position`; `user` is who made
    it, None for a key.
    """

    id = TextField(primary_key=True)
    user = ForeignKeyField(User, null=True, backref="views", on_delete="CASCADE")
    name = TextField()
    query = TextField()
    created_at = BigIntegerField()
    shared_in = TextField(null=True)
    position = IntegerField(null=True)


def find_session(digest: str) -> dict[str, Any] | None:
    """A session with its user's columns as `user_*` and the workspace's default project, or None."""
    columns = [getattr(User, name).alias(f"user_{name}") for name in User._meta.sorted_field_names]
    found = Session.select(
        Session.digest,
        Session.created_at,
        Session.seen_at,
        Session.expires_at,
        Session.note,
        Workspace.name.alias("workspace_name"),
        Workspace.default_project_id,
        *columns,
    )
    return first(found.join(User).join(Workspace).where(Session.digest == digest))


def users_of(workspace_id: str) -> list[dict[str, Any]]:
    """A workspace's users in the order they came, those without access too."""
    return rows(User.select().where(User.workspace == workspace_id).order_by(User.id))


def user_of(workspace_id: str, user_id: str) -> dict[str, Any] | None:
    """One user of this workspace, or None."""
    return first(User.select().where((User.workspace == workspace_id) & (User.id == user_id)))


def user_by_email(email: str) -> dict[str, Any] | None:
    """The user with this address, or None."""
    return first(User.select().where(User.email == email))


def ids_of(emails: Iterable[str]) -> dict[str, str]:
    """The ids of users of whatever workspace, by their addresses."""
    wanted = sorted(set(emails))
    found = User.select(User.id, User.email).where(User.email.in_(wanted))
    return {row["email"]: row["id"] for row in rows(found)} if wanted else {}


def newest_link(user_id: str) -> int:
    """When the newest link that gives a user a new password was made, milliseconds UTC; 0 without one."""
    return int(Invite.select(fn.MAX(Invite.created_at)).where(Invite.user == user_id).scalar() or 0)


def user_by_identity(identity: str) -> dict[str, Any] | None:
    """The user whom a provider knows by this issuer and subject, or None."""
    return first(User.select().where(User.identity == identity))


def admins(workspace_id: str) -> int:
    """How many people may administer a workspace."""
    found = User.select().where(
        (User.workspace == workspace_id) & (User.role == "admin") & User.disabled_at.is_null()
    )
    return int(found.count())


def views_of(user_id: str) -> list[dict[str, Any]]:
    """A user's own saved views in the order they were saved, without those that are shared."""
    mine = (SavedView.user == user_id) & SavedView.shared_in.is_null()
    return rows(SavedView.select().where(mine).order_by(SavedView.id))


def open_invite(email: str, now: int) -> dict[str, Any] | None:
    """The newest link to a new user with this address that still works, or None."""
    found = Invite.select().where((Invite.email == email) & Invite.user.is_null())
    found = found.where(Invite.used_at.is_null() & (Invite.expires_at > now))
    return first(found.order_by(Invite.created_at.desc(), Invite.digest))


def open_invites(workspace_id: str, now: int) -> list[dict[str, Any]]:
    """The links to new users that still work, the newest first; not their secrets, which nobody keeps."""
    found = Invite.select().where((Invite.workspace == workspace_id) & Invite.user.is_null())
    found = found.where(Invite.used_at.is_null() & (Invite.expires_at > now))
    return rows(found.order_by(Invite.created_at.desc()))
