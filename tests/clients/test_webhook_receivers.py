"""Receivers with the packages `svix` and `standardwebhooks` take every delivery, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Standard
from standardwebhooks import WebhookVerificationError
from svix.webhooks import Webhook as Svix

from gateway.destinations import managing
from gateway.destinations.by_kind import webhook
from tests.clients.conftest import driving
from tests.conftest import Call
from tests.destinations.conftest import Add, Send, Told, _add, _allowed, _send, now_of, told  # noqa: F401  # fixtures
from tests.receivers import answering, listening

TEXTS = ('Größe 😀 \u2028 \\u0041 </script> & "quoted"', "x" * 30_000, "\t\r\n tabs and lines")
DAY = 86_400  # seconds

Verified = Callable[[str, dict[str, str], str], bool]


@pytest.fixture(name="deliveries")
def _deliveries(call: Call, add: Add, send: Send) -> tuple[list[str], list[Told]]:
    """What came of records, of a test and of a replay, and the two secrets that it is signed with."""
    seen: list[bytes] = []
    with listening(answering("200 OK", seen=seen)) as port:
        made = add(port, headers={"X-Shop": "1"})
        rotated = managing.rotate(now_of(made), by="key_test")
        for text in TEXTS:
            assert call("POST", "/gateway/v1/feedback", json={"text": text}).status_code == 201
        managing.test(now_of(made))
        send()
        managing.replay(now_of(made), by="key_test", state="sent")
        send(60)
    assert len(seen) == 2 * (len(TEXTS) + 1)
    return [made["secret"], rotated["secret"]], list(map(told, seen))


def check(verified: Verified, deliveries: tuple[list[str], list[Told]]) -> None:
    """Either secret verifies each delivery as it came; another one, id or body does not."""
    secrets, seen = deliveries
    for got in seen:
        for secret in secrets:
            assert verified(secret, got.headers, got.text)
    assert not verified(webhook.new_secret(), got.headers, got.text)
    assert not verified(secrets[0], {**got.headers, "webhook-id": "msg_0"}, got.text)
    assert not verified(secrets[0], got.headers, f"{got.text} ")
    assert not verified(secrets[0], {**got.headers, "webhook-timestamp": "1700000000"}, got.text)


@pytest.mark.parametrize("library", [Svix, Standard])
def test_in_python(library: Any, deliveries: tuple[list[str], list[Told]]) -> None:
    """The packages of PyPI."""

    def verified(secret: str, headers: dict[str, str], body: str) -> bool:
        try:
            library(secret).verify(body, headers)
        except WebhookVerificationError:
            return False
        return True

    check(verified, deliveries)


@pytest.mark.parametrize("library", ["svix", "standardwebhooks"])
def test_in_node(library: str, node: Path, deliveries: tuple[list[str], list[Told]]) -> None:
    """The packages of npm, which hand on what was sent."""
    with driving(["node", node / "verify.mjs"]) as driver:

        def verified(secret: str, headers: dict[str, str], body: str) -> bool:
            done = driver(library=library, secret=secret, headers=headers, body=body)
            assert done.error or done.value in (
                None,
                json.loads(body),
            )  # svix says no more than that it holds
            return done.error is None

        check(verified, deliveries)
