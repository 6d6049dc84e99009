"""When people are told: the first at once and the rest together, at an hour, each story once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from gateway.destinations import found_kinds, managing, telling
from gateway.destinations.by_kind import webhook
from gateway.destinations.http_post import post as sent_to
from gateway.destinations.kind import Answer, Delivery, Kind
from gateway.destinations.message import Message
from models.database.base import dumps
from tests.conftest import Call, Tenant
from tests.destinations.conftest import Send, now_of, told
from tests.receivers import answering, listening

pytestmark = pytest.mark.both
PATH = "/gateway/v1/feedback"
MINUTE, HOUR, DAY = 60, 3_600, 86_400  # seconds

Subscribe = Callable[..., dict[str, Any]]


def _write(message: Message) -> str:
    return dumps({"parts": [{type(part).__name__: asdict(part)} for part in message.parts], **_of(message)})


def _of(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in ("subject", "thread", "is_over", "impact")}


def _send(delivery: Delivery) -> Answer:
    answer = sent_to(delivery.url, {"earlier": delivery.earlier or ""}, delivery.body)
    return Answer(answer.status, answer.why, answer.body, answer.headers, reference=f"r-{delivery.id}")


@pytest.fixture(name="subscribe")
def _subscribe(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subscribe]:
    """Makes a destination of people's: subscribe(port, filter="tag=vip", when="daily")."""
    kinds = {"webhook": webhook.KIND, "note": Kind("note", _send, write=_write)}
    monkeypatch.setattr(found_kinds, "load", lambda: kinds)

    def subscribe(port: int, *, when: Any = None, **sent: Any) -> dict[str, Any]:
        url = f"http://localhost:{port}/"
        sent["subscription"] = {**sent.pop("subscription", {}), **({"when": when} if when else {})}
        return managing.create(tenant.workspace_id, None, "note", url, sent, by="key_test")

    yield subscribe


def post(call: Call, text: str, **more: Any) -> str:
    answer = call("POST", PATH, json={"text": text, **more})
    assert answer.status_code == 201 and answer.json is not None, answer.text
    return str(answer.json["id"])


def messages(seen: list[bytes]) -> list[dict[str, Any]]:
    return [told(request).body for request in seen]


def test_the_first_at_once_then_together(call: Call, subscribe: Subscribe, send: Send) -> None:
    """One of many is told as it comes, the others in one message a window; then all begins anew."""
    seen: list[bytes] = []
    with listening(answering("200 OK", seen=seen)) as port:
        made = subscribe(port, filter="min_impact=0")
        post(call, "The first one")
        send()
        for number in range(12):
            post(call, f"Another one, {number}", author={"email": "ada@example.test"})
        send(9 * MINUTE)
        (first,) = messages(seen)
        assert first["subject"].startswith("New: ") and first["thread"]
        send(10 * MINUTE)
        send(11 * MINUTE)
        _, more = messages(seen)
        assert more["subject"].startswith("12 more: 12 new") and not more["thread"]
        assert len(more["parts"][0]["Entries"]["entries"]) == telling.MOST_SHOWN
        assert more["parts"][-1]["Link"]["url"].endswith("/inbox?min_impact=0")
        assert "ada@" not in seen[0].decode() + seen[1].decode()
        send(20 * MINUTE)  # nothing has come
        assert now_of(made)["tell_at"] is None
        post(call, "After the window")
        send(21 * MINUTE)
    assert [one["subject"][:4] for one in messages(seen)] == ["New:", "12 m", "New:"]
    assert "After the window" in seen[2].decode()
