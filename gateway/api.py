"""What programs ask: records, their history, the ledger. All of it within the caller's workspace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import adapters
from adapters.contract import (
    Fault,
    Inbound,
    Problem,
    Refused,
    Reply,
    invalid,
)
from gateway import parameters
from gateway.caller import Caller
from gateway.changes import change_feedback
from gateway.one import list_events, show_feedback
from gateway.reading import LONGEST_PAGE, PAGE, list_feedback
from gateway.replay import preview
from models import feedback, intake, outcome, quarantine
from models.hook import find_hook

OUTCOME_COLUMNS = ("minute", "key_id", "source", "outcome")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route of the native API beside the feedback door: what it needs and what it does."""

    path: str
    act: Callable[[Caller, Inbound], Reply]
    method: str = "GET"
    scope: str = "read"


def list_quarantine(caller: Caller, inbound: Inbound) -> Reply:
    """Deliveries that could not be understood, newest first, with why; those replayed since are left out."""
    query, faults = inbound.query, list[Fault]()
    faults += [
        Fault(name, "Unknown parameter") for name in query if name not in ("source", "limit", "cursor")
    ]
    page = parameters.whole(inbound, "limit", 1, LONGEST_PAGE, faults) or PAGE
    if faults:
        raise invalid(*faults)
    rows = quarantine.held(
        caller.workspace_id,
        caller.project_id,
        source=query.get("source"),
        before=query.get("cursor"),
        limit=page + 1,
    )
    shown = [quarantine.document(row) for row in rows[:page]]
    return Reply(200, {"data": shown, "next_cursor": shown[-1]["id"] if len(rows) > page else None})


def show_preview(caller: Caller, inbound: Inbound) -> Reply:
    """What a payload would become, without storing it; with `?hook=ID` as that hook would read it."""
    adapter = adapters.load().get(inbound.params["source"])
    if adapter is None:
        raise Refused(Problem(404, "not_found", "No such source."))
    hook_id = inbound.query.get("hook")
    if hook_id is not None:
        hook = find_hook(hook_id)
        if hook is None or hook["workspace"] != caller.workspace_id:
            raise Refused(Problem(404, "not_found", "No such hook."))
        inbound.options.update(hook["options"])
    return Reply(200, preview(adapter, inbound))


def list_outcomes(caller: Caller, inbound: Inbound) -> Reply:
    """What became of requests: sums by any of minute, key_id, source and outcome (`by`, a comma list).

    Those whose sender is not known belong to no workspace, and are shown to admins.
    """
    faults = parameters.unknown(inbound, ("by", "since", "until", "key_id", "source"))
    by = tuple(inbound.query.get("by", "outcome").split(","))
    if not set(by) <= set(OUTCOME_COLUMNS) or len(set(by)) < len(by):
        faults.append(Fault("by", f"Must be some of {', '.join(OUTCOME_COLUMNS)}"))
    since = parameters.moment(inbound, "since", faults)
    until = parameters.moment(inbound, "until", faults)
    if faults:
        raise invalid(*faults)
    intake.flush()
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


ENDPOINTS = (
    Endpoint("/gateway/v1/feedback", list_feedback),
    Endpoint("/gateway/v1/feedback/<feedback_id>", show_feedback),
    Endpoint("/gateway/v1/feedback/<feedback_id>", change_feedback, method="PATCH", scope="triage"),
    Endpoint("/gateway/v1/feedback/<feedback_id>/events", list_events),
    Endpoint("/gateway/v1/outcomes", list_outcomes),
    Endpoint("/gateway/v1/quarantine", list_quarantine),
    Endpoint("/gateway/v1/preview/<source>", show_preview, method="POST", scope="triage"),
)
