"""Destinations on receivers of this machine, and a clock that tests set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from gateway.background.lease import run_once
from gateway.core import outbound
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.destinations import alarms, fan_out, found_kinds, managing, notifying, sender
from gateway.destinations.by_kind import webhook
from gateway.destinations.http_post import post
from gateway.destinations.kind import Answer, Delivery, Kind
from gateway.destinations.message import Message
from models import Job
from models.database.base import dumps
from models.tables import destination
from tests.conftest import Tenant

Send = Callable[..., None]
Add = Callable[..., dict[str, Any]]
Subscribe = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Told:
    """A request as a receiver had it."""

    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


def told(request: bytes) -> Told:
    """A request, its headers by their names in lower case."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    return Told({name.lower(): value for name, value in lines}, body.decode())


@pytest.fixture(autouse=True)
def _allowed(tenant: Tenant) -> Iterator[None]:
    """Receivers of this machine are sent to."""
    outbound.connect(Config(outbound_allow="localhost"))
    yield
    outbound.connect(Config())


@pytest.fixture(name="send")
def _send(monkeypatch: pytest.MonkeyPatch) -> Send:
    """Does all that is due so many seconds after the test began."""
    began = now_ms()
    monkeypatch.setattr(sender, "LINGER", 0.0)
    monkeypatch.setattr(sender, "BREATH", 0.01)

    def send(seconds: float = 0) -> None:
        for module in (sender, fan_out, managing, notifying, alarms):
            monkeypatch.setattr(module, "now_ms", lambda: began + round(seconds * 1000))
        Job.delete().execute()
        assert run_once(sender.SEND)

    return send


@pytest.fixture(name="add")
def _add(tenant: Tenant) -> Add:
    """Makes a destination of the tenant's: add(port, events=[...], filter="impact=3")."""

    def add(port: int, project_id: str | None = None, **sent: Any) -> dict[str, Any]:
        url = sent.pop("url", f"http://localhost:{port}/hook")
        return managing.create(tenant.workspace_id, project_id, "webhook", url, sent, by="key_test")

    return add


def _write(message: Message) -> str:
    return dumps({"parts": [{type(part).__name__: asdict(part)} for part in message.parts], **_of(message)})


def _of(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in ("subject", "thread", "is_over", "impact")}


def _pass_on(delivery: Delivery) -> Answer:
    answer = post(delivery.url, {"earlier": delivery.earlier or "", "webhook-id": delivery.id}, delivery.body)
    return Answer(answer.status, answer.why, answer.body, answer.headers, reference=f"r-{delivery.id}")


NOTE = Kind("note", _pass_on, write=_write)


@pytest.fixture(name="subscribe")
def _subscribe(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subscribe]:
    """Makes a destination of people's: subscribe(port, filter="tag=vip", when="daily")."""
    kinds = {"webhook": webhook.KIND, "note": NOTE}
    monkeypatch.setattr(found_kinds, "load", lambda: kinds)

    def subscribe(port: int, *, when: Any = None, **sent: Any) -> dict[str, Any]:
        url = f"http://localhost:{port}/"
        sent["subscription"] = {**sent.pop("subscription", {}), **({"when": when} if when else {})}
        return managing.create(tenant.workspace_id, None, "note", url, sent, by="key_test")

    yield subscribe


def now_of(made: dict[str, Any]) -> dict[str, Any]:
    """A destination's row."""
    found = destination.find(None, None, made["id"])
    assert found is not None
    return found
