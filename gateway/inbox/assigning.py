"""Who takes care of records, for how long they are put aside, and who looks at one now."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

from flask import Response, g, request
from flask.typing import ResponseReturnValue

from adapters.contract import Problem, Refused
from gateway.core.ids import now_ms
from gateway.inbox import changing, team
from gateway.inbox.i18n import _
from gateway.inbox.pages import go, local, page
from gateway.inbox.reading import Reading
from models.database.base import dumps, writing
from models.tables import feedback, presence

PAGE = 200  # records of one form at most
NINE = time(9)
MONDAY = 0


@page("/inbox/assign", "triager", method="POST")
def assign() -> ResponseReturnValue:
    """Gives the chosen records to somebody, or to nobody."""
    return _assigned(local(request.form.get("back", "")), _chosen())


@page("/records/<feedback_id>/assign", "triager", method="POST")
def assign_one(feedback_id: str) -> ResponseReturnValue:
    """Gives a record to somebody, or to nobody."""
    return _assigned(Reading.asked().back(feedback_id), {feedback_id: _had().get(feedback_id, {})})


@page("/inbox/snooze", "triager", method="POST")
def snooze() -> ResponseReturnValue:
    """Puts the chosen records aside, or has them back."""
    return _snoozed(local(request.form.get("back", "")), {one: {} for one in _chosen()})


@page("/records/<feedback_id>/snooze", "triager", method="POST")
def snooze_one(feedback_id: str) -> ResponseReturnValue:
    """Puts a record aside, or has it back."""
    return _snoozed(Reading.asked().back(feedback_id), {feedback_id: {}})


@page("/records/<feedback_id>/presence", "viewer", method="POST", seen=False)
def present(feedback_id: str) -> ResponseReturnValue:
    """Notes that the reader looks at a record, or no more; JSON that says who else does."""
    if feedback.find(g.session["user_workspace"], None, feedback_id) is None:
        raise Refused(Problem(404, "not_found", "No such feedback."))
    with writing():
        if request.form.get("gone"):
            presence.end(feedback_id, g.session["digest"])
        else:
            presence.keep(feedback_id, g.session["digest"], now_ms())
    return Response(dumps({"say": team.looking(feedback_id)}), content_type="application/json")


def _assigned(back: str, chosen: dict[str, dict[str, str]]) -> ResponseReturnValue:
    who = request.form.get("who") or request.form.get("assignee", "")
    if not chosen or not who:
        return go(back, _("Choose records first."), bad=True)
    done = changing.change(chosen, {"assignee": None if who == "none" else who})
    if who == "none":
        said = _("%(count)s assigned to nobody", count=len(done.changes))
    else:
        name = team.name_of(g.session["user_id"] if who == "me" else who)
        said = _("%(count)s assigned to %(name)s", count=len(done.changes), name=name)
    return changing.answer(back, said, done)


def _snoozed(back: str, chosen: dict[str, dict[str, str]]) -> ResponseReturnValue:
    how, day = request.form.get("snooze", ""), request.form.get("day", "")
    if not chosen:
        return go(back, _("Choose records first."), bad=True)
    if request.form.get("wake"):
        done = changing.change(chosen, {"snooze": None})
        return changing.answer(back, _("%(count)s awake again", count=len(done.changes)), done)
    until = until_of(day or how, datetime.now(g.zone or UTC))
    sent: dict[str, Any] = {
        "until": until,
        "wakes_on_delivery": how == "delivery" or "quiet" not in request.form,
    }
    done = changing.change(chosen, {"snooze": sent})
    return changing.answer(back, _("%(count)s snoozed", count=len(done.changes)), done)


def until_of(how: str, now: datetime) -> str | None:
    """The end of a snooze as the API takes it: `1h`, nine o'clock of a day in the reader's zone, or None.

    `how` is one of SNOOZES, or a day as YYYY-MM-DD; anything else is left for the API to refuse.
    """
    if how == "delivery":
        return None
    days = {"tomorrow": 1, "monday": (MONDAY - now.weekday() - 1) % 7 + 1}
    try:
        day = now.date() + timedelta(days=days[how]) if how in days else date.fromisoformat(how)
        return datetime.combine(day, NINE, now.tzinfo).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):  # the first and last day there are may be others in UTC
        return how


def _chosen() -> dict[str, dict[str, str]]:
    """The records that were chosen in a list, with who took care of each as it was shown."""
    had = _had()
    return {one: had.get(one, {}) for one in islice(request.form.getlist("id"), PAGE)}


def _had() -> dict[str, dict[str, str]]:
    """Who took care of records as a page showed it: "fb_...:usr_..." for each of them."""
    shown = (text.partition(":") for text in request.form.getlist("had"))
    return {record_id: {"assignee": user_id} for record_id, _colon, user_id in shown}
