"""docs/clients.md is run as it stands: every block sends what its text says, to a running gateway."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Server

PAGE = (ROOT / "docs/clients.md").read_text()
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", PAGE, re.S | re.M)
Newest = Callable[[], dict[str, Any]]


def blocks(language: str, name: str = "") -> list[str]:
    """The blocks of a language that have this name."""
    return [text for kind, called, text in BLOCKS if (kind, called) == (language, name)]


@pytest.fixture(name="environ")
def _environ(server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment that the page asks for: an address, and a key that may only send."""
    known = {"GATEWAY_URL": server.url, "GATEWAY_KEY": server.new_key("--scope", "ingest")}
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    return {"PATH": os.environ["PATH"], **known}


@pytest.fixture(name="newest")
def _newest(server: Server, environ: dict[str, str]) -> Newest:
    """What a test has stored: the newest record, which must have come since."""
    with server.client() as client:
        before = client.get("/gateway/v1/feedback?limit=1").json()["data"]

    def newest() -> dict[str, Any]:
        with server.client() as client:
            (found,) = client.get("/gateway/v1/feedback?limit=1").json()["data"]
        assert [found] != before, "nothing was stored"
        record: dict[str, Any] = found
        return record

    return newest


@pytest.fixture(name="load")
def _load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a file of the page: load("report.py")."""
    monkeypatch.syspath_prepend(tmp_path)
    loaded: list[str] = []

    def load(name: str) -> ModuleType:
        (text,) = blocks("python", name)
        (tmp_path / name).write_text(text)
        loaded.append(name.removesuffix(".py"))
        return __import__(loaded[-1])

    yield load
    for name in loaded:
        sys.modules.pop(name, None)


def run(environ: dict[str, str], *command: str, text: str = "") -> str:
    done = subprocess.run(command, input=text, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_every_block_is_run() -> None:
    """The page has no snippet that the tests below leave out."""
    assert sorted((language, name) for language, name, _ in BLOCKS) == [
        ("js", ""),
        ("python", ""),
        ("python", ""),
        ("python", "discord_relay.py"),
        ("python", "report.py"),
        ("python", "slack_relay.py"),
        ("sh", ""),
        ("yaml", "github"),
        ("yaml", "gitlab"),
    ]


def test_curl(environ: dict[str, str], newest: Newest) -> None:
    """curl stores one record, however often it is run."""
    (command,) = blocks("sh")
    answers = [json.loads(run(environ, "bash", "-c", command)) for _ in range(2)]

    assert answers[0] == answers[1] == newest()


@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_python(environ: dict[str, str], newest: Newest, library: str) -> None:
    """The snippet runs with either library."""
    text = blocks("python")[0].replace(
        "import httpx  # or: import requests as httpx", f"import {library} as httpx"
    )
    text = text.replace("ticket-4712", f"ticket-{library}")

    assert run(environ, sys.executable, "-c", text).split() == [newest()["category"], str(newest()["impact"])]
    assert newest()["author"]["email"] == "anna@example.org"


def test_python_exceptions(environ: dict[str, str], newest: Newest, tmp_path: Path) -> None:
    """An exception that is logged is reported with its stack trace before the program ends."""
    (tmp_path / "report.py").write_text(blocks("python", "report.py")[0])
    (tmp_path / "program.py").write_text(blocks("python")[1])
    run(environ, sys.executable, str(tmp_path / "program.py"))

    record = newest()
    assert (record["title"], record["kind"], record["category"]) == ("KeyError: 'cabin'", "exception", "bug")
    assert record["text"].startswith("Booking failed\n\nTraceback (most recent call last):")
    assert record["subject"]["logger"] == "root"


def test_python_middleware(newest: Newest, load: Callable[[str], ModuleType]) -> None:
    """What an application raises is reported with its route and raised all the same, while it answers."""
    report = load("report.py")
    kept, log = report.Handler(), logging.getLogger("web")
    log.addHandler(kept)

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        yield b"some"
        raise ValueError("no such deck")

    try:
        with pytest.raises(ValueError, match="no such deck"):
            list(report.Middleware(application)({"REQUEST_METHOD": "GET", "PATH_INFO": "/decks/9"}, None))
    finally:
        log.removeHandler(kept)
        kept.flush()

    record = newest()
    assert record["title"] == "ValueError: no such deck"
    assert record["subject"]["page"] == "/decks/9"
    assert "in application" in record["text"]


def test_python_reports_never_hurt(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gateway that is away, and a queue that is full, are no exceptions in the program."""
    monkeypatch.setenv("GATEWAY_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GATEWAY_KEY", "none")
    report = load("report.py")
    kept = report.Handler()
    for number in range(3000):
        kept.handle(logging.makeLogRecord({"msg": "number %s", "args": (number,), "levelno": logging.ERROR}))
    kept.flush()

    assert "Connection refused" in capsys.readouterr().err


