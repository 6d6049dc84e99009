"""Whose account is it, of whom a provider vouches? Who takes over an address must not take over an account.

The provider's own name for a person (issuer and subject) decides, from the first time on. The address is
believed once, and only when the provider has verified it: for an account that has none yet, which loses
its password, sessions and links then, since nobody had proven that address before; for an invitation; and,
where the settings say so, for somebody new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.access import audit_log, users
from gateway.access.users import PeopleError
from gateway.core.config import Config
from gateway.core.ids import now_ms
from models.database.base import serialise, writing
from models.tables.user import Invite, User, open_invite, user_by_email, user_by_identity, user_of
from models.tables.workspace import first_workspace


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a provider vouches for. `subject` is its own name for the person, the same for ever."""

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str


def admit(config: Config, who: Vouched, link: str = "") -> dict[str, Any]:
    """The user that somebody is, made or tied to the provider the first time. Raises PeopleError.

    `link` is the secret of an invitation that the browser came with.
    """
    email = users.checked_email(who.email)
    if not who.email_verified:
        raise PeopleError("your address has not been verified there")
    if config.oidc_domains and email.rpartition("@")[2] not in config.oidc_domain_names:
        raise PeopleError("addresses of this domain do not get in here")
    identity = f"{who.issuer} {who.subject}"
    with writing():
        serialise([("user", email), ("user", identity)])
        user = user_by_identity(identity) or _tied(email, identity, who.issuer)
        user = user or _made(config, email, identity, who.name, link)
        if user is None:
            raise PeopleError("nobody has invited this address")
        if user["disabled_at"] is not None:
            raise PeopleError("your access has been taken away")
    return user


def untie(workspace_id: str, user_id: str, by: str) -> None:
    """Forgets who a user is at the provider, whose sessions end: the next one with that address is it."""
    with writing():
        mine = (User.workspace == workspace_id) & (User.id == user_id)
        if User.update(identity=None).where(mine).execute():
            users.sign_out_everywhere(user_id)
        audit_log.note(workspace_id, by, "user.untied", user_id)


def _tied(email: str, identity: str, issuer: str) -> dict[str, Any] | None:
    """The account with this address, from now on this person's and nobody else's."""
    user = user_by_email(email)
    if user is None or user["disabled_at"] is not None:
        return user
    if (user["identity"] or "").startswith(f"{issuer} "):
        raise PeopleError("this address belongs to somebody else's sign-in there")
    User.update(identity=identity, password=None).where(User.id == user["id"]).execute()
    users.sign_out_everywhere(user["id"])
    audit_log.note(user["workspace"], user["id"], "user.tied", user["id"], issuer=issuer)
    return user


def _made(config: Config, email: str, identity: str, name: str, link: str) -> dict[str, Any] | None:
    """A new user: of the link, of an invitation to this address, or of the role that anybody gets."""
    found = _invitation(email, link)
    if found is not None:
        workspace_id, role = found["workspace"], found["role"]
        taken = (Invite.digest == found["digest"]) & Invite.used_at.is_null()
        if not Invite.update(used_at=now_ms()).where(taken).execute():
            raise PeopleError("this link has been used or has ended")
    elif config.oidc_role:
        workspace_id, role = first_workspace(), config.oidc_role
    else:
        return None
    user_id = users.insert_user(workspace_id, email, name, role, identity=identity)
    audit_log.note(workspace_id, user_id, "user.created", user_id, role=role)
    return user_of(workspace_id, user_id)


def _invitation(email: str, link: str) -> dict[str, Any] | None:
    """An invitation that is still open: the link's, unless it is another's, else one to this address."""
    found = users.link_of(link) if link else None
    if found is not None and found["user"] is None and found["email"] in (None, email):
        return found
    return open_invite(email, now_ms())
