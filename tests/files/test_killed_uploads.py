"""No row without its bytes and, after the sweep, no bytes without a row: whenever a process dies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from gateway.core.config import Config
from gateway.files import removal, store
from gateway.files.store import LocalStore
from models import Asset, UnclaimedFile
from models.database.base import close
from models.intake import commit
from tests.conftest import ROOT, Call, Tenant
from tests.files.test_removal import age


@pytest.fixture(name="command")
def _command(app: Flask, call: Call, config: Config, tenant: Tenant, tmp_path: Path) -> list[str]:
    """What runs tests/files/uploading.py on this database, but for its first word."""
    feedback_id = call("POST", "/gateway/v1/feedback", json={"text": "With files"}).json["id"]
    folder = tmp_path / "kept"
    store.connect(Config(files_dir=str(folder)))
    commit.stop()
    close()
    return [config.database_url, str(folder), tenant.key, feedback_id]


def start(what: str, command: list[str]) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.files.uploading", what, *command]
    return subprocess.Popen(words, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[str]) -> str:
    told, errors = process.communicate(timeout=250)
    assert process.returncode == 0, errors
    return told


def digests(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def swept(folder: Path) -> None:
    """As the worker does a day later."""
    age(folder)
    removal.release()
    removal.sweep()
    assert digests(folder) == {row.sha256 for row in Asset.select()}
    assert {row.status for row in Asset.select()} == {"ready"}
    assert not UnclaimedFile.select().count()


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.parametrize("every", ["11", pytest.param("1", marks=pytest.mark.long)])
def test_killed_at_each_line(command: list[str], every: str) -> None:
    """kill -9 at each line of keeping a file and of deleting one, or at some of them."""
    lines = int(finish(start(every, command)))

    assert lines > 100
    assert Asset.select().count() > 0
    swept(Path(command[1]))


@pytest.mark.long
def test_several_at_once(command: list[str]) -> None:
    """Processes that keep and delete the same bytes at once: whoever was told that a file is kept has it."""
    for process in [start("busy", command) for _ in range(3)]:
        finish(process)

    folder = Path(command[1])
    assert {row.sha256 for row in Asset.select()} <= digests(folder)
    swept(folder)


def test_durable_before_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is synced before it gets its name, and the folder of the name after that."""
    steps: list[str] = []
    real = os.rename

    def sync(number: int) -> None:
        steps.append(f"sync {Path(os.readlink(f'/proc/self/fd/{number}')).name[:8]}")

    def rename(source: Path, target: Path) -> None:
        steps.append("rename")
        real(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "rename", rename)
    stored = LocalStore(tmp_path / "kept").put([b"abc"], 3, lambda one: steps.append("admit"))

    assert steps == ["sync .partial", "admit", "sync kept", "rename", f"sync {stored.digest[:2]}"]
