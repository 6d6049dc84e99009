"""How runs begin and end, each in one transaction with everything that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.access import audit_log
from gateway.core.ids import id_at, new_id, now_ms
from gateway.files import addresses
from gateway.runs import callbacks
from gateway.runs.technique import Technique
from models.database.base import serialise, writing
from models.tables import job, outbox, run
from models.tables.workspace import Workspace

Row = dict[str, Any]


class Spent(Exception):
    """The workspace has started as many runs as it may this month; the message says how many those are."""


def start(
    technique: Technique,
    inputs: Mapping[str, str],
    workspace_id: str,
    by: str,
    *,
    project_id: str | None = None,
    callback_url: str | None = None,
    idempotency_key: str | None = None,
) -> tuple[Row, bool]:
    """Starts a run within the open transaction: the run, and whether it is new.

    The same idempotency key means the run that it started before, whatever the inputs. Raises Spent.
    """
    serialise([f"runs {workspace_id}"])  # what is there is counted and looked up
    if idempotency_key is not None:
        known = run.by_key(workspace_id, technique.slug, idempotency_key)
        if known is not None:
            return known, False
    now = now_ms()
    _spend(workspace_id)
    row = run.add(
        id=new_id("run"),
        workspace_id=workspace_id,
        project_id=project_id,
        technique=technique.slug,
        inputs=dict(inputs),
        created_at=now,
        created_by=by,
        callback_url=callback_url,
        idempotency_key=idempotency_key,
    )
    audit_log.note(workspace_id, by, "run.started", row["id"], technique=technique.slug)
    for work in run.WORKS:
        job.hurry(work)
    return row, True


def cancel(workspace_id: str, run_id: str, by: str) -> bool:
    """Ends a run that has not ended; False when it had, or is not there. What it has written stays."""
    with writing():
        found = run.find(workspace_id, run_id)
        ended = found and end(run_id, error=(run.CANCELLED, "An admin cancelled this run."))
        if ended:
            audit_log.note(workspace_id, by, "run.cancelled", run_id, technique=ended["technique"])
    return bool(ended)


def end(
    run_id: str, outputs: list[dict[str, Any]] | None = None, error: tuple[str, str] | None = None
) -> Row | None:
    """Ends a run within the open transaction, with what it made or a code and words for why it failed.

    The run as it is now; None when it had ended before.
    """
    now = now_ms()
    if error is None:
        ended = run.end(
            run_id, {"status": "completed", "progress": 100, "outputs": outputs or [], "completed_at": now}
        )
    else:
        code, message = error
        failed = {"status": "failed", "error_code": code, "error_message": message, "completed_at": now}
        ended = run.end(run_id, failed)
    if ended is not None:
        callbacks.schedule(ended)
        _note(ended)
    return ended


def address_of(row: Mapping[str, Any], output: Mapping[str, Any]) -> str:
    """Where anybody can have a file that a run made, for as long as it is kept."""
    seconds = (row["completed_at"] + run.FILES_FOR - now_ms()) // 1000
    return addresses.signed_url({"id": output["asset_id"], "name": output["name"]}, seconds)


def left(workspace_id: str) -> int | None:
    """How many more runs a workspace may start this month; None for any number."""
    allowed = Workspace.select(Workspace.runs_a_month).where(Workspace.id == workspace_id).scalar()
    if allowed is None:
        return None
    month = datetime.fromtimestamp(now_ms() / 1000, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    started = run.started_since(workspace_id, id_at("run", int(month.timestamp() * 1000)))
    return max(0, int(allowed) - started)


def _note(ended: Row) -> None:
    """Has whoever listens told that a run has ended, within the open transaction."""
    data = {"run_id": ended["id"], "project_id": ended["project_id"], "technique": ended["technique"]}
    failed = ended["status"] == "failed"
    data |= {"error_code": ended["error_code"]} if failed else {}
    kind = outbox.FAILED if failed else outbox.COMPLETED
    outbox.note_other(kind, ended["workspace_id"], ended["project_id"], data, ended["completed_at"])


def _spend(workspace_id: str) -> None:
    if left(workspace_id) == 0:
        raise Spent("Insufficient credits: 1 required, 0 available this month.")
