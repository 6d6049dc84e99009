"""The files of a record: kept, shown, taken away. What is refused is told by name, each file by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.common.multipart import is_form
from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from adapters.contract.files import SentFile
from gateway.access import audit_log
from gateway.access.caller import Caller
from gateway.api import query_parameters
from gateway.core.ids import new_id
from gateway.core.rate import RETRY_AFTER
from gateway.files import attachments, removal
from gateway.intake import limits, uploads
from models.database.base import insert_all, update, values, writing
from models.intake.attached import MOST
from models.tables import asset, feedback
from models.tables.event import Event
from models.tables.feedback import Feedback

VIA = "api"

Row = Mapping[str, Any]


def list_attachments(caller: Caller, inbound: Inbound) -> Reply:
    """The files of a record, the oldest first, those that could not be kept included."""
    if faults := query_parameters.unknown(inbound, ()):
        raise invalid(*faults)
    return Reply(200, {"data": attachments_of(caller, _found(caller, inbound)), "next_cursor": None})


def attachments_of(caller: Caller, row: Row) -> list[dict[str, Any]]:
    """A record's files as the API shows them."""
    return list(map(asset.document, asset.of_feedback([row["id"]])))


def add_attachments(caller: Caller, inbound: Inbound) -> Reply:
    """Keep up to five files with a record; the answer names those that are refused, with why.

    A file that the record has already, by name and content, is not kept twice. Raises Refused: 400 when no
    file could be kept, or 503 when it is the store that cannot, 404, 413, 429.
    """
    _found(caller, inbound)
    if not is_form(inbound):
        raise invalid(Fault("Content-Type", "Expected multipart/form-data"))
    limits.spend(caller, inbound)
    sent = uploads.take_form(caller.workspace_id, inbound)
    if not sent:
        raise invalid(Fault("file", "Expected at least one file"))
    refused = [{"name": file.name, "reason": file.refused} for file in sent if file.refused]
    with writing():
        row = _found(caller, inbound, to_change=True)
        kept, new = _kept(row, [file for file in sent if not file.refused], inbound)
        left = [one for one in kept if one["id"] is None]
        why = f"is one more than the {MOST} of a record"
        refused += [{"name": one["name"], "reason": why} for one in left]
        kept = [one for one in kept if one["id"] is not None]
        if not kept and any(file.refused == uploads.UNSTORED for file in sent):
            raise Refused(Problem(503, "overloaded", "Storage is busy, try again.", headers=RETRY_AFTER))
        if not kept:
            raise invalid(*(Fault("file", f"{one['name']} {one['reason']}") for one in refused))
        asset.keep(new)
        _note(caller, inbound, row, "attached", new)
    return Reply(201 if new else 200, {"data": list(map(asset.document, kept)), "refused": refused})


def delete_attachment(caller: Caller, inbound: Inbound) -> Reply:
    """Delete a file of a record with its bytes."""
    with writing():
        row = _found(caller, inbound, to_change=True)
        found = asset.find(caller.workspace_id, None, inbound.params["asset_id"], to_change=True)
        if found is None or found["feedback_id"] != row["id"]:
            raise Refused(Problem(404, "not_found", "No such attachment."))
        asset.delete([found["id"]])
        _note(caller, inbound, row, "detached", [found])
        audit_log.note(
            caller.workspace_id, caller.key_id, "attachment.deleted", found["id"], feedback_id=row["id"]
        )
    removal.release_now()
    return Reply(204)


def _kept(
    row: Row, sent: Sequence[SentFile], inbound: Inbound
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of the files, those that are there already too, and those of them that are new.

    A row without an id is of a file for which the record has no room.
    """
    there = asset.of_feedback([row["id"]])
    known = {(one["name"], one["sha256"]): one for one in there}
    place = row["workspace_id"], row["project_id"], row["id"]
    kept: list[dict[str, Any]] = []
    new: list[dict[str, Any]] = []
    for made in attachments.rows_of([file.kept for file in sent], *place, VIA, inbound.received_at):
        name = made["name"], made["sha256"]
        if name not in known:
            if len(there) + len(new) < MOST:
                new.append(made)
            else:
                made["id"] = None
            known[name] = made
        kept.append(known[name])
    return kept, new


def _note(caller: Caller, inbound: Inbound, row: Row, kind: str, files: Sequence[Row]) -> None:
    """Writes a change of its files into a record's history, without what they are called."""
    if not files:
        return
    at = max(inbound.received_at, row["updated_at"] + 1)
    update(Feedback, row["id"], {"updated_at": at})
    events = []
    for file in files:
        detail = {"asset_id": file["id"], "content_type": file["content_type"], "size": file["size"]}
        detail |= {"key_id": caller.key_id, "request_id": inbound.request_id}
        event = {"id": new_id("ev"), "feedback": row["id"], "type": kind, "at": at, "detail": detail}
        events.append(values(Event, {**event, "payload": None, "delivery_id": None}))
    insert_all(Event, events)


def _found(caller: Caller, inbound: Inbound, *, to_change: bool = False) -> dict[str, Any]:
    wanted = inbound.params["feedback_id"]
    row = feedback.find(caller.workspace_id, caller.project_id, wanted, to_change=to_change)
    if row is None:
        raise Refused(Problem(404, "not_found", "No such feedback."))
    return row
