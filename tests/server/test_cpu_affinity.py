"""Workers on processors of their own: when, which, and that a running worker is where it should be."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.server import cpu_affinity
from tests.conftest import running

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no processes")


@pytest.mark.parametrize(
    ("wanted", "workers", "quota", "bound"),
    [
        ("auto", 4, "max 100000", True),
        ("auto", 5, "max 100000", True),
        ("auto", 3, "max 100000", False),  # the others' processors would stay idle, or are others'
        ("auto", 4, "200000 100000", False),  # a container with a share of a larger machine
        ("auto", 4, None, True),
        ("on", 1, "200000 100000", True),
        ("off", 4, "max 100000", False),
    ],
)
def test_when(
    wanted: str,
    workers: int,
    quota: str | None,
    bound: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Four processors; workers are bound when they have the machine to themselves, or when asked."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 5})
    monkeypatch.setattr(cpu_affinity, "QUOTA", tmp_path / "cpu.max")
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)

    assert cpu_affinity.processors(wanted, workers) == ([0, 1, 2, 5] if bound else [])


def test_which() -> None:
    """A new worker gets the processor that the fewest have, also in place of one that died."""
    arbiter: Any = SimpleNamespace(WORKERS={})
    for pid in range(5):
        worker: Any = SimpleNamespace()
        cpu_affinity.choose(arbiter, worker, [0, 3])
        arbiter.WORKERS[pid] = worker
    chosen = [worker.processor for worker in arbiter.WORKERS.values()]
    del arbiter.WORKERS[1]
    fresh: Any = SimpleNamespace()
    cpu_affinity.choose(arbiter, fresh, [0, 3])

    assert chosen == [0, 3, 0, 3, 0]
    assert fresh.processor == 3
    cpu_affinity.choose(arbiter, fresh, [])
    assert fresh.processor is None


@pytest.mark.long
def test_a_running_worker(tmp_path: Path) -> None:
    """The worker of a server runs on one processor when asked to, its parent on all."""
    with running(tmp_path, GATEWAY_CPU_AFFINITY="on", GATEWAY_WORKERS="1") as server:
        with server.client() as client:
            assert client.get("/healthz").status_code == 200
        parent = server.process.pid
        (worker,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()

        assert len(os.sched_getaffinity(int(worker))) == 1
        assert os.sched_getaffinity(parent) == os.sched_getaffinity(0)
