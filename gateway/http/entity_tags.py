"""Entity tags (RFC 9110, 8.8.3): which state of a thing is shown, and which one a change is meant for."""

from __future__ import annotations

import re

from adapters.contract import Inbound, Problem, Refused

_TAG = re.compile(r'(W/)?"([^"]*)"')


def tag(version: str) -> str:
    """The strong entity tag of a state."""
    return f'"{version}"'


def check_match(inbound: Inbound, version: str) -> None:
    """Raises Refused (412) when this state does not meet the request's If-Match (RFC 9110, 13.1.1)."""
    wanted = inbound.headers.get("if-match")
    if wanted is None or wanted.strip() == "*":
        return
    strong = {found for weak, found in _TAG.findall(wanted) if not weak}
    if version not in strong:
        message = "Somebody changed it since: read it again."
        raise Refused(Problem(412, "precondition_failed", message, headers={"ETag": tag(version)}))
