"""The files of a record: shown beside its words, added and taken away by people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from gateway.files.store import largest_upload
from gateway.inbox.api_calls import ask, ask_with_form
from gateway.inbox.i18n import _, number
from gateway.inbox.pages import go, page
from gateway.inbox.reading import Reading
from gateway.inbox.refusals import refusal
from gateway.inbox.web_link import link

LIST = "GET /gateway/v1/feedback/<feedback_id>/attachments"
ADD = "POST /gateway/v1/feedback/<feedback_id>/attachments"
DELETE = "DELETE /gateway/v1/feedback/<feedback_id>/attachments/<asset_id>"
PIECE = 65_536  # bytes that are read at once


def attachments_of(feedback_id: str) -> list[dict[str, Any]]:
    """A record's files as its page shows them."""
    return [_shown(row) for row in ask(LIST, feedback_id=feedback_id)["data"]]


@page("/records/<feedback_id>/files", "triager", method="POST", most=largest_upload)
def add(feedback_id: str) -> ResponseReturnValue:
    """Adds what was chosen; those that are refused are named with why."""
    pieces = iter(partial(request.stream.read, PIECE), b"")
    said = ask_with_form(ADD, pieces, feedback_id=feedback_id)
    words = [_("%(n)s added", n=number(len(said["data"])))]
    words += [f"{file['name']} {refusal(file['reason'])}" for file in said["refused"]]
    return go(f"{Reading.asked().back(feedback_id)}#files", ". ".join(words))


@page("/records/<feedback_id>/files/<asset_id>/delete", "triager", method="POST")
def delete(feedback_id: str, asset_id: str) -> ResponseReturnValue:
    """Deletes a file with its bytes."""
    ask(DELETE, feedback_id=feedback_id, asset_id=asset_id)
    return go(f"{Reading.asked().back(feedback_id)}#files", _("Deleted."))


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A file with where its sender had it, if a browser may go there, and how large it is in words."""
    return {**row, "source": link(row["source_url"] or ""), "bytes": _size(row["size"])}


def _size(count: int) -> str:
    """A number of bytes as people read it."""
    for unit, name in ((1_000_000, "MB"), (1_000, "kB")):
        if count >= unit:
            return f"{number(round(count / unit, 1))} {name}"
    return f"{number(count)} B"
