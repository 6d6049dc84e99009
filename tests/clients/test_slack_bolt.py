"""Real apps of slack_bolt and @slack/bolt beside the gateway: it takes what they take, and no more."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.clients.conftest import CACHE, installed, new_hook, run
from tests.conftest import Server
from tests.signing import VENDORS

pytestmark = pytest.mark.long

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
WANTED = "slack_bolt==1.30.0"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
WHERE = {
    "team": {"id": "T0GARDEN"},
    "channel": {"id": "C0HELP"},
    "user": {"id": "U0MIRA", "team_id": "T0GARDEN"},
}
COMMAND = "command=%2Ffeedback&text=Slow&trigger_id=1.2&team_id=T0GARDEN&user_id=U0MIRA&channel_id=C0HELP"
MESSAGE = {
    "type": "message",
    "text": "Slow",
    "user": "U0MIRA",
    "ts": "1795249500.001900",
    "channel": "C0HELP",
}


def interactive(kind: str, **more: object) -> tuple[str, str]:
    return "payload=" + quote(json.dumps({"type": kind, "callback_id": "c", **WHERE, **more})), FORM


def event(sent: dict[str, object]) -> tuple[str, str]:
    whole = {"type": "event_callback", "team_id": "T0GARDEN", "event_id": "Ev1", "event": sent}
    return json.dumps(whole), JSON


TYPED = {"b": {"a": {"type": "plain_text_input", "value": "The lift is slow"}}}
VIEW = {"id": "V1", "hash": "1.a", "callback_id": "c", "type": "modal", "state": {"values": TYPED}}
OLD = {"action_ts": "1795249540.1", "response_url": "http://127.0.0.1:9/", "token": "t"}
SENT = {
    "url_verification": (
        json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB", "token": "t"}),
        JSON,
    ),
    "message": event(MESSAGE),
    "mention": event({**MESSAGE, "type": "app_mention"}),
    "reaction": event(
        {
            "type": "reaction_added",
            "user": "U0MIRA",
            "reaction": "+1",
            "item": {"type": "message", "channel": "C0HELP", "ts": "1.2"},
        }
    ),
    "command": (COMMAND, FORM),
    "ssl_check": ("ssl_check=1&token=t", FORM),
    "shortcut": interactive("shortcut", trigger_id="1.2"),
    "message_action": interactive(
        "message_action", message=MESSAGE, message_ts=MESSAGE["ts"], trigger_id="1.2"
    ),
    "block_actions": interactive(
        "block_actions", actions=[{"type": "button", "action_id": "a", "block_id": "b"}]
    ),
    "view_submission": interactive("view_submission", view=VIEW),
    "view_closed": interactive("view_closed", view=VIEW, is_cleared=False),
    "interactive_message": interactive(
        "interactive_message", actions=[{"name": "a", "type": "button"}], **OLD
    ),
    "dialog_submission": interactive("dialog_submission", submission={"what": "Slow"}, state="", **OLD),
    "dialog_cancellation": interactive("dialog_cancellation", state="", **OLD),
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(command: Sequence[str | Path], port: int) -> Iterator[str]:
    """An app until the block ends, once it answers."""
    environ = {**os.environ, "PORT": str(port), "SECRET": SECRET}
    app = subprocess.Popen([str(word) for word in command], env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert app.stdout is not None
        assert app.stdout.readline().strip() == "ready"
        url = f"http://127.0.0.1:{port}/slack/events"
        with httpx.Client(transport=httpx.HTTPTransport(retries=5)) as client:
            client.get(url)
        yield url
    finally:
        app.kill()
        app.communicate()


@pytest.fixture(name="apps", scope="module")
def _apps(node: Path) -> Iterator[dict[str, str]]:
    """The addresses of an app of each kind."""
    with installed("slack-bolt", WANTED) as folder:
        if folder is not None:
            run(sys.executable, "-m", "venv", folder)
            run(folder / "bin" / "pip", "install", "--disable-pip-version-check", "-q", WANTED)
    python = CACHE / "slack-bolt" / "bin" / "python"
    with (
        serving([python, Path(__file__).parent / "bolt_app.py"], free_port()) as bolt,
        serving(["node", node / "bolt.mjs"], free_port()) as node_bolt,
    ):
        yield {"slack_bolt": bolt, "@slack/bolt": node_bolt}


def post(url: str, body: str, media: str, secret: str, age: int) -> httpx.Response:
    headers = VENDORS["slack"].sign(secret, body.encode(), int(time.time()) - age)
    return httpx.post(url, content=body, headers={"Content-Type": media, **headers}, timeout=30)


@pytest.mark.parametrize("kind", SENT)
def test_takes_what_bolt_takes(apps: dict[str, str], server: Server, kind: str) -> None:
    """What an app acknowledges the gateway acknowledges, and holds none of it in quarantine."""
    hook = new_hook(server, "slack", "--secret", SECRET)
    with server.client() as client:
        held = len(client.get("/gateway/v1/quarantine").json()["data"])
        answers = {name: post(url, *SENT[kind], SECRET, 0) for name, url in apps.items()}
        ours = post(server.url + hook["path"], *SENT[kind], SECRET, 0)

        statuses = {name: answer.status_code for name, answer in answers.items()}
        if kind == "dialog_cancellation":  # Bolt for JavaScript has no listener for it
            del statuses["@slack/bolt"]
        assert set(statuses.values()) == {200}
        assert ours.status_code == 200
        assert len(client.get("/gateway/v1/quarantine").json()["data"]) == held
    if kind == "url_verification":
        assert {answer.json()["challenge"] for answer in (*answers.values(), ours)} == {"3eZbrw1aB"}


@pytest.mark.parametrize(("secret", "age"), [("another", 0), (SECRET, 400), (SECRET, -400)])
@pytest.mark.parametrize("kind", ["message", "command", "view_submission"])
def test_refuses_what_bolt_refuses(
    apps: dict[str, str], server: Server, kind: str, secret: str, age: int
) -> None:
    """Another secret and a stale time are refused by all; Bolt for JavaScript may take one of the future."""
    hook = new_hook(server, "slack", "--secret", SECRET)
    urls = {**apps, "ours": server.url + hook["path"]}
    answers = {name: post(url, *SENT[kind], secret, age).status_code for name, url in urls.items()}

    assert answers["ours"] == answers["slack_bolt"] == 401
    assert answers["@slack/bolt"] == 401 or age < 0
