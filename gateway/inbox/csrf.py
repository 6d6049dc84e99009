"""CSRF protection: forms are taken from pages of this gateway only.

Browsers say where a request comes from: by Sec-Fetch-Site (Fetch Metadata) when the address is https or this
computer's, and by Origin with every POST. What has neither was sent by no page. These are the rules of
http.CrossOriginProtection of Go 1.25.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import g, request

from gateway.inbox.i18n import _
from gateway.inbox.session import host, loopback, settings


class CrossOrigin(Exception):
    """The page that sent a form is not ours, or its browser will keep no cookie of ours.

    `why` says what was seen, and what the operator may have to set.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def check() -> None:
    """Raises CrossOrigin unless the request comes from a page of ours, or from no page at all."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        ours = site in ("same-origin", "none")
    else:
        ours = origin is None or _netloc(origin) in {
            host(),
            urlsplit(settings().config.public_url).netloc,
        } - {""}
    if not ours:
        raise CrossOrigin(_misnamed(origin or site or ""))
    if g.session is None and (origin or "").startswith("http://") and not loopback():
        raise CrossOrigin(_without_tls())


def _misnamed(origin: str) -> str:
    public = settings().config.public_url
    return _(
        "The form came from a page of %(origin)s, and the gateway was asked for as %(host)s (%(public)s). "
        "If people know this gateway as the first one, set GATEWAY_PUBLIC_URL to it. "
        "If not, a page of somebody else sent this form.",
        origin=origin[:200],
        host=host()[:200] or "-",
        public=f"GATEWAY_PUBLIC_URL={public}" if public else _("GATEWAY_PUBLIC_URL is not set"),
    )


def _without_tls() -> str:
    return _(
        "The gateway was asked for as %(host)s without TLS. Browsers keep its cookies over https only, or on "
        "this very computer: use a proxy with TLS, and set GATEWAY_PUBLIC_URL to the https address.",
        host=host()[:200] or "-",
    )


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
