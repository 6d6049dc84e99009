"""`feedback-gateway user`."""

from __future__ import annotations

from typing import Any

import click

from gateway.access import audit_log, users
from gateway.cli.command import command, workspace_of
from gateway.cli.errors import Failure, NotHere
from gateway.core import mail
from gateway.core.config import Config
from gateway.core.ids import now_ms
from models.database.base import rows, writing
from models.tables.feedback import iso
from models.tables.user import User, open_invites, user_by_email
from models.tables.workspace import Workspace


@click.group()
def user() -> None:
    """People who use the inbox."""


def link_url(token: str) -> str:
    """Where a one-time link leads."""
    return f"{Config.from_env().url}/welcome?link={token}"


def where_it_works() -> str:
    """A line for links of a gateway that has not been told its address, else nothing."""
    if Config.from_env().public_url:
        return ""
    return "\nOn another computer it needs GATEWAY_PUBLIC_URL: it names the address of GATEWAY_BIND."


@command(user, "create")
@click.argument("email")
@click.option("--role", type=click.Choice(users.ROLES), default="viewer", show_default=True)
@click.option("--workspace", default=None, help="Workspace id [default: the first].")
def user_create(email: str, role: str, workspace: str | None) -> tuple[Any, str]:
    """Invite a person: prints a link that works once and asks for a password, and mails it if it can."""
    try:
        token = users.create_link(workspace_of(workspace), role, email=email)
    except users.PeopleError as error:
        raise Failure(str(error)) from None
    made = {"email": users.checked_email(email), "role": role, "link": link_url(token)}
    return _mailed(made, made["email"], "for 7 days", invites=True)


@command(user, "list")
def user_list() -> tuple[Any, str]:
    """List the people, and who was invited and has not come yet."""
    shown = [
        {
            "user_id": row["id"],
            "workspace_id": row["workspace"],
            "disabled": row["disabled_at"] is not None,
            **{name: row[name] for name in ("email", "name", "role", "created_at", "seen_at")},
        }
        for row in rows(User.select().order_by(User.id))
    ]
    lines = [f"{row['user_id']}  {row['role']:8} {row['email']}" for row in shown]
    now = now_ms()
    invited = [
        {"workspace_id": workspace.id, **{name: row[name] for name in ("email", "role", "expires_at")}}
        for workspace in Workspace.select().order_by(Workspace.id)
        for row in open_invites(workspace.id, now)
    ]
    lines += [
        f"invited until {iso(row['expires_at'])}  {row['role']:8} {row['email'] or 'whoever has the link'}"
        for row in invited
    ]
    return {"users": shown, "invited": invited}, "\n".join(lines)


@command(user, "reset-link")
@click.argument("email")
def user_reset(email: str) -> tuple[Any, str]:
    """Print a link that gives a person a new password and ends their sessions, and mail it if that works."""
    row = _found(email)
    token = users.create_link(row["workspace"], row["role"], user_id=row["id"], ms=users.FIRST_LINK_MS)
    _note(row, "user.link_made")
    made = {"user_id": row["id"], "link": link_url(token)}
    return _mailed(made, row["email"], "for 24 hours", invites=False)


@command(user, "role")
@click.argument("email")
@click.argument("role", type=click.Choice([*users.ROLES, "none"]))
def user_role(email: str, role: str) -> tuple[Any, str]:
    """Give a person another role; `none` takes their access away."""
    row = _found(email)
    try:
        if role == "none":
            users.change_user(row["workspace"], row["id"], disabled=True)
        else:
            users.change_user(row["workspace"], row["id"], role=role, disabled=False)
    except users.PeopleError as error:
        raise Failure(str(error)) from None
    _note(row, "user.role_changed", role=role)
    return {"user_id": row["id"], "role": role}, f"{row['email']} is now {role}"


def _mailed(made: dict[str, Any], email: str, how_long: str, *, invites: bool) -> tuple[Any, str]:
    """A link that was made, mailed to whom it is for where mail is sent."""
    line = f"{made['link']}\nWorks once, {how_long}.{where_it_works()}"
    if mail.is_configured():
        from gateway.inbox.link_mail import send_link  # its words are the pages', which need Flask

        why = send_link(email, made["link"], invites=invites)
        made["mailed"] = not why
        line += f"\nCould not be mailed to {email}: {why}" if why else f"\nMailed to {email}."
    else:
        line += f"\nNot mailed, as GATEWAY_SMTP_URL is not set: hand it to {email or 'whom it is for'}."
    return made, line


def _note(row: dict[str, Any], action: str, **detail: Any) -> None:
    with writing():
        audit_log.note(row["workspace"], audit_log.COMMAND_LINE, action, row["id"], **detail)


def _found(email: str) -> dict[str, Any]:
    row = user_by_email(email.strip().lower())
    if row is None:
        raise NotHere(f"no user {email} here")
    return row