def test_javascript(environ: dict[str, str], newest: Newest) -> None:
    """fetch in Node.js stores a record."""
    node = shutil.which("node")
    if node is None:
        reason = "node is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    (text,) = blocks("js")

    assert run(environ, node, "--input-type=module", "-", text=text).strip() == newest()["category"]


GITHUB = {
    "GITHUB_RUN_ID": "16001",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_REPOSITORY": "tulip/orders",
    "GITHUB_JOB": "build",
    "GITHUB_SHA": "0" * 40,
    "GITHUB_SERVER_URL": "https://github.com",
}
GITLAB = {
    "CI_PIPELINE_ID": "9001",
    "CI_PROJECT_PATH": "books/ledger",
    "CI_COMMIT_REF_SLUG": "main",
    "CI_COMMIT_SHORT_SHA": "01234567",
    "CI_PIPELINE_URL": "https://gitlab.example.org/books/ledger/-/pipelines/9001",
}


def test_github_step(environ: dict[str, str], newest: Newest) -> None:
    """The step is YAML that names only what it is given, and its script stores the run once."""
    (text,) = blocks("yaml", "github")
    (step,) = yaml.safe_load(text)
    for _ in range(2):
        run(environ | GITHUB, "bash", "-e", "-o", "pipefail", "-c", step["run"])

    assert set(step["env"]) == {"GATEWAY_URL", "GATEWAY_KEY"} and step["if"] == "failure()"
    assert set(re.findall(r"\$([A-Z_]+)", step["run"])) <= {*environ, *GITHUB}
    assert newest()["subject"]["url"] == "https://github.com/tulip/orders/actions/runs/16001"
    assert (newest()["type"], newest()["occurrences"]) == ("ci", 1)


def test_gitlab_job(environ: dict[str, str], newest: Newest) -> None:
    """The job is YAML that names only what it is given, and its script stores the pipeline."""
    (text,) = blocks("yaml", "gitlab")
    (job,) = yaml.safe_load(text).values()
    for line in job["script"]:
        run(environ | GITLAB, "sh", "-e", "-c", line)  # curlimages/curl has no bash

    assert set(re.findall(r"\$([A-Z_]+)", "".join(job["script"]))) <= {*environ, *GITLAB}
    assert newest()["title"] == "books/ledger: pipeline failed"
    assert newest()["subject"]["url"] == GITLAB["CI_PIPELINE_URL"]


def test_slack_relay(newest: Newest, load: Callable[[str], ModuleType]) -> None:
    """A person's message is stored once, however often Slack delivers it; bots' and edits are not."""
    module = load("slack_relay.py")
    event = {
        "type": "message",
        "text": "The export stalls",
        "user": "U1",
        "channel": "C1",
        "ts": "1795249500.0019",
    }
    for delivered in (event, event, {**event, "bot_id": "B1"}, {**event, "subtype": "message_changed"}):
        module.relay(delivered)
    module.relay({**event, "text": " ", "ts": "1795249501.0"})
    module.gateway.close()

    record = newest()
    assert (record["text"], record["author"]["id"]) == ("The export stalls", "U1")
    assert (record["external_id"], record["occurrences"]) == ("C1-1795249500.0019", 1)


def test_discord_relay(newest: Newest, load: Callable[[str], ModuleType]) -> None:
    """A person's message is stored with who and where; a bot's is not."""
    module = load("discord_relay.py")

    def message(words: str, *, bot: bool) -> SimpleNamespace:
        return SimpleNamespace(
            id=1573615452020539399,
            content=words,
            author=SimpleNamespace(id=201, bot=bot, display_name="Ann"),
            channel=SimpleNamespace(id=400),
            jump_url="https://discord.com/channels/300/400/1573615452020539399",
            created_at=datetime(2026, 11, 21, 8, 26, tzinfo=UTC),
        )

    async def deliver() -> None:
        await module.on_message(message("The map is blank", bot=False))
        await module.on_message(message("Beep", bot=True))
        await module.gateway.aclose()

    with ThreadPoolExecutor(1) as pool:  # a browser of other tests has a loop in this thread
        pool.submit(asyncio.run, deliver()).result()

    record = newest()
    assert (record["text"], record["author"]["name"]) == ("The map is blank", "Ann")
    assert record["occurred_at"] == "2026-11-21T08:26:00.000Z"
