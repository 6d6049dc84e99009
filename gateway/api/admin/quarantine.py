"""/gateway/v1/quarantine: what could not be understood, looked at and sent through today's adapters."""

from __future__ import annotations

from typing import Any

import adapters
from adapters.contract import Fault, Inbound, Refused, Reply, invalid
from gateway.access import audit_log
from gateway.access.caller import Caller
from gateway.api import pagination
from gateway.api.admin.request_schemas import unknown
from gateway.intake.replay import leniently, preview, replay, resumed, sender_of
from models.database.base import writing
from models.intake.commit import Gone
from models.queries import bounded_pages
from models.tables import quarantine


def list_quarantine(caller: Caller, inbound: Inbound) -> Reply:
    """Deliveries that could not be understood, newest first, with why; those replayed since are left out."""
    limit, before = pagination.asked(inbound, "source", "reason")
    where, source = (caller.workspace_id, caller.project_id), inbound.query.get("source")
    reason = inbound.query.get("reason")
    limit = bounded_pages.fit(
        quarantine.sizes(*where, source=source, reason=reason, before=before, limit=limit)
    )
    rows = quarantine.held(*where, source=source, reason=reason, before=before, limit=limit + 1)
    return pagination.answer([quarantine.document(row) for row in rows], limit)


def show_held(caller: Caller, inbound: Inbound) -> Reply:
    """One of them, with what it would become today, also when it is read leniently. Raises Refused (404)."""
    row = _found(caller, inbound)
    adapter = adapters.load()[row["source"]]
    previews = {"preview": preview(adapter, resumed(row), sender_of(row)), "lenient": leniently(adapter, row)}
    return Reply(200, {**quarantine.document(row), **previews})


def replay_held(caller: Caller, inbound: Inbound) -> Reply:
    """Sends it through today's adapter: the records it became, or why it is still held. Raises Refused (404).

    However often and concurrently it is asked, a delivery is stored once. With `lenient=true` JSON that a
    template broke is mended, as the delivery's `lenient` shows it.
    """
    row, asked = _found(caller, inbound), inbound.query.get("lenient", "false")
    if asked not in ("true", "false"):
        raise invalid(Fault("lenient", "Expected true or false"))
    try:
        outcome = replay(adapters.load()[row["source"]], row, lenient=asked == "true")
    except Gone:
        raise _unknown() from None
    reason = outcome if isinstance(outcome, str) else None
    ids = [] if isinstance(outcome, str) else outcome
    with writing():
        done = {"reason": reason, "feedback_ids": ids}
        audit_log.note(caller.workspace_id, caller.key_id, "quarantine.replayed", row["id"], **done)
    return Reply(200, {"id": row["id"], "replayed": reason is None, **done})


def discard_held(caller: Caller, inbound: Inbound) -> Reply:
    """Deletes one of them for good. Raises Refused (404), also for one that was replayed."""
    row = _found(caller, inbound)
    with writing():
        if not quarantine.discard([row["id"]]):
            raise _unknown()
        detail = {"source": row["source"], "reason": row["reason"]}
        audit_log.note(caller.workspace_id, caller.key_id, "quarantine.discarded", row["id"], **detail)
    return Reply(204)


def _found(caller: Caller, inbound: Inbound) -> dict[str, Any]:
    row = quarantine.one(inbound.params["quarantine_id"])
    mine = row is not None and row["workspace_id"] == caller.workspace_id
    if row is None or not mine or caller.project_id not in (None, row["project_id"]):
        raise _unknown()
    return row


def _unknown() -> Refused:
    return unknown("delivery in quarantine")
