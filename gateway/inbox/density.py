"""How close the rows of the list are: one line each, or two with more air."""

from __future__ import annotations

from flask import redirect, request
from flask.typing import ResponseReturnValue

from gateway.inbox.pages import local, page

DENSITIES = ("compact", "comfortable")  # the first one unless somebody chooses
COOKIE = "density"
YEAR = 31_536_000  # seconds


def density() -> str:
    """What this browser's reader chose."""
    chosen = request.cookies.get(COOKIE, "")
    return chosen if chosen in DENSITIES else DENSITIES[0]


@page("/inbox/density", "viewer", method="POST")
def choose_density() -> ResponseReturnValue:
    """Keeps the choice in a cookie: it is of the screen and not of the person."""
    answer = redirect(local(request.form.get("back", "")), 303)
    chosen = request.form.get("density", "")
    answer.set_cookie(COOKIE, chosen if chosen in DENSITIES else "", YEAR, path="/", samesite="Lax")
    return answer
