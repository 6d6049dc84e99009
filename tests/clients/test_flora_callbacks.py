"""Callbacks as FLORA's own client takes them: `client.webhooks.unwrap` on what the gateway sends."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from gateway.runs import callbacks
from tests.clients.conftest import Driver
from tests.conftest import running, until
from tests.receivers import answering, listening, trusted

OLD, NEW = "whsec_the-one-before", "whsec_the-one-of-today"
BODY = json.dumps(
    {
        "id": "whd_01",
        "type": "run.completed",
        "api_version": callbacks.API_VERSION,
        "created_at": 1796076000123,
        "data": {"run_id": "run_1", "run_type": "technique", "workspace_id": "ws_1", "status": "completed"},
    }
)


def unwrapped(driver: Driver, header: str, secret: str = NEW, body: str = BODY) -> dict[str, object] | None:
    """The event that the client makes of a request; None when it refuses it."""
    options = {"apiKey": "sk_live_any", "baseURL": "http://127.0.0.1:9/api/v1"}
    args = [body, {"flora-signature": header}, secret]
    outcome = driver(options=options, call="webhooks.unwrap", args=args)
    if outcome.error is not None:
        assert "signature" in outcome.failure["message"].lower() or "timestamp" in outcome.failure["message"]
        return None
    found: dict[str, object] = outcome.data["data"]
    return found


def signed(secrets: list[str], seconds_ago: int = 0) -> str:
    return callbacks.signature(BODY.encode(), secrets, int(time.time()) - seconds_ago)


def test_what_is_taken(flora_driver: Driver) -> None:
    """A signature is taken for five minutes, and either of two by whoever has one of the secrets."""
    event = json.loads(BODY)
    assert unwrapped(flora_driver, signed([NEW])) == event
    assert unwrapped(flora_driver, signed([NEW], 290)) == event
    for secret in (OLD, NEW):
        assert unwrapped(flora_driver, signed([NEW, OLD]), secret) == event


@pytest.mark.parametrize(
    "case", ["another secret", "a flipped byte", "301 seconds", "301 seconds ahead", "upper case"]
)
def test_what_is_refused(flora_driver: Driver, case: str) -> None:
    """Nothing else is: so what the tests above take was signed as it has to be."""
    header, body = signed([NEW]), BODY
    if case == "another secret":
        header = signed([OLD])
    elif case == "a flipped byte":
        body = BODY.replace("whd_01", "whd_00")
    elif case == "upper case":
        told, _, proof = header.partition(",v1=")
        header = f"{told},v1={proof.upper()}"
    else:
        header = signed([NEW], 301 if case == "301 seconds" else -303)
    assert unwrapped(flora_driver, header, NEW, body) is None


def test_a_run_from_its_start_to_its_callback(
    flora_driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that the client starts is done by the worker, and the client takes what it is sent of its end."""
    seen: list[bytes] = []
    settings = {"GATEWAY_BACKGROUND": "on", "GATEWAY_OUTBOUND_ALLOW": "localhost"}
    with (
        trusted(tmp_path, monkeypatch) as authority,
        listening(answering("200 OK", seen=seen), authority.serving("localhost")) as port,
        running(tmp_path, SSL_CERT_FILE=str(authority.path), **settings) as server,
    ):
        secret = server.run("workspace", "callback-secret")["secret"]
        started = flora_driver(
            options={"apiKey": server.tenant.key, "baseURL": f"{server.url}/api/v1"},
            call="techniques.runs.create",
            args=[
                "export-feedback",
                {
                    "inputs": [{"id": "filter", "type": "text", "value": "category=bug"}],
                    "mode": "async",
                    "callback_url": f"https://localhost:{port}/ended",
                },
            ],
        )
        run_id = started.data["data"]["run_id"]
        until(lambda: seen, 120)
    head, _, body = seen[0].decode().partition("\r\n\r\n")
    lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    event = unwrapped(flora_driver, lines["Flora-Signature"], secret, body)

    assert event is not None and event["type"] == lines["Flora-Event"] == "run.completed"
    assert event["id"] == lines["Flora-Webhook-Id"]
    assert event["data"] == {
        "run_id": run_id,
        "run_type": "technique",
        "workspace_id": server.tenant.workspace_id,
        "status": "completed",
    }
