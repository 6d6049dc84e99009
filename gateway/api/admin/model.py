"""/gateway/v1/model: which triage model labels, what people taught it, and the way back.

The model labels for every workspace of the gateway. So an admin changes it here only where there is no
other workspace; where there is, the command line does (`feedback-gateway train`).
"""

from __future__ import annotations

from typing import Any

from adapters.common.schemas import Strict, Text
from adapters.contract import Inbound, Problem, Refused, Reply, invalid
from gateway import triage
from gateway.access import audit_log
from gateway.access.caller import Caller
from gateway.api import query_parameters
from gateway.api.admin.request_schemas import unknown
from gateway.background import retraining
from gateway.core.ids import now_ms
from gateway.triage import active_model
from models.database.base import writing
from models.queries.corrections import corrected
from models.tables import trained_model as models
from models.tables.feedback import iso


class Choice(Strict):
    version = Text(required=True)


def show_model(caller: Caller, inbound: Inbound) -> Reply:
    """The model in use, those that can be gone back to, and what came of the last training."""
    if faults := query_parameters.unknown(inbound, ()):
        raise invalid(*faults)
    return Reply(200, _document(caller))


def train_model(caller: Caller, inbound: Inbound) -> Reply:
    """Learns what people corrected, in the background; asked again meanwhile it is the same training.

    A model that is worse on held-out texts is not installed. Raises Refused (403).
    """
    _check(caller)
    retraining.ask(caller.workspace_id, caller.key_id)
    return Reply(202, _document(caller))


def choose_model(caller: Caller, inbound: Inbound) -> Reply:
    """Goes back to another model that is kept; `shipped` is the one in the package.

    Raises Refused (400, 403, 404).
    """
    _check(caller)
    version = Choice.of(inbound)["version"]
    with writing():
        before = models.in_use()
        if version != before:
            if not models.choose(version, now_ms()):
                raise unknown("model")
            detail = {"from": before}
            audit_log.note(caller.workspace_id, caller.key_id, "model.chosen", version, **detail)
    return Reply(200, _document(caller))


def _check(caller: Caller) -> None:
    if reason := retraining.refusal(caller.project_id):
        raise Refused(Problem(403, "forbidden", reason))


def _document(caller: Caller) -> dict[str, Any]:
    chosen, training = models.in_use(), retraining.state()
    mine = training is not None and training["workspace_id"] == caller.workspace_id
    return {
        "version": triage.version(),
        "pinned": active_model.pinned(),
        "corrections": corrected(caller.workspace_id, caller.project_id),
        "training": _training(training) if mine and training else None,
        "kept": [
            {
                "version": row["version"],
                "made_at": iso(row["made_at"]),
                "corrections": row["corrections"],
                "chosen": row["version"] == chosen,
            }
            for row in models.kept()
        ],
        "shipped": chosen == models.SHIPPED,
    }


def _training(asked: dict[str, Any]) -> dict[str, Any]:
    outcome = asked["outcome"] or {}
    times = {name: iso(asked[name]) for name in ("asked_at", "started_at", "finished_at")}
    told = {name: outcome.get(name) for name in ("version", "old_version")}
    scores = {name: outcome.get(name, []) for name in ("corrections", "held_out")}
    return {
        "state": asked["state"],
        "asked_by": asked["asked_by"],
        **times,
        "reason": asked["reason"],
        **told,
        **scores,
    }
