"""People and how they get in: users, passwords, sessions and links that work once."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from contextlib import suppress
from functools import partial
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.access import audit_log
from gateway.core.ids import new_id, now_ms
from gateway.core.pacing import Pace
from models.database.base import first, serialise, writing
from models.tables import assignment
from models.tables.user import Invite, Session, User, admins, find_session, user_by_email, user_of

ROLES = ("viewer", "triager", "admin")
# What a role may do, as the scopes that a key would need for it.
SCOPES = {"viewer": ("read",), "triager": ("read", "triage"), "admin": ("read", "triage", "admin")}

SESSION_MS = 30 * 24 * 3_600_000  # a session ends after so long, however much it is used
IDLE_MS = 24 * 3_600_000  # and after so long without a page
ENDED = 100  # ended sessions that are forgotten when somebody signs in
SEEN_EVERY_MS = 60_000
LINK_MS = 7 * 24 * 3_600_000
FIRST_LINK_MS = 24 * 3_600_000
SHORTEST_PASSWORD = 12  # characters (NIST SP 800-63B asks for 8 at least, 15 where it is the only factor)
LONGEST_PASSWORD = 1000

_EMAIL = re.compile(r"[^@\s\x00-\x1f<>\"]{1,64}@[^@\s\x00-\x1f<>\"]{1,190}")
# OWASP's choice for servers: 19 MiB for each, and two at a time, so that sign-ins cannot fill the memory.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_at_a_time = threading.BoundedSemaphore(2)
# What a password is compared with when nobody has that address: it takes as long, and never fits.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$NyXCfknWKSCFgonjFgyBCQ$xG8MQFJcfx2osSPYeOKULJNOMvf0Wl2QNeUHL9uJDrE"


class PeopleError(ValueError):
    """Something about people that cannot be done as asked; the message says why, `field` where."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def create_user(workspace_id: str, email: str, name: str, role: str, password: str | None = None) -> str:
    """Stores a user and returns the id. Raises PeopleError (address, role, password)."""
    email = checked_email(email)
    if role not in ROLES:
        raise PeopleError(f"role must be one of {', '.join(ROLES)}", "role")
    hashed = None if password is None else hash_password(password)
    with writing():
        return insert_user(workspace_id, email, name, role, password=hashed)


def insert_user(workspace_id: str, email: str, name: str, role: str, **how: str | None) -> str:
    """Stores a user within the open transaction, who gets in by `password` (hashed) or `identity`.

    Returns the id. Raises PeopleError when the address is taken.
    """
    serialise([("user", email)])
    if user_by_email(email) is not None:
        raise PeopleError("there is a user with this address already", "email")
    user_id = new_id("usr")
    User.create(
        id=user_id,
        workspace=workspace_id,
        email=email,
        name=cleaned(name) or email.partition("@")[0],
        role=role,
        created_at=now_ms(),
        **how,
    )
    return user_id


def checked_email(text: str) -> str:
    """An address as it is stored. Raises PeopleError."""
    email = text.strip().lower()
    if _EMAIL.fullmatch(email) is None or not email.isprintable():
        raise PeopleError("this is not an email address", "email")
    return email


def cleaned(name: str) -> str:
    """A name without what no column holds and no screen shows."""
    return "".join(mark for mark in name if mark.isprintable()).strip()[:100]


def hash_password(password: str) -> str:
    """An Argon2 hash. Raises PeopleError for a password too short or too long."""
    if len(password) < SHORTEST_PASSWORD:
        raise PeopleError(f"a password has at least {SHORTEST_PASSWORD} characters", "password")
    if len(password) > LONGEST_PASSWORD:
        raise PeopleError(f"a password has at most {LONGEST_PASSWORD} characters", "password")
    with _at_a_time:
        return _hasher.hash(_bytes(password))


def with_password(email: str, password: str) -> dict[str, Any] | None:
    """The user who has this address and password, or None; both take the same time."""
    user = user_by_email(email.strip().lower())
    usable = user is not None and user["password"] is not None and user["disabled_at"] is None
    hashed = user["password"] if user is not None and usable else _NOBODY
    fits = False
    with _at_a_time, suppress(VerificationError, InvalidHashError):
        fits = _hasher.verify(hashed, _bytes(password[: LONGEST_PASSWORD + 1]))
    return user if usable and fits else None


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def open_session(user_id: str) -> str:
    """Signs a user in and returns the text of the cookie, which exists nowhere else from then on."""
    token, now = secrets.token_urlsafe(32), now_ms()
    ended = (Session.expires_at < now) | (Session.seen_at < now - IDLE_MS)
    some = Session.select(Session.digest).where(ended).limit(ENDED)
    with writing():
        Session.delete().where(Session.digest.in_(some)).execute()
        Session.create(
            digest=digest(token), user=user_id, created_at=now, seen_at=now, expires_at=now + SESSION_MS
        )
    return token


def email_of(user_id: str) -> str:
    """The address of a user who is there."""
    return str(User.get_by_id(user_id).email)


