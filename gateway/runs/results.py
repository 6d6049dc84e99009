"""What runs make: bytes in the store of files, and their assets in the transaction that ends the run."""

from __future__ import annotations

from typing import Any

from gateway.core.ids import new_id, now_ms
from gateway.core.pacing import transact
from gateway.files import attachments
from gateway.files.attachments import Kept, rows_of
from gateway.files.store import Stored, store
from gateway.runs import lifecycle
from gateway.runs.technique import Outputs, Result, Task
from models.tables import asset, run, unclaimed_file

MOST = 1 << 40  # bytes of a file; an export is as large as what it is of


def keep(task: Task, made: Outputs) -> list[tuple[Result, Kept]]:
    """Puts the files into the store; there are no rows of them yet. Raises what their making raises."""
    return [(result, put(task, result)) for result in made]


def end(task: Task, kept: list[tuple[Result, Kept]]) -> None:
    """Ends a run well, with its files, within the open transaction."""
    store_rows(task, [one for _, one in kept])
    outputs: list[dict[str, Any]] = [
        {"id": result.id, "type": "documentUrl", "name": one.name, "asset_id": one.id} for result, one in kept
    ]
    lifecycle.end(task.id, outputs)


def store_rows(task: Task, kept: list[Kept], source_url: str | None = None) -> None:
    """Stores the rows of a run's files within the open transaction."""
    rows = rows_of(kept, task.workspace_id, task.run["project_id"], None, run.via_of(task.id), now_ms())
    asset.keep([{**row, "source_url": source_url} for row in rows])


def put(task: Task, result: Result, *, fetched: bool = False) -> Kept:
    """Puts a file into the store: it is what it says, and there is always room for one of our own making.

    Raises OverQuota for one that was fetched.
    """
    made = new_id("asset")

    def admit(stored: Stored) -> None:
        if fetched:
            attachments.admit(task.workspace_id, made, stored)
            return
        args = stored.digest, made, task.workspace_id, stored.size, now_ms()
        transact(lambda: unclaimed_file.note(*args))

    stored = store().put(result.chunks, MOST, admit)
    return Kept(result.name, stored.size, stored.digest, result.content_type, id=made)
