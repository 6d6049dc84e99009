"""Callbacks as FLORA's own client takes them: `client.webhooks.unwrap` on what the gateway sends."""

from __future__ import annotations

import json
import time

import pytest

from gateway.runs import callbacks
from tests.clients.conftest import Driver

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
        time, _, proof = header.partition(",v1=")
        header = f"{time},v1={proof.upper()}"
    else:
        header = signed([NEW], 301 if case == "301 seconds" else -303)
    assert unwrapped(flora_driver, header, NEW, body) is None
