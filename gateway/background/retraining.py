"""Learning from people's corrections when an admin asks for it, by the background worker.

What is asked for and what came of it is kept with the work (models.tables.job). The learning itself is
`feedback-gateway train --corrections` with its gate, in a process of its own; a model that passes goes
into the database and is in use a moment later.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.access import audit_log
from gateway.background.lease import Lease, Work
from gateway.core.ids import now_ms
from gateway.triage import active_model
from models.database.base import writing
from models.tables import job, trained_model
from models.tables.workspace import Workspace

NAME = "retrain"
IDLE = 86_400_000  # milliseconds until the next look when nobody asks
PATIENCE = 1800.0  # seconds
# What can have become of it: waiting and running, then done, refused (by the gate) or failed.
UNDER_WAY = ("waiting", "running")
STATES = (*UNDER_WAY, "done", "refused", "failed")
COMMAND = [sys.executable, "-m", "gateway.cli", "train", "--corrections", "--json", "--out"]


def state() -> dict[str, Any] | None:
    """What was last asked for and what came of it; times are ms UTC. None when nobody ever asked."""
    found: dict[str, Any] | None = job.state(NAME)
    return found


def ask(workspace_id: str, by: str) -> dict[str, Any]:
    """Asks for it, unless it is under way; what is under way now."""
    with writing():
        known = state()
        if known is not None and known["state"] in UNDER_WAY:
            return known
        asked = {"state": "waiting", "asked_at": now_ms(), "asked_by": by, "workspace_id": workspace_id}
        asked |= {"started_at": None, "finished_at": None, "reason": "", "outcome": None}
        job.ask(NAME, asked)
        audit_log.note(workspace_id, by, "model.training_asked", "")
    return asked


def refusal(project_id: str | None) -> str:
    """Why nobody who acts for a workspace, or for only this project, may change the model; "" if they may."""
    if project_id is not None:
        return "The model is the whole gateway's."
    if Workspace.select().count() > 1:
        return "The model is every workspace's: the command line changes it."
    return "GATEWAY_MODEL says which model is in use." if active_model.pinned() else ""


def retrain(lease: Lease) -> int:
    """Does what is asked for, from the beginning also when another worker was stopped half way."""
    asked = state()
    if asked is None or asked["state"] not in UNDER_WAY:
        return IDLE
    running = {**asked, "state": "running", "started_at": now_ms()}
    lease.transact(partial(job.remember, lease.name, running))
    with TemporaryDirectory(prefix="feedback-gateway-") as directory:
        out = Path(directory)
        _lay_out(out)
        done = lease.run([*COMMAND, directory], PATIENCE)
        outcome = _outcome(done.stdout)
        lease.transact(partial(_finish, lease.name, running, outcome, done.stderr, out))
    return IDLE


def _lay_out(out: Path) -> None:
    """Puts the model in use where the command looks for the one to compare with."""
    row = trained_model.find(trained_model.in_use())
    if row is not None and row["card"] is not None:
        (out / str(row["card"]["arrays"])).write_bytes(row["arrays"])
        (out / "model.json").write_text(json.dumps(row["card"]), encoding="utf-8")


def _outcome(said: str) -> dict[str, Any] | None:
    """What the command printed: see gateway.triage.training.learn.Outcome."""
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        return None
    return found


def _finish(name: str, running: dict[str, Any], outcome: dict[str, Any] | None, said: str, out: Path) -> None:
    """Writes down what came of it and stores the model, within the open transaction."""
    ended = {**running, "outcome": outcome, "finished_at": now_ms()}
    if outcome is None:
        lines = [line for line in said.splitlines() if line.strip()] or ["it ended without a word"]
        ended |= {"state": "failed", "reason": lines[-1].removeprefix("Error: ")[:1000]}
    elif not outcome["installed"]:
        ended |= {"state": "refused", "reason": outcome["refusal"]}
    else:
        ended["state"] = "done"
        card = json.loads((out / "model.json").read_text(encoding="utf-8"))
        arrays = (out / str(card["arrays"])).read_bytes()
        trained_model.add(card["version"], running["asked_by"], card["corrections"], card, arrays, now_ms())
    job.remember(name, ended)
    version = outcome["version"] if outcome else ""
    told = {"state": ended["state"], "reason": ended["reason"]}
    audit_log.note(running["workspace_id"], running["asked_by"], "model.trained", version, **told)


RETRAIN = Work(NAME, retrain)