def session_of(token: str, *, seen: bool = True) -> dict[str, Any] | None:
    """The session of a cookie with its user (models.tables.user.find_session), or None when it has ended.

    With `seen` it counts as used; what a page asks for by itself does not.
    """
    now, row = now_ms(), find_session(digest(token))
    if row is None or row["user_disabled_at"] is not None:
        return None
    if row["expires_at"] <= now or row["seen_at"] <= now - IDLE_MS:
        return None
    if seen and row["seen_at"] < now - SEEN_EVERY_MS:
        with writing():
            Session.update(seen_at=now).where(Session.digest == row["digest"]).execute()
            User.update(seen_at=now).where(User.id == row["user_id"]).execute()
    return row


def close_session(token: str) -> None:
    """Signs a browser out."""
    with writing():
        Session.delete().where(Session.digest == digest(token)).execute()


def sign_out_everywhere(user_id: str) -> None:
    """Ends every session of a user, and every link to a new password, within the open transaction."""
    Session.delete().where(Session.user == user_id).execute()
    Invite.delete().where((Invite.user == user_id) & Invite.used_at.is_null()).execute()


def create_link(
    workspace_id: str, role: str, *, email: str | None = None, user_id: str | None = None, ms: int = LINK_MS
) -> str:
    """Stores a link that makes a user of this role, or gives `user_id` a new password; returns its secret.

    An earlier one for the same address or user ends. Raises PeopleError.
    """
    if role not in ROLES:
        raise PeopleError(f"role must be one of {', '.join(ROLES)}", "role")
    if email is not None:
        email = checked_email(email)
        if user_id is None and user_by_email(email) is not None:
            raise PeopleError("there is a user with this address already", "email")
    token, now = secrets.token_urlsafe(32), now_ms()
    same = (Invite.workspace == workspace_id) & Invite.used_at.is_null()
    same &= (Invite.user == user_id) if user_id else Invite.user.is_null()
    same &= (Invite.email == email) if email else Invite.email.is_null()
    with writing():
        Invite.delete().where(same).execute()
        Invite.create(
            digest=digest(token),
            workspace=workspace_id,
            user=user_id,
            email=email,
            role=role,
            created_at=now,
            expires_at=now + ms,
        )
    return token


def link_of(token: str) -> dict[str, Any] | None:
    """A link that still works, or None."""
    found = Invite.select().where(Invite.digest == digest(token), Invite.used_at.is_null())
    return first(found.where(Invite.expires_at > now_ms()))


def use_link(token: str, *, email: str, name: str, password: str) -> dict[str, Any]:
    """Takes a link: the user it made or changed. All sessions of a changed one end. Raises PeopleError."""
    hashed = hash_password(password)
    row = link_of(token)
    email = checked_email(row["email"] or email) if row and row["user"] is None else ""
    now = now_ms()
    with writing():
        mine = (Invite.digest == digest(token)) & Invite.used_at.is_null() & (Invite.expires_at > now)
        if row is None or not Invite.update(used_at=now).where(mine).execute():
            raise PeopleError("this link has been used or has ended")
        user_id = row["user"]
        if user_id is None:
            user_id = insert_user(row["workspace"], email, name, row["role"], password=hashed)
        else:
            User.update(password=hashed).where(User.id == user_id).execute()
            sign_out_everywhere(user_id)
        done = "user.created" if row["user"] is None else "user.password_reset"
        audit_log.note(row["workspace"], user_id, done, user_id, role=row["role"])
    user = user_of(row["workspace"], user_id)
    assert user is not None, "the link's user is its workspace's"
    return user


def first_link(workspace_id: str) -> str | None:
    """The secret of a link that makes the first admin, or None when there is one."""
    if admins(workspace_id):
        return None
    return create_link(workspace_id, "admin", ms=FIRST_LINK_MS)


def change_user(
    workspace_id: str,
    user_id: str,
    *,
    role: str | None = None,
    disabled: bool | None = None,
    by: str = audit_log.COMMAND_LINE,
) -> None:
    """Gives a user another role, or takes or gives back access. Raises PeopleError; the last admin stays.

    Records that are assigned to who may not change them any more are nobody's then; `by` is who acts.
    """
    if role is not None and role not in ROLES:
        raise PeopleError(f"role must be one of {', '.join(ROLES)}", "role")
    with writing():
        serialise([("admins", workspace_id)])
        user = user_of(workspace_id, user_id)
        if user is None:
            raise PeopleError("no such user here")
        loses = disabled or (role is not None and role != "admin")
        if user["role"] == "admin" and user["disabled_at"] is None and loses and admins(workspace_id) == 1:
            raise PeopleError("the last admin stays one")
        changes: dict[str, Any] = {} if role is None else {"role": role}
        if disabled is not None:
            changes["disabled_at"] = now_ms() if disabled else None
        User.update(changes).where(User.id == user_id).execute()
        if disabled:
            sign_out_everywhere(user_id)
    if disabled or (role is not None and "triage" not in SCOPES[role]):
        Pace().until_none(partial(assignment.release, workspace_id, user_id, by, now_ms()))


def digest(token: str) -> str:
    """How a cookie or link is stored: SHA-256 in hex, which suffices for 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
