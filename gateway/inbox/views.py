"""Views that readers keep for themselves or share."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import request
from flask.typing import ResponseReturnValue

from adapters.contract import Refused
from gateway.inbox.api_calls import ask
from gateway.inbox.i18n import _
from gateway.inbox.pages import go, local, page

VIEW = "/gateway/v1/views/<view_id>"


class NotThere(Exception):
    """There is no such view."""


@page("/inbox/views", "viewer", method="POST")
def save_view() -> ResponseReturnValue:
    """Keeps the list's query under a name, shares or forgets one."""
    back = local(request.form.get("back", ""))
    if forget := request.form.get("forget"):
        with suppress(NotThere):  # somebody else was quicker
            _ask(f"DELETE {VIEW}", view_id=forget)
        return go(back, _("Forgotten."))
    if share := request.form.get("share"):
        try:
            _ask(f"PATCH {VIEW}", view_id=share, body={"shared": True})
        except NotThere:
            return go(back, _("This view is gone."), bad=True)
        return go(back, _("Shared with everybody here."))
    query = urlencode(parse_qsl(request.form.get("query", "").replace("\0", "")))
    sent = {"name": request.form.get("name", ""), "query": query, "shared": "shared" in request.form}
    try:
        ask("POST /gateway/v1/views", body=sent)
    except Refused as refused:
        if refused.problem.status != 400:
            raise
        return go(back, _("A view needs a name and a filter."), bad=True)
    return go(f"/inbox?{query}", _("Saved."))


def _ask(route: str, **more: Any) -> None:
    """Asks the API about one view. Raises NotThere."""
    try:
        ask(route, **more)
    except Refused as refused:
        if refused.problem.status != 404:
            raise
        raise NotThere from None
