"""People: who is here, what they may do, and links that let more in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g, request
from flask.typing import ResponseReturnValue

from adapters.contract import Problem, Refused
from gateway.access import oidc_accounts
from gateway.access import users as doors
from gateway.core.ids import now_ms
from gateway.inbox.api_calls import note
from gateway.inbox.i18n import _
from gateway.inbox.link_mail import send_link
from gateway.inbox.pages import go, hand_over, handed_over, page
from gateway.inbox.session import base_url, passwords
from gateway.inbox.settings import setting
from models.tables.user import open_invites, user_of, users_of


@page("/settings/people", "admin")
def people() -> ResponseReturnValue:
    return _people_page(**handed_over())


def _people_page(
    link: str = "", fault: str = "", mailed: Sequence[str | None] | None = None
) -> ResponseReturnValue:
    """`mailed` is whom a link was mailed to, and why that failed if it did."""
    workspace_id = g.session["user_workspace"]
    return setting(
        "people",
        "people.html",
        400 if fault else 200,
        users=users_of(workspace_id),
        invites=open_invites(workspace_id, now_ms()),
        roles=doors.ROLES,
        link=link,
        fault=fault,
        mailed=mailed,
    )


@page("/settings/people", "admin", method="POST")
def invite() -> ResponseReturnValue:
    """A link that makes one user, on the page that follows, and in a mail where mail is sent."""
    role, email = request.form.get("role", ""), request.form.get("email", "")
    try:
        link = doors.create_link(g.session["user_workspace"], role, email=email)
    except doors.PeopleError as error:
        return _people_page(fault=_(str(error)))
    email = doors.checked_email(email)
    note("user.invited", email, role=role)
    return _handed_on(link, email, invites=True)


@page("/settings/people/<user_id>", "admin", method="POST")
def change_user(user_id: str) -> ResponseReturnValue:
    """Another role, no access, access again, a link to a new password, or nobody's at the provider."""
    user, act = _mine(user_id), request.form.get("act", "")
    if act == "untie":
        oidc_accounts.untie(user["workspace"], user_id, g.session["user_id"])
        return go("/settings/people", _("Untied."))
    if act == "link" and passwords():
        link = doors.create_link(user["workspace"], user["role"], user_id=user_id, ms=doors.FIRST_LINK_MS)
        note("user.link_made", user_id)
        return _handed_on(link, user["email"], invites=False)
    role = request.form.get("role", "") if act == "role" else None
    disabled = {"off": True, "on": False}.get(act)
    try:
        doors.change_user(user["workspace"], user_id, role=role, disabled=disabled, by=g.session["user_id"])
    except doors.PeopleError as error:
        return _people_page(fault=_(str(error)))
    note("user.role_changed", user_id, role=role or ("none" if disabled else user["role"]))
    return go("/settings/people", _("Saved."))


def _handed_on(token: str, email: str, *, invites: bool) -> ResponseReturnValue:
    """Leads to the page with a link, which has been mailed if it could be."""
    link = f"{base_url()}/welcome?link={token}"
    return hand_over(
        "/settings/people", {"link": link, "mailed": [email, send_link(email, link, invites=invites)]}
    )


def _mine(user_id: str) -> dict[str, Any]:
    user = user_of(g.session["user_workspace"], user_id)
    if user is None:
        raise Refused(Problem(404, "not_found", "No such user."))
    return user
