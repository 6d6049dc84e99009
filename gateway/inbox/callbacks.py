"""Callbacks: what tells callers of the end of their runs, and the secret that it is signed with."""

from __future__ import annotations

from flask import g
from flask.typing import ResponseReturnValue

from gateway.access import callback_secrets
from gateway.inbox.pages import hand_over, handed_over, page
from gateway.inbox.settings import setting
from models.database.base import writing
from models.tables import callback

SHOWN = 50  # of the newest


@page("/settings/callbacks", "admin")
def callbacks() -> ResponseReturnValue:
    return _callbacks_page(handed_over().get("secret", ""))


@page("/settings/callbacks/rotate", "admin", method="POST")
def rotate_callback_secret() -> ResponseReturnValue:
    """A new secret, on the page that follows and nowhere else."""
    with writing():
        made = callback_secrets.rotate(g.session["user_workspace"], by=g.session["user_id"])
    return hand_over("/settings/callbacks", {"secret": made})


def _callbacks_page(secret: str = "") -> ResponseReturnValue:
    workspace_id = g.session["user_workspace"]
    return setting(
        "callbacks",
        "callbacks.html",
        secret=secret,
        state=callback_secrets.state(workspace_id),
        rows=callback.newest(workspace_id, SHOWN),
    )
