"""The page of one destination: how it goes, and the log of what was sent to it, to look at and to replay."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, request
from flask.typing import ResponseReturnValue

from adapters.contract import Problem, Refused
from gateway.core.ids import now_ms
from gateway.destinations import found_kinds
from gateway.destinations.managing import REPLAYABLE
from gateway.inbox.api_calls import ask
from gateway.inbox.i18n import _, number, weekdays
from gateway.inbox.pages import go, handed_over, page, url
from gateway.inbox.refusals import refusal
from gateway.inbox.settings import setting, told
from models.database.base import dumps
from models.tables.feedback import iso
from models.tables.outbox import TEST
from models.tables.outgoing import SENT, STATES, WAITING

ALL = "/gateway/v1/destinations"
ONE = f"{ALL}/<destination_id>"
PAGE = 25  # deliveries of a page of the log
NEXT = "~"  # behind an id, and before every later one
# Of docs/webhooks.md: what verifies a delivery, by the name it has there.
SNIPPETS = {
    "Python (standardwebhooks)": "python.txt",
    "Python": "python-plain.txt",
    "JavaScript (Node)": "javascript.txt",
}


@page("/settings/destinations/<destination_id>", "admin")
def destination(destination_id: str) -> ResponseReturnValue:
    """The page of a destination, with its secret when it was made just now, and a page of its log."""
    row = ask(f"GET {ONE}", destination_id=destination_id)
    state, cursor = request.args.get("state", ""), request.args.get("cursor", "")
    kind = found_kinds.load().get(row["kind"])
    return setting(
        "destinations",
        "destination.html",
        row=row,
        log=_log(destination_id, state=state, cursor=cursor),
        state=state,
        tested=request.args.get("tested", "")[:40],
        later=bool(cursor),
        states=STATES,
        replayable=REPLAYABLE,
        signs=kind is not None and kind.new_secret is not None,
        snippets=_snippets() if row["kind"] == "webhook" else {},
        weekdays=weekdays(),
        **{"secret": None, "new": False, **handed_over()},
    )


@page("/settings/destinations/<destination_id>/test", "admin", method="POST")
def test_destination(destination_id: str) -> ResponseReturnValue:
    since = iso(now_ms())
    ask(f"POST {ONE}/test", destination_id=destination_id)
    return go(url(f"/settings/destinations/{destination_id}", tested=since))


@page("/settings/destinations/<destination_id>/tested", "admin", seen=False)
def tested(destination_id: str) -> ResponseReturnValue:
    """What became of a test that was asked for: JSON, for its page to ask now and then."""
    since, log = request.args.get("since", ""), _log(destination_id)["data"]
    tests = [one for one in log if one["type"] == TEST and one["created_at"] >= since]
    done = [one for one in tests if one["attempts"] or one["state"] != WAITING]
    one: dict[str, Any] = done[0] if done else {"state": WAITING, "attempts": []}
    last = one["attempts"][-1] if one["attempts"] else {"status": None, "why": None}
    words = (_(one["state"]), last["status"], last["why"] and refusal(last["why"]))
    said = {
        "received": bool(done),
        "bad": one["state"] != SENT,
        "say": " · ".join(str(w) for w in words if w),
    }
    return Response(dumps(said), content_type="application/json")


@page("/settings/destinations/<destination_id>/deliveries/<delivery_id>", "admin")
def delivery(destination_id: str, delivery_id: str) -> ResponseReturnValue:
    row = ask(f"GET {ONE}", destination_id=destination_id)
    found = _log(destination_id, cursor=delivery_id + NEXT, limit=1)["data"]
    if not found or found[0]["id"] != delivery_id:
        raise Refused(Problem(404, "not_found", "No such delivery."))
    return setting("destinations", "delivery.html", row=row, one=found[0], replayable=REPLAYABLE)


@page("/settings/destinations/<destination_id>/replay", "admin", method="POST")
def replay_deliveries(destination_id: str) -> ResponseReturnValue:
    """Sends one delivery again, or those of a state, from a time in the reader's zone on."""
    back = f"/settings/destinations/{destination_id}"
    sent = {name: request.form[name] for name in ("delivery_id", "state") if request.form.get(name)}
    try:
        if since := request.form.get("since"):
            sent["since"] = _utc(since)
        queued = ask(f"POST {ONE}/replay", body=sent, destination_id=destination_id)["queued"]
    except (ValueError, OverflowError):
        return go(back, _("That is no time."), bad=True)
    except Refused as refused:
        return go(back, "; ".join(told(refused)), bad=True)
    if not queued:
        return go(back, _("There was nothing to replay."), bad=True)
    return go(back, _("%(n)s are replayed.", n=number(queued)))


@page("/settings/destinations/<destination_id>/forget", "admin", method="POST")
def forget_deliveries(destination_id: str) -> ResponseReturnValue:
    """Deletes what is held, or was given up."""
    back, sent = f"/settings/destinations/{destination_id}", {"state": request.form.get("state", "")}
    try:
        gone = ask(f"POST {ONE}/forget", body=sent, destination_id=destination_id)["forgotten"]
    except Refused as refused:
        return go(back, "; ".join(told(refused)), bad=True)
    return go(back, _("%(n)s are forgotten.", n=number(gone)))


def _log(destination_id: str, *, state: str = "", cursor: str = "", limit: int = PAGE) -> dict[str, Any]:
    """A page of the log, the newest first."""
    given = {"state": state, "cursor": cursor, "limit": str(limit)}
    query = urlencode({name: value for name, value in given.items() if value})
    log: dict[str, Any] = ask(f"GET {ONE}/deliveries", query, destination_id=destination_id)
    return log


def _utc(text: str) -> str:
    """A time as forms have it, in the reader's zone, for the API. Raises ValueError, OverflowError."""
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=g.zone)
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@cache
def _snippets() -> dict[str, str]:
    folder = Path(__file__).parent / "snippets"
    return {name: (folder / file).read_text() for name, file in SNIPPETS.items()}
