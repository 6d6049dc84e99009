"""The reader's own choices: language, time zone, name and password."""

from __future__ import annotations

from flask import g, redirect, request
from flask.typing import ResponseReturnValue

from gateway.access import users
from gateway.core.languages import LANGUAGES
from gateway.inbox.api_calls import note
from gateway.inbox.i18n import _, zone_of, zones
from gateway.inbox.pages import go, page, show
from gateway.inbox.session import SIGNED_IN, NotAllowed, keep_cookie, passwords
from gateway.inbox.sign_in import TooManyTriesError, proven
from models.database.base import writing
from models.tables.user import User


@page("/account", "viewer")
def account() -> ResponseReturnValue:
    return _account_page()


def _account_page(fault: str = "", status: int = 200) -> ResponseReturnValue:
    return show("account.html", status, zones=zones(), languages=LANGUAGES, fault=fault)


@page("/account", "viewer", method="POST")
def change_account() -> ResponseReturnValue:
    language, zone = request.form.get("language", ""), request.form.get("zone", "")
    changes = {
        "name": users.cleaned(request.form.get("name", "")) or g.session["user_name"],
        "language": language if language in LANGUAGES else None,
        "zone": zone if 0 < len(zone) < 64 and zone_of(zone) else None,
    }
    with writing():
        User.update(changes).where(User.id == g.session["user_id"]).execute()
    return go("/account", _("Saved."))


@page("/account/password", "viewer", method="POST")
def change_password() -> ResponseReturnValue:
    """A new password; every session but a fresh one here ends, and so does every link to a new one."""
    old, new = request.form.get("old", ""), request.form.get("new", "")
    if not passwords():
        raise NotAllowed
    try:
        known = proven(g.session["user_email"], old)
    except TooManyTriesError as error:
        return _account_page(str(error), 429)
    if known is None:
        return _account_page(_("The present password is another one."), 400)
    try:
        hashed = users.hash_password(new)
    except users.PeopleError as error:
        return _account_page(_(str(error)), 400)
    user_id = g.session["user_id"]
    with writing():
        User.update(password=hashed).where(User.id == user_id).execute()
        users.sign_out_everywhere(user_id)
    note("user.password_changed", user_id)
    answer = redirect("/account", 303)
    keep_cookie(answer, SIGNED_IN, users.open_session(user_id), users.SESSION_MS // 1000)
    return answer
