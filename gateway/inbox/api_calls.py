"""Asking the API on the reader's behalf, within the process: pages show what the API shows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from flask import g

from adapters.contract import Fault, Reply, invalid
from gateway.access import audit_log, users
from gateway.access.api_keys import ANY
from gateway.access.caller import Caller
from gateway.api.endpoint import Endpoint
from gateway.api.endpoints import ENDPOINTS
from gateway.inbox import chosen_time
from gateway.inbox.session import NotAllowed, as_inbound, recognise
from models.database.base import dumps, writing

# What goes by one of two times, and for people by when things occurred.
BY_TIME = {f"GET /gateway/v1/{name}" for name in ("feedback", "stats", "export")}


def caller() -> Caller:
    """The reader, as the API knows those who ask it."""
    return Caller.of_session(g.session, users.SCOPES[g.session["user_role"]])


def reader() -> Caller | None:
    """The person whose browser asks outside of the pages, or None; it keeps no session alive."""
    recognise(seen=False)
    return None if g.session is None else caller()


def ask(route: str, query: str = "", *, body: Any = None, match: str = "", **params: str) -> Any:
    """What the API answers the reader at a route such as "GET /gateway/v1/feedback/<feedback_id>".

    `query` is a query string; `match` is the ETag that what is changed must still have. A role may do there
    what a key with its scopes may. Raises Refused, and NotAllowed.
    """
    return reply_of(route, query, body=body, match=match, **params).body


def reply_of(route: str, query: str = "", *, body: Any = None, match: str = "", **params: str) -> Reply:
    """The same with what a file is called and of which type it is."""
    query = chosen_time.usual(query) if route in BY_TIME else query
    asked = dict(parse_qsl(query, keep_blank_values=True))
    if bad := [name for name, value in asked.items() if "\0" in name + value]:
        raise invalid(*(Fault(name.replace("\0", "\ufffd"), "must not contain NUL") for name in bad))
    sent = b"" if body is None else dumps(body).encode("utf-8", "replace")
    return _answer(route, params, match, body=sent, query=asked, query_string=query)


def ask_with_form(route: str, rest: Iterator[bytes], **params: str) -> Any:
    """The same of a form that the reader sent, which nobody has read: these are its bytes as they come.

    What programs need the scope `ingest` for is for those who triage.
    """
    return _answer(route, params, rest=rest).body


def ask_tagged(route: str, **params: str) -> tuple[Any, str]:
    """What the API answers the reader at a route, and the ETag of that. Raises as `ask` does."""
    reply = _answer(route, params)
    return reply.body, reply.headers["ETag"]


def _answer(route: str, params: dict[str, str], match: str = "", **sent: Any) -> Reply:
    endpoint, who = _endpoints()[route], caller()
    needed = "triage" if endpoint.scope == "ingest" else endpoint.scope
    if not {needed, "admin"} & who.scopes and needed != ANY:
        raise NotAllowed
    inbound = as_inbound(endpoint.method, endpoint.path, params=params, **sent)
    if match:
        inbound.headers = {**inbound.headers, "if-match": match}
    return endpoint.answer(who, inbound)


def has(route: str) -> bool:
    """Whether the API has this route."""
    return route in _endpoints()


@cache
def _endpoints() -> dict[str, Endpoint]:
    return {f"{endpoint.method} {endpoint.path}": endpoint for endpoint in ENDPOINTS}


def note(action: str, target: str, **detail: Any) -> None:
    """Writes down what the reader did to access or settings."""
    with writing():
        audit_log.note(g.session["user_workspace"], g.session["user_id"], action, target, **detail)
