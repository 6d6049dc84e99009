"""Destinations on receivers of this machine, and a clock that tests set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.background.lease import run_once
from gateway.core import outbound
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.destinations import fan_out, managing, sender, telling
from models import Job
from models.tables import destination
from tests.conftest import Tenant

Send = Callable[..., None]
Add = Callable[..., dict[str, Any]]


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
        for module in (sender, fan_out, managing, telling):
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


def now_of(made: dict[str, Any]) -> dict[str, Any]:
    """A destination's row."""
    found = destination.find(None, None, made["id"])
    assert found is not None
    return found
