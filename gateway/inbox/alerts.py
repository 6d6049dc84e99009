"""On fire: alerts counted by rule or name, the worst first; a group is acknowledged or muted as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, request
from flask.typing import ResponseReturnValue

from adapters.contract import Fault, Refused, invalid
from gateway.core.ids import now_ms
from gateway.inbox.api_calls import ask
from gateway.inbox.i18n import _
from gateway.inbox.pages import go, local, page, show
from gateway.inbox.settings import told
from models.database.base import dumps
from models.tables.feedback import iso

GROUPS = "GET /gateway/v1/alert-groups"
MOST = 200  # groups that are asked for
SCREEN = 6  # groups of a screen: the others are folded
FOLDED = 60  # of the others, and of those that are muted
MORNING = 9  # hour of the reader's day at which a mute ends that ends at a day
WHOLE = re.compile("[0-9]{1,9}")
SPARK = 20  # height of the line of hours

# How long a group can be muted, in the order of the choice: its name, and when it ends for somebody.
ENDS: Mapping[str, Callable[[datetime], datetime]] = {
    "1h": lambda now: now.astimezone(UTC) + timedelta(hours=1),  # by its own zone it would be the clock's
    "4h": lambda now: now.astimezone(UTC) + timedelta(hours=4),
    "tomorrow": lambda now: _morning(now.date() + timedelta(days=1)),
    "week": lambda now: now + timedelta(days=7),
    "date": lambda now: _morning(_date()),
}


@page("/alerts", "viewer")
def alerts() -> ResponseReturnValue:
    answer, wanted = ask(GROUPS, urlencode({"limit": MOST})), request.args.get("group", "")
    groups = [{**one, "spark": _spark(one["by_hour"])} for one in answer["data"]]
    muted = [one for one in groups if _is_muted(one)]
    burning = [one for one in groups if not _is_muted(one)]
    first = [one for one in groups if one["group"] == wanted] if wanted else burning[:SCREEN]
    others = [one for one in burning if one not in first]
    return show(
        "alerts.html",
        wanted=wanted,
        groups=first,
        others=others[:FOLDED],
        other_count=answer["groups"] - len(muted) - len([one for one in first if not _is_muted(one)]),
        muted=muted[:FOLDED],
        firing=answer["firing"],
        complete=answer["complete"],
        since=iso(now_ms()),
        changed=answer["changed_at"] or "",
        height=SPARK,
        soonest=(datetime.now(g.zone) + timedelta(days=1)).date().isoformat(),
    )


@page("/alerts/fresh", "viewer", seen=False)
def fresh() -> ResponseReturnValue:
    """What has changed since the page on the screen was made: JSON, for it to ask now and then."""
    answer = ask(GROUPS, urlencode({"limit": 1, "since": request.args.get("since", "")}))
    count, changed = answer["resolved"], (answer["changed_at"] or "") != request.args.get("changed", "")
    said = _("%(n)s resolved by themselves since you looked", n=count) if count > 1 else ""
    said = _("1 resolved by itself since you looked") if count == 1 else said
    return Response(dumps({"changed": changed, "say": said}), content_type="application/json")


@page("/alerts/acknowledge", "triager", method="POST")
def acknowledge() -> ResponseReturnValue:
    done = ask(_post("acknowledge"), body={"group": request.form.get("group", "")})
    return go(_back(), _("%(n)s acknowledged", n=done["acknowledged"]))


@page("/alerts/mute", "triager", method="POST")
def mute() -> ResponseReturnValue:
    """Mutes a group for a while, until a day, or until more alerts have come."""
    sent: dict[str, Any] = {"group": request.form.get("group", "")}
    try:
        ask(_post("mute"), body={**sent, **_end()})
    except Refused as refused:
        return go(_back(), "; ".join(told(refused)), bad=True)
    return go(_back(), _("Muted. Nobody is told of it until then."))


@page("/alerts/unmute", "triager", method="POST")
def unmute() -> ResponseReturnValue:
    try:
        done = ask(_post("unmute"), body={"group": request.form.get("group", "")})
    except Refused as refused:
        if refused.problem.status != 404:
            raise
        return go(_back(), _("It is not muted any more."))
    return go(_back(), _("Not muted any more: %(n)s came meanwhile.", n=done["came"]))


def _post(what: str) -> str:
    return f"POST /gateway/v1/alert-groups/{what}"


def _back() -> str:
    return local(request.form.get("back", "/alerts"))


def _end() -> dict[str, Any]:
    """Until when a form mutes, as the API is told. Raises Refused (400)."""
    chosen = request.form.get("for", "")
    if chosen == "more":
        number = request.form.get("more", "")
        return {"more": int(number) if WHOLE.fullmatch(number) else 0}
    if chosen not in ENDS:
        raise invalid(Fault("for", _("Choose how long.")))
    try:
        at = ENDS[chosen](datetime.now(g.zone)).astimezone(UTC)
    except OverflowError:  # the first or last day there is, which is another one in UTC
        raise invalid(Fault("date", _("Choose a day."))) from None
    return {"until": at.isoformat(timespec="seconds")}


def _date() -> date:
    """The day in a form. Raises Refused (400)."""
    try:
        return date.fromisoformat(request.form.get("date", ""))
    except ValueError:
        raise invalid(Fault("date", _("Choose a day."))) from None


def _morning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, MORNING, tzinfo=g.zone)


def _is_muted(one: Mapping[str, Any]) -> bool:
    return one["muted"] is not None and one["muted"]["ended_at"] is None


def _spark(by_hour: list[int]) -> list[tuple[int, int, int]]:
    """The bars of a line of hours: of each its place, its top and its height; empty hours have none."""
    most = max(by_hour, default=0)
    heights = [max(2, round(SPARK * count / most)) if count else 0 for count in by_hour]
    return [(4 * hour, SPARK - high, high) for hour, high in enumerate(heights) if high]
