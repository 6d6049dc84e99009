"""How most kinds send: a POST through the guarded sender."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.core import outbound
from gateway.destinations.kind import Answer

TIMEOUT, CONNECT = 15.0, 5.0  # seconds for a request in all, and to connect


def post(url: str, headers: Mapping[str, str], body: str, *, method: str = "POST") -> Answer:
    """Sends a body. Raises outbound.Forbidden, Unreachable."""
    told = outbound.request(method, url, headers, body.encode(), timeout=TIMEOUT, connect=CONNECT)
    why = "is redirected, which is not followed" if 300 <= told.status < 400 else None
    return Answer(told.status, why, told.body, told.headers)
