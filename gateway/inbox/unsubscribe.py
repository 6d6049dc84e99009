"""The end of mail to an author: one click, by a person or by a mail program for one (RFC 8058).

To look at the page changes nothing: programs that check links do that.
"""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from adapters.contract import Problem, Refused
from gateway.inbox.pages import page, show
from gateway.replies import recipients

RULE = f"{recipients.PATH}/<workspace_id>/<digest>/<signature>"


@page(RULE, None)
def unsubscribe_page(workspace_id: str, digest: str, signature: str) -> ResponseReturnValue:
    _check(workspace_id, digest, signature)
    return show("unsubscribe.html", done=False)


@page(RULE, None, method="POST")
def unsubscribe(workspace_id: str, digest: str, signature: str) -> ResponseReturnValue:
    _check(workspace_id, digest, signature)
    recipients.unsubscribe(workspace_id, digest)
    return show("unsubscribe.html", done=True)


def _check(workspace_id: str, digest: str, signature: str) -> None:
    """Raises Refused (404) for a link that was not made here."""
    if not recipients.is_right(workspace_id, digest, signature):
        raise Refused(Problem(404, "not_found", "No such link."))
