"""Real client packages, installed once beside the tree's own environment and driven over lines of JSON."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import select
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.access.api_keys import make_key
from tests.clients.lossy import Lossy, losing
from tests.conftest import ROOT, Server, Tenant, run_command

HERE = Path(__file__).parent
CACHE = ROOT / ".venv" / "clients"
NODE = 20  # the oldest major version the packages run on
ANSWER_SECONDS = 60  # the longest any single call may take


@dataclass(frozen=True)
class Outcome:
    """What one call of a client came to: its value or its error, and the requests it made."""

    value: Any
    error: dict[str, Any] | None
    requests: list[dict[str, Any]]

    @property
    def data(self) -> Any:
        """The value of a call that did not fail."""
        assert self.error is None, self.error
        return self.value

    @property
    def failure(self) -> dict[str, Any]:
        """The error of a call that failed."""
        assert self.error is not None, self.value
        return self.error

    @property
    def statuses(self) -> list[int | None]:
        return [request["status"] for request in self.requests]


class Driver:
    """A process that holds a real client."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, **call: Any) -> Outcome:
        """Makes one call and waits for its outcome."""
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):  # told below: there is no line to read
            process.stdin.write(json.dumps(call) + "\n")
            process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], ANSWER_SECONDS)
        assert ready, f"no outcome within {ANSWER_SECONDS} s of {call}"
        line = process.stdout.readline()
        assert line, "the client's process ended: its last words are on standard error"
        outcome = json.loads(line)
        return Outcome(outcome.get("value"), outcome.get("error"), outcome.get("requests", []))

    def close(self) -> None:
        """Ends the process: it stops at the end of its input."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


@contextmanager
def driving(command: Sequence[str | Path], **settings: str) -> Iterator[Driver]:
    """A driver until the block ends; `settings` are environment variables."""
    driver = Driver([str(word) for word in command], {**os.environ, **settings})
    try:
        yield driver
    finally:
        driver.close()


@contextmanager
def installed(name: str, wanted: str) -> Iterator[Path | None]:
    """The folder an installation belongs in, one process at a time.

    Yields None when what is `wanted` is in it already.
    """
    folder, done = CACHE / name, CACHE / f"{name}.installed"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists() and done.read_text() == wanted:
            yield None
            return
        shutil.rmtree(folder, ignore_errors=True)
        yield folder
        done.write_text(wanted)


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Runs an installer. Without it these tests cannot run: skipped, or failed where CI is set."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        reason = f"{command[0]} could not install the clients: {done.stderr[-1000:]}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@pytest.fixture(name="node", scope="session")
def _node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scripts of this directory beside the packages they import."""
    found = shutil.which("node"), shutil.which("npm")
    if None in found:
        pytest.skip("node or npm is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < NODE:
        pytest.skip(f"node {version.strip()} is older than {NODE}")
    with installed("node", (HERE / "package.json").read_text()) as folder:
        if folder is not None:
            folder.mkdir()
            shutil.copy(HERE / "package.json", folder)
            run("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", cwd=folder)
    scripts = tmp_path_factory.mktemp("node")
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, scripts)
    (scripts / "node_modules").symlink_to(CACHE / "node" / "node_modules")
    return scripts


@pytest.fixture(name="flora_driver", scope="session")
def _flora_driver(node: Path) -> Iterator[Driver]:
    with driving(["node", node / "flora.mjs"]) as driver:
        yield driver


@pytest.fixture(name="orq_driver", scope="session")
def _orq_driver(node: Path) -> Iterator[Driver]:
    with driving(["node", node / "orq.mjs"]) as driver:
        yield driver


@pytest.fixture(name="fluister_driver", scope="session")
def _fluister_driver(node: Path) -> Iterator[Driver]:
    with driving(["node", node / "fluister.mjs"]) as driver:
        yield driver


@pytest.fixture(name="sentry_driver", scope="session")
def _sentry_driver(node: Path) -> Iterator[Driver]:
    with driving(["node", node / "sentry.mjs"]) as driver:
        yield driver


