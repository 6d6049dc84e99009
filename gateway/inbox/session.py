"""Who looks at a page, and the cookie that says so."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import current_app, g, request
from werkzeug.wrappers import Response

from adapters.contract import Inbound
from gateway.access import users
from gateway.core.client_address import Network, client_address
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.http.request import headers_of, request_id
from gateway.inbox import i18n

SIGNED_IN = "feedback-session"
LAST = "feedback-person"  # the id of who was signed in last, also when that session has ended
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
# A name or an address, and a port: what else a request may call us could make a link of somebody else's.
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class NotAllowed(Exception):
    """The reader's role does not reach so far."""


@dataclass(frozen=True)
class Settings:
    """What pages need of the configuration."""

    config: Config
    proxies: tuple[Network, ...]


def settings() -> Settings:
    """Those of the application that answers."""
    found: Settings = current_app.extensions["inbox"]
    return found


def passwords() -> bool:
    """Whether people may get in with a password."""
    return settings().config.passwords == "on"


def seen_url() -> str:
    """The public address, else the one that this browser knows us by: for this browser alone."""
    config = settings().config
    return config.url if config.public_url or not host() else f"{request.scheme}://{host()}"


def base_url() -> str:
    """The address that others are told: the public one, else the one that we listen on.

    What a request says of its host stands in no link that is kept or given to somebody, unless it is
    this very computer's, whose port may have been chosen by the system.
    """
    return seen_url() if not unproven_host() else settings().config.url


def unproven_host() -> str:
    """The host that this browser knows us by, when no setting says that it is ours; else empty."""
    config = settings().config
    if config.public_url or _name() in (*LOOPBACK, config.bind.rpartition(":")[0]):
        return ""
    return host() or "?"


def recognise(*, seen: bool = True) -> None:
    """Finds out who looks, once for a request; what is not `seen` keeps no session alive."""
    token = request.cookies.get(cookie_name(SIGNED_IN), "")
    g.session = users.session_of(token, seen=seen) if token else None
    i18n.choose(g.session)


def forget() -> None:
    """Looks as one whom nobody knows, for a page that must not fail."""
    g.session = None
    i18n.choose(None)


def cookie_name(name: str) -> str:
    """A cookie's name: one that browsers take over TLS only, unless the gateway is on this very computer.

    Not every browser keeps Secure cookies of http://127.0.0.1; nobody listens in on the way there.
    """
    return name if loopback() else f"__Host-{name}"


def keep_cookie(response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Gives the browser a cookie that scripts and other sites cannot use; an empty one is taken back."""
    response.set_cookie(
        cookie_name(name),
        value,
        max_age=seconds if value else 0,
        path="/",
        secure=not loopback(),
        httponly=True,
        samesite="Lax",
    )


def host() -> str:
    """What this browser calls us, port included, or nothing; nothing for what is no host either."""
    said = str(request.environ.get("HTTP_HOST", ""))
    return said if _HOST.fullmatch(said) else ""


def _name() -> str:
    """The host without its port."""
    name = host()
    return name if name.endswith("]") else name.rpartition(":")[0] or name


def loopback() -> bool:
    """Whether the browser is on this very computer, or a proxy says so."""
    return request.scheme == "http" and _name() in LOOPBACK


def as_inbound(method: str = "", path: str = "", **more: object) -> Inbound:
    """This request as the gateway's steps see one; its own body is left where it is."""
    headers = headers_of(request.environ)
    return Inbound(
        method or request.method,
        path or request.path,
        headers,
        request_id=request_id(request.environ),
        received_at=now_ms(),
        client=client_address(request.environ.get("REMOTE_ADDR", ""), headers, settings().proxies),
        **more,  # type: ignore[arg-type]  # its other fields
    )
