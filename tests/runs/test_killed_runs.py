"""Runs whose hosts are killed, as real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.files.attachments import File, keep, rows_of
from gateway.files.store import store
from gateway.runs import lifecycle, registry
from models import Asset, Feedback, Job, Run
from models.database.base import writing
from models.tables import asset, run
from tests.conftest import ROOT, Call, Tenant, environ_of, until

pytestmark = pytest.mark.both(long=True)


@contextmanager
def worker(config: Config, directory: Path, host: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A background worker on a host of its own, with `more` settings, until the block ends."""
    own = directory / host
    own.mkdir(exist_ok=True)
    files = {"GATEWAY_DATA_DIR": str(own), "GATEWAY_FILES_DIR": str(config.files_path)}
    settings = {"GATEWAY_DATABASE_URL": config.database_url, "GATEWAY_SECRET_KEY": config.secret_key, **files}
    settings = {name: value for name, value in settings.items() if value} | more
    command = [sys.executable, "-m", "gateway.background.scheduler"]
    process = subprocess.Popen(command, env=environ_of(own, **settings), cwd=ROOT)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=60)


def leases_end() -> None:
    """Two minutes later: whoever is dead has nothing any more."""
    with writing():
        Job.update(leased_until=0, due_at=0).execute()
        Run.update(leased_until=0).execute()


def row_of(run_id: str) -> dict[str, Any]:
    row = run.find(None, run_id)
    assert row is not None
    return row


def started(tenant: Tenant, slug: str, **inputs: str) -> str:
    with writing():
        return str(lifecycle.start(registry.load()[slug], inputs, tenant.workspace_id, "key")[0]["id"])


@pytest.mark.parametrize(
    ("rows", "kills"),
    [(3_000, 1), pytest.param(100_000, 5, marks=[pytest.mark.long, pytest.mark.timeout(3_600)])],
)
def test_an_import_whose_hosts_are_killed(
    config: Config, tenant: Tenant, tmp_path: Path, rows: int, kills: int
) -> None:
    """Every row is there once, those that cannot be stored are told once, and progress only grows."""
    lines = [json.dumps({"text": f"Row {n} of many is slow" if n % 100 else ""}) for n in range(rows)]
    kept = keep(tenant.workspace_id, File("a.ndjson", ["\n".join(lines).encode()]), most=1 << 30)
    with writing():
        asset.keep(rows_of([kept], tenant.workspace_id, None, None, "direct", now_ms()))
    made = started(tenant, "import-feedback", file=kept.id)
    seen: list[int] = []

    def beyond(progress: int) -> bool:
        seen.append(row_of(made)["progress"])
        return seen[-1] >= progress

    for n in range(kills):
        with worker(config, tmp_path, f"host{n}") as process:
            until(lambda n=n: beyond(90 * (n + 1) // (kills + 1)), 1_200)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert row_of(made)["status"] == "running"
        leases_end()
    with worker(config, tmp_path, "last"):
        until(lambda: beyond(100), 1_200)

    row = row_of(made)
    assert row["status"] == "completed"
    assert seen == sorted(seen)
    stored = {one.text for one in Feedback.select(Feedback.text).iterator()}
    assert Feedback.select().count() == len(stored) == rows - len(lines[::100])
    told = {one["id"]: asset.one(one["asset_id"]) for one in row["outputs"]}
    report, rejected = (b"".join(store().open(str(told[name]["sha256"]))) for name in ("report", "rejected"))  # type: ignore[index]
    assert json.loads(report)["stored"] == len(stored)
    assert [json.loads(line)["line"] for line in rejected.splitlines()] == list(range(1, rows + 1, 100))


@pytest.mark.long
def test_two_hosts(config: Config, tenant: Tenant, tmp_path: Path, call: Call) -> None:
    """Each of many runs is done by one of them, once: there is one file of each."""
    call("POST", "/gateway/v1/feedback", json={"text": "The export stalls"})
    made = [started(tenant, "export-feedback", filter="") for _ in range(12)]
    with worker(config, tmp_path, "one"), worker(config, tmp_path, "two"):
        until(lambda: all(row_of(one)["completed_at"] for one in made))
    assert {row_of(one)["status"] for one in made} == {"completed"}
    assert sorted(one.uploaded_via for one in Asset.select()) == [f"run:{one}" for one in made]
