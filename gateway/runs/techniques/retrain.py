"""retrain: the triage model learns from people's corrections, as an admin asks for it in the inbox."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.contract import Fault
from gateway.background import retraining
from gateway.runs.technique import Failed, Input, Output, Outputs, Result, Task
from gateway.runs.technique import Technique as Kind
from models.database.base import dumps

SCOPE, MODEL = "scope", "model"
LOOK = 0.5  # seconds between two looks at a learning that somebody else does


def check(inputs: Mapping[str, str], workspace_id: str, project_id: str | None) -> Sequence[Fault]:
    """What is wrong with the inputs of a retraining."""
    wrong = retraining.refusal(project_id) if inputs[SCOPE] == MODEL else f"Must be {MODEL}"
    return [Fault(SCOPE, wrong)] if wrong else []


def act(task: Task) -> Outputs:
    """Asks for a learning, unless one is under way, and waits for what comes of it."""
    asked = _asked(task)
    while asked["state"] in retraining.UNDER_WAY:
        task.step(50 if asked["state"] == "running" else 0, 100)
        time.sleep(LOOK)
        asked = retraining.state() or asked
    if asked["state"] == "failed":
        raise Failed("internal_error", asked["reason"])
    report = {name: asked[name] for name in ("state", "reason", "outcome", "started_at", "finished_at")}
    return [Result("report", "report.json", "application/json", [dumps(report).encode()])]


def _asked(task: Task) -> dict[str, Any]:
    """The learning that this run waits for: one that is under way, or that it asked for itself."""
    known = retraining.state()
    if known is None or (known["state"] not in retraining.UNDER_WAY and known["asked_by"] != task.id):
        return retraining.ask(task.workspace_id, task.id)
    return known


TECHNIQUE = Kind(
    slug="retrain",
    name="Retrain",
    description="The triage model learns from people's corrections; it is used when it is no worse.",
    scope="admin",
    inputs=(Input(SCOPE, "Scope", f"What learns: {MODEL}, the triage model of this gateway."),),
    outputs=(Output("report", "Report", "What came of it, as JSON."),),
    act=act,
    check=check,
)
