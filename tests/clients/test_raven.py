"""raven, Sentry's Python SDK before sentry-sdk, which posts events to /api/N/store/."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import CACHE, Inbox, installed, new_hook, run, severity_of
from tests.conftest import Server

WANTED = "raven==6.10.0"
SENDING = """
import json, sys
from raven import Client
from raven.transport.http import HTTPTransport

asked = json.load(sys.stdin)
client = Client(asked["dsn"], install_sys_hook=False, transport=HTTPTransport, release="decks@1.0")
client.user_context({"id": "u-31", "email": "marit@example.org"})
client.tags_context({"area": "planner"})
ids = [client.captureMessage(asked["words"] + " deck %s", params=(3,), level="warning")]
try:
    raise ValueError(asked["words"] + " berth")
except ValueError:
    ids.append(client.captureException())
print(json.dumps({"ids": ids, "online": client.state.did_fail is not None}))
"""


@pytest.fixture(name="python", scope="module")
def _python() -> Path:
    with installed("raven", WANTED) as folder:
        if folder is not None:
            run(sys.executable, "-m", "venv", folder)
            run(folder / "bin" / "pip", "install", "--disable-pip-version-check", "-q", WANTED)
    return CACHE / "raven" / "bin" / "python"


@pytest.mark.long
def test_events(python: Path, server: Server, inbox: Inbox, trace_id: str) -> None:
    """A message and an exception of an old SDK are alerts, with its user, tags and release."""
    asked = json.dumps({"dsn": new_hook(server, "sentry-dsn")["dsn"], "words": trace_id})
    done = subprocess.run(
        [python, "-c", SENDING], input=asked, capture_output=True, text=True, check=True, timeout=60
    )
    ids = json.loads(done.stdout)["ids"]

    found: dict[str, Any] = {record["external_id"]: record for record in inbox.newest()}
    message, failure = (found[event_id] for event_id in ids)
    assert message["title"] == f"{trace_id} deck 3"
    assert failure["title"] == f"ValueError: {trace_id} berth"
    assert [severity_of(record) for record in (message, failure)] == [3, 4]
    for record in (message, failure):
        assert (record["source"], record["type"], record["status"]) == ("sentry", "alert", "open")
        assert (record["author"]["id"], record["author"]["email"]) == ("u-31", "marit@example.org")
        assert record["subject"]["release"] == "decks@1.0"
        assert "area:planner" in record["tags"]
