"""Each project's own learning from its people: when it is due, and what comes of it.

What is learnt is gateway.triage.training.project_heads, in a process of its own; the heads that pass its gate
are rows (models.tables.project_head), and every process that takes feedback has a new one within seconds.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.access import audit_log
from gateway.background.lease import Lease, Work
from gateway.core.config import Config, learning_off
from gateway.core.ids import now_ms
from gateway.core.pacing import Pace
from gateway.triage import SHIPPED
from models.database.base import writing
from models.queries import lessons
from models.tables import project_head, trained_model

EVERY = 60_000  # milliseconds between two looks
QUIET = 600_000  # milliseconds from a learning to the next that nobody asked for
LEAST = 5  # corrections before a project learns
TOGETHER = 10  # projects that one process learns
PATIENCE = 900.0  # seconds for those
TIMES = ("learnt_at", "tried_at", "next_at")  # of a state
COMMAND = [sys.executable, "-m", "gateway.triage.training.learn_projects"]


@dataclass(frozen=True, slots=True)
class Due:
    """A project that is to learn, by whose wish, from how many corrections, and what it begins with."""

    workspace_id: str
    project_id: str
    by: str
    count: int
    basis: str


def state(workspace_id: str, project_id: str) -> dict[str, Any]:
    """How a project's learning stands; times are milliseconds UTC.

    `next_at` is when it learns by itself, None when there is nothing new.
    """
    row = project_head.shown(project_id) or {}
    count, new = lessons.bases(project_id).get((workspace_id, project_id), (0, ""))
    basis, tried_at = row.get("basis") or "", row.get("tried_at") or 0
    outcome = row.get("outcome") or {}
    next_at = None
    if row.get("asked_by") or row.get("stale"):
        next_at = now_ms()
    elif count >= LEAST and basis.partition("|")[0] != new:
        next_at = max(tried_at + QUIET, now_ms())
    return {
        "corrections": count,
        "needed": LEAST,
        "version": row.get("version"),
        "learnt_at": row.get("learnt_at"),
        "learnt_corrections": row.get("corrections", 0),
        "learnt_confirmations": row.get("confirmations", 0),
        "stale": bool(row.get("stale")),
        "waiting": bool(row.get("asked_by")),
        "tried_at": row.get("tried_at"),
        "refusal": outcome.get("refusal", ""),
        "measured": outcome.get("measured", []),
        "next_at": next_at,
    }


def ask(workspace_id: str, project_id: str, by: str) -> None:
    """Asks for a learning at once."""
    with writing():
        project_head.ask(workspace_id, project_id, by)
        audit_log.note(workspace_id, by, "learning.asked", project_id)


def at_once(workspace_id: str, project_id: str, by: str) -> Due:
    """What a project is to learn now, whatever is due."""
    count, new = lessons.bases(project_id).get((workspace_id, project_id), (0, ""))
    return Due(workspace_id, project_id, by, count, f"{new}|{_model_version()}")


def begin(one: Due) -> None:
    """Notes that a learning begins, within the open transaction."""
    project_head.begin(one.workspace_id, one.project_id, one.basis)


def forget(workspace_id: str, project_id: str, by: str) -> None:
    """Takes all that a project has learnt back, at once, and then its lessons, some at a time."""
    with writing():
        project_head.forget(project_id)
        audit_log.note(workspace_id, by, "learning.forgotten", project_id)
    Pace().until_none(partial(project_head.take_some_back, workspace_id, project_id, now_ms()))


def change_lesson(workspace_id: str, project_id: str, feedback_id: str, learnt: bool, by: str) -> bool:
    """Takes one lesson back, or learns it again, at once; False when there is no such lesson."""
    with writing():
        row = lessons.one(workspace_id, project_id, feedback_id)
        if row is None:
            return False
        was = not row["taken_back"]
        if learnt == was:
            return True
        if learnt:
            project_head.give_back(feedback_id)
        else:
            project_head.take_back(row, now_ms())
            project_head.mark_stale(workspace_id, project_id)
        project_head.ask(workspace_id, project_id, by)
        labels = {name: row[name] for name in ("category", "sentiment")}
        action = "lesson.learnt_again" if learnt else "lesson.taken_back"
        audit_log.note(workspace_id, by, action, feedback_id, project_id=project_id, **labels)
    return True


def due() -> Iterator[Due]:
    """The projects that have something to learn, or to forget, now."""
    model = _model_version()
    bases = lessons.bases()
    known = {row["project"]: row for row in project_head.every()}
    wanted = {project_id: workspace_id for workspace_id, project_id in bases}
    wanted |= {project_id: row["workspace_id"] for project_id, row in known.items()}
    for project_id, workspace_id in wanted.items():
        row = known.get(project_id, {})
        count, new = bases.get((workspace_id, project_id), (0, ""))
        basis = f"{new}|{model}"
        asked = row.get("asked_by") or ("stale" if row.get("stale") else "")
        quiet = now_ms() < (row.get("tried_at") or 0) + QUIET
        fresh = row.get("basis") != basis and (count >= LEAST or row.get("version")) and not quiet
        if asked or fresh:
            yield Due(workspace_id, project_id, row.get("asked_by") or "", count, basis)


def learn(lease: Lease) -> int:
    """Has every project learn that is due."""
    if learning_off():
        return EVERY
    wanted = list(due())
    for start in range(0, len(wanted), TOGETHER):
        some = wanted[start : start + TOGETHER]
        for one in some:
            lease.transact(partial(begin, one))
        done = lease.run([*COMMAND, *(f"{one.workspace_id}/{one.project_id}" for one in some)], PATIENCE)
        found = {row["project_id"]: row for row in _rows(done.stdout)}
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it ended without a word"]
        for one in some:
            row = found.get(one.project_id) or {"outcome": _failed(said[-1]), "data": None}
            lease.transact(partial(finish, one, row))
    return EVERY


def finish(one: Due, row: dict[str, Any]) -> None:
    """Stores what came of a learning that was begun, within the open transaction.

    Nothing of it is kept when people took back meanwhile what it began with.
    """
    data = None if row["data"] is None else base64.b64decode(row["data"])
    _, new = lessons.bases(one.project_id).get((one.workspace_id, one.project_id), (0, ""))
    changed = one.basis.partition("|")[0] != new
    outcome = row["outcome"]
    stored = project_head.store(
        one.workspace_id,
        one.project_id,
        one.basis,
        outcome,
        data,
        now_ms(),
        changed=changed,
        drop=one.count < LEAST,
    )
    if not stored:
        return
    told = {name: outcome[name] for name in ("refusal", "corrections", "confirmations")}
    audit_log.note(
        one.workspace_id, one.by, "learning.done", one.project_id, version=outcome["version"], **told
    )


def _rows(said: str) -> Iterator[dict[str, Any]]:
    for line in said.splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # what a stopped process left
            return


def _failed(why: str) -> dict[str, Any]:
    none = {"version": "", "corrections": 0, "confirmations": 0, "measured": []}
    return {**none, "refusal": why.removeprefix("Error: ")[:1000]}


def _model_version() -> str:
    """The version of the model that the heads stand on, as every process will have it."""
    pinned, chosen = Config.from_env().model_path, trained_model.in_use()
    if pinned is None and chosen != trained_model.SHIPPED:
        return chosen
    card = json.loads(((pinned or SHIPPED) / "model.json").read_text(encoding="utf-8"))
    return str(card["version"])


LEARN = Work(project_head.JOB, learn)
