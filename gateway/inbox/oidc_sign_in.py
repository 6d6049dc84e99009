"""Signing in elsewhere: to the provider that the settings name, and back with what it vouches for."""

from __future__ import annotations

import hashlib

from flask import g, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from adapters.contract import Problem, Refused
from gateway.access import audit_log, oidc_accounts, users
from gateway.core import log
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.http.request import request_id
from gateway.inbox import oidc
from gateway.inbox.i18n import _
from gateway.inbox.pages import START, local, page
from gateway.inbox.session import as_inbound, cookie_name, keep_cookie, seen_url, settings
from gateway.inbox.sign_in import sign_in_page, signed_in
from gateway.rate_limits import auth_failures
from models.database.base import writing
from models.tables import dedupe

ELSEWHERE = "feedback-elsewhere"  # the sealed ticket of a sign-in that is under way


@page("/sign-in/elsewhere", None)
def leave() -> ResponseReturnValue:
    """Sends the browser to the provider; what it must bring back goes with it, sealed."""
    config, asked = _config(), as_inbound()
    then, link = local(request.args.get("then") or START), request.args.get("link", "")[:200]
    if g.session:
        return redirect(then, 303)
    auth_failures.check(asked)
    try:
        url, sealed = oidc.begin(config, _address(), then=then, link=link)
    except oidc.Away as error:
        return _away(then, error)
    answer = redirect(url, 303)
    keep_cookie(answer, ELSEWHERE, sealed, oidc.TICKET_MS // 1000)
    return answer


@page("/sign-in/back", None)
def back() -> ResponseReturnValue:
    """Takes whom the provider vouches for; a ticket is good for one try, whatever comes of it."""
    answer = _came_address()
    keep_cookie(answer, ELSEWHERE, "")
    return answer


def _came_address() -> Response:
    config, asked = _config(), as_inbound()
    then, name = START, config.oidc_name
    auth_failures.check(asked)
    try:
        ticket = oidc.opened(request.cookies.get(cookie_name(ELSEWHERE), ""))
        then = local(ticket.then)
        who = oidc.finish(config, _address(), ticket, request.args)
        _use_up(ticket)
        user = oidc_accounts.admit(config, who, ticket.link)
    except oidc.Away as error:
        return _away(then, error)
    except oidc.Denied as error:
        log.notice("sign-in elsewhere denied", asked.request_id, why=str(error))
        said = _("%(name)s did not let you in.", name=name)
    except oidc.NotProven as error:
        log.notice("sign-in elsewhere not proven", asked.request_id, why=str(error))
        auth_failures.note(asked)
        said = _("This sign-in could not be verified. Start it again from here.")
    except users.PeopleError as error:
        log.notice("sign-in elsewhere not let in", asked.request_id, why=str(error))
        auth_failures.note(asked)
        said = _("%(name)s knows you, but %(why)s. Ask an admin.", name=name, why=_(str(error)))
        return sign_in_page(then, fault=said, status=403)
    else:
        through = {"address": asked.client, "issuer": who.issuer}
        with writing():
            audit_log.note(user["workspace"], user["id"], "user.signed_in", user["id"], **through)
        return signed_in(user["id"], then)
    return sign_in_page(then, fault=said, status=401)


def _use_up(ticket: oidc.Ticket) -> None:
    """Takes a ticket that led to somebody. Raises NotProven when it has done so before, on whichever host.

    A provider that takes a code twice must not let in whoever has seen a browser's request.
    """
    key = hashlib.sha256(ticket.state.encode()).hexdigest()
    with writing():
        free = dedupe.take("", "sign-in", key, now=now_ms(), expires_at=ticket.ends_at + oidc.TICKET_MS)
    if not free:
        raise oidc.NotProven("the ticket was used before")


def _config() -> Config:
    """The settings, when they name a provider."""
    config = settings().config
    if not config.oidc_issuer:
        raise Refused(Problem(404, "not_found", "No provider to sign in with."))
    return config


def _address() -> str:
    """Where the provider sends the browser back to; it knows this address."""
    return f"{seen_url()}/sign-in/back"


def _away(then: str, error: oidc.Away) -> Response:
    log.notice("sign-in elsewhere failed", request_id(request.environ), why=str(error))
    said = _(
        "%(name)s does not answer as it should. Try again in a minute.", name=settings().config.oidc_name
    )
    return sign_in_page(then, fault=said, status=503)
