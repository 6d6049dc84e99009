"""Merging what says the same, from the list and from a record's page, and what undoes it."""

from __future__ import annotations

from itertools import islice
from typing import Any

from flask import g, request
from flask.typing import ResponseReturnValue

from adapters.contract import Refused
from gateway.core.ids import new_id
from gateway.inbox import changing
from gateway.inbox.api_calls import ask
from gateway.inbox.i18n import _, number
from gateway.inbox.pages import go, local, page, say
from gateway.inbox.reading import Reading
from gateway.inbox.refusals import refusal
from gateway.inbox.session import as_inbound
from models.tables import event

MERGE = "POST /gateway/v1/feedback/<feedback_id>/merge"
UNMERGE = "POST /gateway/v1/feedback/<feedback_id>/unmerge"
DISMISS = "POST /gateway/v1/merge-suggestions/dismiss"
MOST = 200  # records of one form
REFUSED = (400, 409)


@page("/inbox/merge", "triager", method="POST")
def merge_chosen() -> ResponseReturnValue:
    """Merges the chosen records of a list into the one that came first."""
    back = local(request.form.get("back", ""))
    chosen = sorted(set(islice(request.form.getlist("id"), MOST)))  # ids sort by when records came
    if len(chosen) < 2:
        return go(back, _("Choose at least two records to merge."), bad=True)
    return _merged(chosen[0], chosen[1:], back)


@page("/records/<feedback_id>/merge", "triager", method="POST")
def merge(feedback_id: str) -> ResponseReturnValue:
    """Merges records into this one, or says that one of them is not the same."""
    back = Reading.asked().back(feedback_id)
    others = [one.strip().rpartition("/")[2] for one in islice(request.form.getlist("id"), MOST)]
    others = [one for one in others if one]
    if not others:
        return go(back, _("Which one?"), bad=True)
    if request.form.get("act") == "dismiss":
        try:
            ask(DISMISS, body={"ids": [feedback_id, others[0]]})
        except Refused as refused:
            return _not(refused, back)
        return go(back, _("It is not suggested any more."))
    if request.form.get("act") == "resolve":
        done = changing.change({one: {} for one in (feedback_id, *others)}, {"status": "resolved"})
        said = _("%(count)s changed to %(value)s", count=len(done.changes), value=_("resolved"))
        return changing.answer(back, said, done)
    return _merged(feedback_id, others, back)


@page("/records/<feedback_id>/unmerge", "triager", method="POST")
def unmerge(feedback_id: str) -> ResponseReturnValue:
    """Takes records out of what this one stands for."""
    back = Reading.asked().back(feedback_id)
    try:
        ask(UNMERGE, feedback_id=feedback_id, body={"ids": request.form.getlist("id")[:MOST]})
    except Refused as refused:
        return _not(refused, back)
    return go(back, _("Taken apart: each is as it was before."))


@page("/inbox/unmerge", "triager", method="POST")
def undo_merge() -> ResponseReturnValue:
    """Takes apart what the last change of this session merged."""
    back, kept = local(request.form.get("back", "")), g.session["note"] or {}
    if not kept.get("undo") or kept["undo"] != request.form.get("undo") or "merged" not in kept:
        return go(back, _("That cannot be undone any more."), bad=True)
    say(None)
    into, ids = kept["merged"]
    try:
        ask(UNMERGE, feedback_id=into, body={"ids": ids})
    except Refused as refused:
        return _not(refused, back)
    return go(back, _("Undone."))


def _merged(into: str, others: list[str], back: str) -> ResponseReturnValue:
    try:
        row: dict[str, Any] = ask(MERGE, feedback_id=into, body={"ids": others})
    except Refused as refused:
        return _not(refused, back)
    said = _("Merged: %(n)s people say the same.", n=number(row["people"]))
    made = event.last_detail(row["id"], "merged")
    mine = made.get("request_id") == as_inbound().request_id
    if not mine or made["records"] > len(made["ids"]):  # a colleague was quicker, or more than an event names
        return go(back, said)
    # Of those named some may have been one before, and of some what stands for them was merged.
    return go(back, said, undo=new_id("undo"), merged=[row["id"], made["ids"]])


def _not(refused: Refused, back: str) -> ResponseReturnValue:
    """Back to where it was asked for, with why it was not done."""
    another = refused.problem.status == 404 and ":" in refused.problem.message  # not the one of the page
    if refused.problem.status not in REFUSED and not another:
        raise refused
    told = [fault.message for fault in refused.problem.faults] or [refused.problem.message]
    return go(back, " ".join(refusal(one) for one in told), bad=True)
