"""Answers to authors: on a record's page, and to all who asked about a theme."""

from __future__ import annotations

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from adapters.contract import Refused
from gateway.inbox.api_calls import ask
from gateway.inbox.i18n import _, number
from gateway.inbox.pages import go, page, show
from gateway.inbox.reading import Reading
from gateway.inbox.refusals import refusal
from gateway.replies.to_all import MOST_A_DAY
from gateway.replies.writing import LONGEST_TEXT, UNDO
from models.tables.theme import label_of

ALL = "/gateway/v1/feedback/<feedback_id>/replies"
OF_THEME = "/gateway/v1/themes/<theme_id>/replies"
LATE = 409  # what is sent, or about to be
DRY = {"text": "-", "dry_run": True}  # who would be told, whatever they are told


@page("/records/<feedback_id>/replies", "triager", method="POST")
def reply(feedback_id: str) -> ResponseReturnValue:
    """Sends an answer in a moment; one that cannot be taken is in the form again, with why."""
    back, text = f"{Reading.asked().back(feedback_id)}#replies", _text()
    sent = {"text": text, **({"channel": request.form["channel"]} if request.form.get("channel") else {})}
    try:
        ask(f"POST {ALL}", feedback_id=feedback_id, body=sent)
    except Refused as refused:
        if refused.problem.status not in (400, LATE):
            raise
        return go(back, _why(refused, sent.get("channel")), bad=True, draft=text)
    return go(back, _soon())


@page("/records/<feedback_id>/replies/<reply_id>/delete", "triager", method="POST")
def take_back(feedback_id: str, reply_id: str) -> ResponseReturnValue:
    """Takes an answer back; its words are in the form again."""
    back = f"{Reading.asked().back(feedback_id)}#replies"
    text = request.form.get("text", "")[:LONGEST_TEXT]
    try:
        ask(f"DELETE {ALL}/<reply_id>", feedback_id=feedback_id, reply_id=reply_id)
    except Refused as refused:
        if refused.problem.status != LATE:
            raise
        return go(back, _("It is sent already."), bad=True)
    return go(back, _("Not sent."), draft=text)


@page("/overview/themes/<theme_id>", "triager")
def theme(theme_id: str) -> ResponseReturnValue:
    return _theme_page(theme_id)


@page("/overview/themes/<theme_id>", "triager", method="POST")
def tell_all(theme_id: str) -> ResponseReturnValue:
    """Tells all who asked, in a moment; what cannot be taken stays in the form, with why."""
    text = _text()
    try:
        done = ask(f"POST {OF_THEME}", theme_id=theme_id, body={"text": text})
    except Refused as refused:
        if refused.problem.status not in (400, LATE):
            raise
        return _theme_page(theme_id, refused.problem.status, draft=text, fault=_why(refused))
    said = _("%(n)s will be told. %(soon)s", n=number(done["queued"]), soon=_soon())
    return go(f"/overview/themes/{theme_id}", said)


@page("/overview/themes/<theme_id>/delete", "triager", method="POST")
def take_all_back(theme_id: str) -> ResponseReturnValue:
    """Takes back what was not sent to them yet."""
    gone = ask(f"DELETE {OF_THEME}", theme_id=theme_id)["cancelled"]
    return go(f"/overview/themes/{theme_id}", _("%(n)s taken back.", n=number(gone)))


def _theme_page(theme_id: str, status: int = 200, **given: Any) -> ResponseReturnValue:
    """Who would be told, or why nobody can be."""
    plan, why = None, ""
    try:
        plan = ask(f"POST {OF_THEME}", theme_id=theme_id, body=DRY)
    except Refused as refused:
        if refused.problem.status != LATE:
            raise
        why = _why(refused)
    return show(
        "tell-all.html",
        status,
        theme_id=theme_id,
        label=label_of(theme_id),  # it is of this workspace, or the plan was refused,
        plan=plan,
        why=why,
        most=MOST_A_DAY,
        longest=LONGEST_TEXT,
        **{"draft": "", "fault": "", **given},
    )


def _text() -> str:
    return request.form.get("text", "").replace("\r\n", "\n").strip()[: 2 * LONGEST_TEXT]


def _why(refused: Refused, channel: str | None = None) -> str:
    """What the API says is wrong, in the reader's language; of a channel that was chosen alone."""
    told = [one for one in refused.problem.faults if one.field == channel] or refused.problem.faults
    faults = [f"{_(fault.field)}: {refusal(fault.message)}" for fault in told]
    return "; ".join(faults) or refusal(refused.problem.message)


def _soon() -> str:
    return _("It is sent in %(n)s seconds.", n=number(UNDO // 1000))
