"""Who looks at a page: the cookie that says so, and forms that only this browser can send."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import current_app, g, request
from werkzeug.wrappers import Response

from adapters.contract import Inbound
from gateway import people
from gateway.client import Network, client_address
from gateway.config import Config
from gateway.ids import now_ms
from gateway.inbox import words
from gateway.inbox.words import _
from gateway.received import headers_of, request_id

SIGNED_IN = "feedback-session"
VISIT = "feedback-visit"  # ties the forms of who is not signed in to the browser that asked for them
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
FORM_BYTES = 262_144


class NotAllowed(Exception):
    """The reader's role does not reach so far."""


class Stale(Exception):
    """A form that this browser was not given, or whose session has ended.

    `why` says what the operator may have to set, where the request shows it.
    """

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why


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
    return config.url if config.public_url else f"{request.scheme}://{_host()}"


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
    return _host() or "?"


def recognise(*, seen: bool = True) -> None:
    """Finds out who looks, once for a request; what is not `seen` keeps no session alive."""
    token = request.cookies.get(cookie_name(SIGNED_IN), "")
    g.session = people.session_of(token, seen=seen) if token else None
    g.secret = token if g.session else request.cookies.get(cookie_name(VISIT), "")
    words.choose(g.session)


def forget() -> None:
    """Looks as one whom nobody knows, for a page that must not fail."""
    g.session, g.secret = None, ""
    words.choose(None)


def cookie_name(name: str) -> str:
    """A cookie's name: one that browsers take over TLS only, unless the gateway is on this very computer.

    Not every browser keeps Secure cookies of http://127.0.0.1; nobody listens in on the way there.
    """
    return name if _loopback() else f"__Host-{name}"


def keep_cookie(response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Gives the browser a cookie that scripts and other sites cannot use; an empty one is taken back."""
    response.set_cookie(
        cookie_name(name),
        value,
        max_age=seconds if value else 0,
        path="/",
        secure=not _loopback(),
        httponly=True,
        samesite="Lax",
    )


def _host() -> str:
    host: str = request.environ.get("HTTP_HOST", "")
    return host


def _name() -> str:
    """The host without its port."""
    host = _host()
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _loopback() -> bool:
    return request.scheme == "http" and _name() in LOOPBACK


def form_token() -> str:
    """What a form carries to show that this browser was given it; another one each time.

    Compressed pages must not repeat a secret, or their length would tell it bit by bit (BREACH).
    """
    if not g.secret:
        g.secret = g.new_visit = secrets.token_urlsafe(24)
    salt = secrets.token_hex(8)
    return f"{salt}.{_proof(salt)}"


def check_form() -> None:
    """Raises Stale unless the form was made for this browser and sent by a page of ours."""
    request.max_content_length = request.max_form_memory_size = FORM_BYTES
    origin = request.headers.get("Origin")
    if origin is not None:
        ours = {_host(), urlsplit(settings().config.public_url).netloc}
        if _netloc(origin) not in ours - {""}:
            raise Stale(_misnamed(origin))
    if not g.secret and not _loopback():
        raise Stale(_cookieless())
    salt, _, proof = request.form.get("token", "").partition(".")
    if not g.secret or not hmac.compare_digest(proof.encode("utf-8", "replace"), _proof(salt).encode()):
        raise Stale


def _misnamed(origin: str) -> str:
    public = settings().config.public_url
    return _(
        "The form came from a page of %(origin)s, and the gateway was asked for as %(host)s (%(public)s). "
        "If people know this gateway as the first one, set GATEWAY_PUBLIC_URL to it. "
        "If not, a page of somebody else sent this form.",
        origin=origin[:200],
        host=_host()[:200] or "-",
        public=f"GATEWAY_PUBLIC_URL={public}" if public else _("GATEWAY_PUBLIC_URL is not set"),
    )


def _cookieless() -> str:
    return _(
        "The browser sent no cookie, and the gateway was asked for as %(host)s. Browsers keep its cookies "
        "over https only, or on this very computer: use a proxy with TLS, and set GATEWAY_PUBLIC_URL to "
        "the https address.",
        host=_host()[:200] or "-",
    )


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _proof(salt: str) -> str:
    words = f"form {salt}".encode("utf-8", "replace")
    return hmac.new(g.secret.encode("utf-8", "replace"), words, hashlib.sha256).hexdigest()


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
