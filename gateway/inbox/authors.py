"""An author: everything said, in one place; handed over as a file, and erased."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from adapters.contract import Refused
from gateway.api.feedback_list import PAGE
from gateway.inbox.api_calls import ask
from gateway.inbox.i18n import _, number
from gateway.inbox.pages import go, page, show, url
from gateway.inbox.reading import Reading
from gateway.inbox.refusals import refusal
from gateway.transfer.erasure import MODES
from models.database.base import dumps

SUMMARY = "GET /gateway/v1/authors/summary"
LIST = "GET /gateway/v1/feedback"
EXPORT = "POST /gateway/v1/authors/export"
ERASE = "POST /gateway/v1/authors/erase"
DELETE = "DELETE /gateway/v1/feedback/<feedback_id>"


@page("/authors", "viewer")
def author() -> ResponseReturnValue:
    """Who it is, how much they said, and the newest of it."""
    return _page(request.args.get("author", ""))


def _page(who: str, status: int = 200, **more: Any) -> ResponseReturnValue:
    found = ask(SUMMARY, _query(who))
    rows = ask(LIST, f"{_query(who)}&merged=with&limit={PAGE}")["data"]
    return show(
        "author.html", status, author=found, rows=rows, modes=MODES, **{"plan": None, "fault": "", **more}
    )


@page("/authors/export", "admin", method="POST")
def export() -> ResponseReturnValue:
    """All that is held about an author as a file of JSON."""
    found = ask(EXPORT, body=_person(request.form.get("author", "")))
    headers = {"Content-Disposition": 'attachment; filename="author.json"'}
    return Response(dumps(found), content_type="application/json", headers=headers)


@page("/authors/erase", "admin", method="POST")
def erase() -> ResponseReturnValue:
    """Shows what erasing an author would take away; does it when the address was typed with that."""
    who, mode = request.form.get("author", ""), request.form.get("mode", "")
    if mode not in MODES:
        mode = MODES[0]
    typed = request.form.get("typed")
    sure = typed is not None and typed.strip().casefold() == who.strip().casefold()
    try:
        receipt = ask(ERASE, body={**_person(who), "mode": mode, "dry_run": not sure})
    except Refused as refused:
        if refused.problem.status != 400:
            raise
        told = "; ".join(refusal(fault.message) for fault in refused.problem.faults)
        return _page(who, 400, fault=told or refusal(refused.problem.message))
    if not sure:
        fault = "" if typed is None else _("Type %(name)s to erase it.", name=who)
        return _page(who, 400 if fault else 200, plan=receipt, mode=mode, fault=fault)
    said = _(
        "Erased: %(n)s records. The receipt is %(receipt)s.",
        n=number(receipt["counts"]["records"]),
        receipt=receipt["receipt_id"],
    )
    return go("/inbox", said)


@page("/records/<feedback_id>/delete", "admin", method="POST")
def delete_record(feedback_id: str) -> ResponseReturnValue:
    """Deletes one record with its history, for good."""
    ask(DELETE, feedback_id=feedback_id)
    return go(Reading.asked().list_path(), _("Deleted."))


def _person(who: str) -> dict[str, str]:
    """Somebody as the API takes one: by address if it looks like one, else by the sender's own id."""
    return {"email": who} if "@" in who else {"id": who}


def _query(who: str) -> str:
    return url("", author=who).removeprefix("?")
