"""A forgotten password: a link to a new one, mailed to whoever has the address, where mail is sent."""

from __future__ import annotations

import threading

from flask import current_app, g, request
from flask.ctx import AppContext
from flask.typing import ResponseReturnValue

from adapters.contract import Problem, Refused
from gateway.access import audit_log, users
from gateway.core import log, mail
from gateway.core.ids import now_ms
from gateway.core.rate import Rate
from gateway.inbox.i18n import _
from gateway.inbox.link_mail import send_link
from gateway.inbox.pages import page, show
from gateway.inbox.session import as_inbound, base_url, passwords
from gateway.rate_limits import auth_failures
from models.database.base import close, writing
from models.tables.user import newest_link, user_by_email

TRIES = Rate.parse("5/hour")  # for one address of mail from one address of the network
PAUSE = 600_000  # milliseconds between two links to one person, whoever asks

AT_ONCE = 4  # mails under way: more are not sent, whoever they are for

_under_way = threading.BoundedSemaphore(AT_ONCE)


@page("/sign-in/forgotten", None)
def forgotten() -> ResponseReturnValue:
    _check()
    return show("forgotten.html", done=False, fault="")


@page("/sign-in/forgotten", None, method="POST")
def ask_for_link() -> ResponseReturnValue:
    """Answers the same, and as soon, whether anybody has the address: all else is done afterwards."""
    _check()
    email, asked = request.form.get("email", "").strip().lower()[:300], as_inbound()
    about = f"forgotten {users.digest(email)[:32]}"
    try:
        auth_failures.note(asked)
        auth_failures.note(asked, about, TRIES)
    except Refused as refused:
        wait = refused.problem.headers["Retry-After"]
        said = _("Too many tries. Wait %(seconds)s seconds and try again.", seconds=wait)
        return show("forgotten.html", 429, done=False, fault=said)
    given = (current_app.app_context(), email, base_url(), g.language, asked.client)
    if _under_way.acquire(blocking=False):
        threading.Thread(target=_send, args=given, name="forgotten", daemon=True).start()
    return show("forgotten.html", done=True, fault="")


def _check() -> None:
    if not (passwords() and mail.is_configured()):
        raise Refused(Problem(404, "not_found", "No such page."))


def _send(context: AppContext, email: str, url: str, language: str, client: str) -> None:
    """Mails a link to the user who has an address, if there is one who may sign in."""
    try:
        token = _link(email, client)
        with context:
            g.language = language
            if token and (why := send_link(email, f"{url}/welcome?link={token}", invites=False)):
                log.logger.warning("a link to a new password was not mailed", extra={"facts": {"why": why}})
    finally:
        close()
        _under_way.release()


def _link(email: str, client: str) -> str:
    """A link to a new password for a user, or "" for nobody, and where one was made just now."""
    user, now = user_by_email(email), now_ms()
    if user is None or user["disabled_at"] is not None or newest_link(user["id"]) > now - PAUSE:
        return ""
    token = users.create_link(user["workspace"], user["role"], user_id=user["id"], ms=users.FIRST_LINK_MS)
    with writing():
        audit_log.note(user["workspace"], user["id"], "user.link_made", user["id"], address=client)
    return token
