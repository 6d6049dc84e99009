"""/gateway/v1/audit: who did what to the gateway."""

from __future__ import annotations

from adapters.contract import Inbound, Problem, Refused, Reply
from gateway.access.caller import Caller
from gateway.api import pagination
from models.tables import audit


def list_audit(caller: Caller, inbound: Inbound) -> Reply:
    """The workspace's audit trail, newest first. Raises Refused: 403 for a key of one project."""
    limit, before = pagination.asked(inbound)
    if caller.project_id is not None:
        raise Refused(Problem(403, "forbidden", "The audit trail is the whole workspace's."))
    found = audit.newest(caller.workspace_id, before=before, limit=limit + 1)
    return pagination.answer([audit.document(row) for row in found], limit)
