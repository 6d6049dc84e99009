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
from gateway.admin import authors, held, hooks, keys, model, projects, trail
from gateway.bulk import change_many, delete_feedback, delete_many
from gateway.caller import Caller
from gateway.changes import change_feedback
from gateway.exporting import export_feedback
from gateway.numbers import show_stats
from gateway.one import list_events, list_similar, show_feedback
from gateway.reading import list_feedback
from gateway.replay import preview
from gateway.themes import list_themes
from models import feedback, intake, outcome
from models.hook import find_hook

OUTCOME_COLUMNS = ("minute", "key_id", "source", "outcome")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route of the native API beside the feedback door: what it needs and what it does."""

    path: str
    act: Callable[[Caller, Inbound], Reply]
    method: str = "GET"
    scope: str = "read"


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
    Endpoint("/gateway/v1/feedback/<feedback_id>", delete_feedback, "DELETE", "admin"),
    Endpoint("/gateway/v1/feedback", change_many, "PATCH", "triage"),
    Endpoint("/gateway/v1/feedback", delete_many, "DELETE", "admin"),
    Endpoint("/gateway/v1/feedback/<feedback_id>/events", list_events),
    Endpoint("/gateway/v1/feedback/<feedback_id>/similar", list_similar),
    Endpoint("/gateway/v1/export", export_feedback),
    Endpoint("/gateway/v1/themes", list_themes),
    Endpoint("/gateway/v1/stats", show_stats),
    Endpoint("/gateway/v1/outcomes", list_outcomes),
    Endpoint("/gateway/v1/quarantine", held.list_quarantine),
    Endpoint("/gateway/v1/quarantine/<quarantine_id>", held.show_held),
    Endpoint("/gateway/v1/quarantine/<quarantine_id>/replay", held.replay_held, "POST", "triage"),
    Endpoint("/gateway/v1/preview/<source>", show_preview, "POST", "triage"),
    Endpoint("/gateway/v1/keys", keys.list_keys, scope="admin"),
    Endpoint("/gateway/v1/keys", keys.create_key, "POST", "admin"),
    Endpoint("/gateway/v1/keys/<key_id>/revoke", keys.revoke_key, "POST", "admin"),
    Endpoint("/gateway/v1/keys/<key_id>/rotate", keys.rotate_key, "POST", "admin"),
    Endpoint("/gateway/v1/hooks", hooks.list_hooks, scope="admin"),
    Endpoint("/gateway/v1/hooks", hooks.create_hook, "POST", "admin"),
    Endpoint("/gateway/v1/hooks/<hook_id>/rotate", hooks.rotate_hook, "POST", "admin"),
    Endpoint("/gateway/v1/hooks/<hook_id>", hooks.change_hook, "PATCH", "admin"),
    Endpoint("/gateway/v1/hooks/<hook_id>", hooks.delete_hook, "DELETE", "admin"),
    Endpoint("/gateway/v1/projects", projects.list_all),
    Endpoint("/gateway/v1/projects", projects.create_project, "POST", "admin"),
    Endpoint("/gateway/v1/projects/<project_id>", projects.show_project),
    Endpoint("/gateway/v1/projects/<project_id>", projects.change_project, "PATCH", "admin"),
    Endpoint("/gateway/v1/model", model.show_model),
    Endpoint("/gateway/v1/model/train", model.train_model, "POST", "admin"),
    Endpoint("/gateway/v1/model/use", model.choose_model, "POST", "admin"),
    Endpoint("/gateway/v1/authors/erase", authors.erase_author, "POST", "admin"),
    Endpoint("/gateway/v1/authors/export", authors.export_author, "POST", "admin"),
    Endpoint("/gateway/v1/audit", trail.list_audit, scope="admin"),
)
