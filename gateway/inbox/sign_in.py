"""Getting in and out: the first link, invitations, new passwords, signing in."""

from __future__ import annotations

import json
from typing import Any

from flask import g, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from adapters.contract import Refused
from gateway.access import audit_log, users
from gateway.core import mail
from gateway.core.rate import Rate
from gateway.inbox.i18n import _
from gateway.inbox.pages import START, local, page, show
from gateway.inbox.session import LAST, SIGNED_IN, NotAllowed, as_inbound, cookie_name, keep_cookie, passwords
from gateway.rate_limits import auth_failures
from models.database.base import writing

TRIES = Rate.parse("10/hour")  # wrong passwords for one user from one address


@page("/", None)
def start() -> ResponseReturnValue:
    return redirect(START, 303)


@page("/sign-in", None)
def sign_in() -> ResponseReturnValue:
    then = local(request.args.get("then") or START)
    return redirect(then, 303) if g.session else sign_in_page(then)


@page("/sign-in", None, method="POST")
def signing_in() -> ResponseReturnValue:
    """Every failure looks the same, whether it is the address or the password that is wrong.

    A form that was sent when the session had ended is sent now, by the page that answers.
    """
    then, email = local(request.form.get("then") or START), request.form.get("email", "")[:300]
    if not passwords():
        return sign_in_page(then, email, _("Nobody gets in with a password here."), 403)
    try:
        user = proven(email, request.form.get("password", ""))
    except TooManyTriesError as error:
        return sign_in_page(then, email, str(error), 429)
    if user is None:
        return sign_in_page(then, email, _("That address and password do not belong together."), 401)
    with writing():
        audit_log.note(
            user["workspace"], user["id"], "user.signed_in", user["id"], address=as_inbound().client
        )
    return signed_in(user["id"], then, request.form.get("held", ""))


class TooManyTriesError(Exception):
    """Too many wrong passwords for one user or from one address; the message says when to try again."""


def proven(email: str, password: str) -> dict[str, Any] | None:
    """The user who has this address and password, or None, which counts: every form asks here.

    Raises TooManyTriesError, whatever the password is.
    """
    asked, about = as_inbound(), f"sign-in {users.digest(email.strip().lower())[:32]}"
    try:
        auth_failures.check(asked)
        auth_failures.check(asked, about, TRIES)
        user = users.with_password(email, password)
        if user is None:
            auth_failures.note(asked, about, TRIES)
            auth_failures.note(asked)
    except Refused as refused:
        wait = refused.problem.headers["Retry-After"]
        said = _("Too many tries. Wait %(seconds)s seconds and try again.", seconds=wait)
        raise TooManyTriesError(said) from None
    return user


def sign_in_page(then: str, email: str = "", fault: str = "", status: int = 200) -> Response:
    """The ways in, and why the last one did not lead anywhere."""
    held, mailed = request.form.get("held", ""), mail.is_configured()
    values = {"then": then, "email": email, "fault": fault, "held": held, "mailed": mailed}
    return show("sign-in.html", status, **values)


def signed_in(user_id: str, then: str, held: str = "") -> Response:
    """A new session, whatever cookie the browser had before; it goes on with a form that was `held`.

    One that another person may have written is sent only once this one has looked at it.
    """
    _end_session()
    form = _form(held)
    if form is None:
        answer = redirect(then, 303)
    else:
        own = form.pop("whose") == user_id
        answer = show("held-form.html", then=then, own=own, who=users.email_of(user_id), **form)
    keep_cookie(answer, LAST, user_id, users.SESSION_MS // 1000)
    keep_cookie(answer, SIGNED_IN, users.open_session(user_id), users.SESSION_MS // 1000)
    return answer


def _form(held: str) -> dict[str, Any] | None:
    """The path, the fields and the writer of a form that a page of ours held; None without one."""
    try:
        path, fields, *writer = json.loads(held or "null") or ("", ())
        pairs = [(str(name), str(value)) for name, value in fields]
        is_ours = local(str(path)) == path
    except (TypeError, ValueError, RecursionError):
        return None
    whose = writer[0] if writer else ""
    return {"path": path, "fields": pairs, "whose": whose} if pairs and is_ours else None


def _end_session() -> None:
    if token := request.cookies.get(cookie_name(SIGNED_IN)):
        users.close_session(token)


@page("/sign-out", None, method="POST")
def sign_out() -> ResponseReturnValue:
    _end_session()
    answer = redirect("/sign-in", 303)
    keep_cookie(answer, SIGNED_IN, "")
    keep_cookie(answer, LAST, "")
    return answer


@page("/welcome", None)
def welcome() -> ResponseReturnValue:
    return _welcome_page(request.args.get("link", ""))


@page("/welcome", None, method="POST")
def welcomed() -> ResponseReturnValue:
    """Takes a link, and signs in whom it made."""
    token, asked = request.form.get("link", ""), as_inbound()
    auth_failures.check(asked)
    if not passwords():
        raise NotAllowed
    try:
        user = users.use_link(
            token,
            email=request.form.get("email", ""),
            name=request.form.get("name", ""),
            password=request.form.get("password", ""),
        )
    except users.PeopleError as error:
        if users.link_of(token) is None:
            auth_failures.note(asked)
        return _welcome_page(token, error)
    return signed_in(user["id"], START)


def _welcome_page(token: str, error: users.PeopleError | None = None) -> ResponseReturnValue:
    link = users.link_of(token)
    fault = _(str(error)) if error else ""
    status = 410 if link is None else 400 if error else 200
    values = {name: request.form.get(name, "") for name in ("name", "email")}
    return show(
        "welcome.html", status, link=link, token=token, fault=fault, at=error and error.field, **values
    )
