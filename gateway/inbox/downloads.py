"""What people take along: the list as a file."""

from __future__ import annotations

from urllib.parse import urlencode

from flask.typing import ResponseReturnValue

from gateway.inbox.api_calls import reply_of
from gateway.inbox.feedback_list import asked
from gateway.inbox.pages import page, sent_on
from models.queries.ordering import NEWEST

EXPORT = "GET /gateway/v1/export"


@page("/inbox/export", "viewer")
def export() -> ResponseReturnValue:
    """Exactly what the list of the same query shows, in its order, all pages of it."""
    given = asked()
    usual = {"sort": NEWEST, **({"bom": "1"} if ("format", "csv") in given else {})}  # as Excel likes it
    given += usual.items() - {(name, usual[name]) for name, _ in given if name in usual}
    return sent_on(reply_of(EXPORT, urlencode(given)))