@pytest.fixture(name="old_orq_driver", scope="session")
def _old_orq_driver() -> Iterator[Driver]:
    """orq-ai-sdk 4.2.18, the way the products that never updated still run it."""
    wanted = "orq-ai-sdk==4.2.18"
    with installed("orq-4.2.18", wanted) as folder:
        if folder is not None:
            run(sys.executable, "-m", "venv", folder)
            run(folder / "bin" / "pip", "install", "--disable-pip-version-check", "-q", wanted)
    with driving([CACHE / "orq-4.2.18" / "bin" / "python", HERE / "orq_4_2.py"]) as driver:
        yield driver


def new_hook(server: Server, source: str, *options: str, at: str = "") -> dict[str, Any]:
    """What `hook create` prints for a gateway that its senders know under the address `at`."""
    environ = {**server.environ, "GATEWAY_PUBLIC_URL": at or server.url}
    return run_command(environ, "hook", "create", source, *options)


def severity_of(record: Mapping[str, Any]) -> int:
    """The points that a record's severity adds to its impact: what its sender said, if it said any."""
    (points,) = [reason["points"] for reason in record["impact_reasons"] if reason["part"] == "severity"]
    return int(points)


class Inbox:
    """What the gateway stored, as its own read API shows it."""

    def __init__(self, server: Server) -> None:
        self._client = server.client()

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **query: Any) -> Any:
        answer = self._client.get(f"/gateway/v1/feedback{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def newest(self, **filters: Any) -> list[dict[str, Any]]:
        """The newest records, at most 200."""
        found: list[dict[str, Any]] = self.get("", limit=200, **filters)["data"]
        return found

    def record(self, feedback_id: str) -> dict[str, Any]:
        """The record of this id, out of the list."""
        (record,) = [record for record in self.newest() if record["id"] == feedback_id]
        return record

    def about(self, **subject: Any) -> list[dict[str, Any]]:
        """The records whose subject has all of this, newest first."""
        return [record for record in self.newest() if subject.items() <= record["subject"].items()]

    def events(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A record's history, oldest first."""
        events: list[dict[str, Any]] = self.get(f"/{record['id']}/events")["data"]
        return events


@pytest.fixture(name="inbox")
def _inbox(server: Server) -> Iterator[Inbox]:
    inbox = Inbox(server)
    yield inbox
    inbox.close()


@pytest.fixture(name="proxy")
def _proxy(server: Server) -> Iterator[Lossy]:
    """A proxy in front of the gateway that cuts the connection instead of passing on the first answer."""
    with losing(server.url) as proxy:
        yield proxy


@pytest.fixture(name="trace_id")
def _trace_id() -> str:
    """An id no other test uses."""
    return secrets.token_hex(12)


@pytest.fixture(name="unknown_key", scope="session")
def _unknown_key() -> str:
    """A key that looks right and was never given out."""
    return make_key()


@pytest.fixture(name="reading_key", scope="session")
def _reading_key(server: Server) -> str:
    """A key that may read and not send."""
    return server.new_key("--scope", "read")


@pytest.fixture(name="neighbour", scope="session")
def _neighbour(server: Server) -> Tenant:
    """Another workspace of the same gateway."""
    made = server.run("init", "--workspace", "Neighbour")
    return Tenant(made["workspace_id"], made["project_id"], made["key"])


@dataclass(frozen=True)
class KeptFile:
    """A file of a record, as the gateway keeps it; one that it refused has a reason and no content."""

    name: str
    content_type: str
    reason: str | None
    content: bytes


def files_of(server: Server, feedback_id: str) -> list[KeptFile]:
    """The files of a record, from the server's own database and folder."""
    asked = "SELECT name, content_type, reason, sha256 FROM asset WHERE feedback_id = ? ORDER BY id"
    with closing(sqlite3.connect(f"file:{server.directory}/gateway.db?mode=ro", uri=True)) as found:
        rows = found.execute(asked, (feedback_id,)).fetchall()
    folder = server.directory / "files"
    return [
        KeptFile(*told, (folder / digest[:2] / digest).read_bytes() if digest else b"")
        for *told, digest in rows
    ]
