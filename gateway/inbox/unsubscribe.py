"""The end of mail to an author or to a destination: one click, by a person or by their program (RFC 8058).

To look at the page changes nothing: programs that check links do that.
"""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue

from adapters.contract import Problem, Refused
from gateway.destinations import stopping
from gateway.inbox.pages import page, show
from gateway.replies import recipients

OF_DESTINATION = f"{stopping.PATH}/<destination_id>/<signature>"
RULE = f"{recipients.PATH}/<workspace_id>/<digest>/<signature>"


@page(RULE, None)
def unsubscribe_page(workspace_id: str, digest: str, signature: str) -> ResponseReturnValue:
    _check(workspace_id, digest, signature)
    return show("unsubscribe.html", done=False)


@page(RULE, None, method="POST", proven=True)
def unsubscribe(workspace_id: str, digest: str, signature: str) -> ResponseReturnValue:
    _check(workspace_id, digest, signature)
    recipients.unsubscribe(workspace_id, digest)
    return show("unsubscribe.html", done=True)


@page(OF_DESTINATION, None)
def stop_page(destination_id: str, signature: str) -> ResponseReturnValue:
    _destination(destination_id, signature)
    return show("unsubscribe.html", done=False, destination=True)


@page(OF_DESTINATION, None, method="POST", proven=True)
def stop(destination_id: str, signature: str) -> ResponseReturnValue:
    stopping.stop(_destination(destination_id, signature))
    return show("unsubscribe.html", done=True, destination=True)


def _destination(destination_id: str, signature: str) -> dict[str, Any]:
    """Raises Refused (404) for a link that was not made here."""
    row = stopping.proven(destination_id, signature)
    if row is None:
        raise Refused(Problem(404, "not_found", "No such link."))
    return row


def _check(workspace_id: str, digest: str, signature: str) -> None:
    """Raises Refused (404) for a link that was not made here."""
    if not recipients.is_right(workspace_id, digest, signature):
        raise Refused(Problem(404, "not_found", "No such link."))
