"""GET /gateway/v1/outcomes: what became of requests."""

from __future__ import annotations

from adapters.contract import Fault, Inbound, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import query_parameters
from models.intake import commit
from models.tables import feedback, outcome

OUTCOME_COLUMNS = ("minute", "key_id", "source", "outcome")


def list_outcomes(caller: Caller, inbound: Inbound) -> Reply:
    """What became of requests: sums by any of minute, key_id, source and outcome (`by`, a comma list).

    Those whose sender is not known belong to no workspace, and are shown to admins.
    """
    faults = query_parameters.unknown(inbound, ("by", "since", "until", "key_id", "source"))
    by = tuple(inbound.query.get("by", "outcome").split(","))
    if not set(by) <= set(OUTCOME_COLUMNS) or len(set(by)) < len(by):
        faults.append(Fault("by", f"Must be some of {', '.join(OUTCOME_COLUMNS)}"))
    since = query_parameters.moment(inbound, "since", faults)
    until = query_parameters.moment(inbound, "until", faults)
    if faults:
        raise invalid(*faults)
    commit.flush()
    sums = outcome.totals(
        caller.workspace_id,
        by,
        strangers="admin" in caller.scopes,
        since=since,
        until=until,
        key_id=inbound.query.get("key_id"),
        source=inbound.query.get("source"),
    )
    for row in sums:
        if "minute" in row:
            row["minute"] = feedback.iso(row["minute"])
    return Reply(200, {"data": sums, "next_cursor": None})
