"""The straight line: its steps in their order, and what it costs the database."""

from __future__ import annotations

import inspect
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from playhouse.test_utils import count_queries
from werkzeug.test import EnvironBuilder

from adapters import fluister
from gateway import ingest as module
from gateway.destinations import managing
from gateway.ingest import ingest
from models.tables import outbox
from tests.conftest import Call, Tenant

POST = ("/v1/feedback", {"projectId": "p", "text": "De zoekbalk verdwijnt als ik scroll"})


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who listens to changes is looked up now and then, which is no POST's own cost: here once."""
    monkeypatch.setattr(outbox, "FRESH", 3_600.0)


@pytest.fixture(name="order")
def _order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps that requests take from now on, in their order. Asked for before the application is made."""
    order: list[str] = []

    def noting(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **options: Any) -> Any:
            order.append(name)
            return step(*args, **options)

        return noted

    for owner, name in ((module.auth, "identify"), (module.limits, "spend"), (module.store, "save")):
        monkeypatch.setattr(owner, name, noting(name, getattr(owner, name)))
    monkeypatch.setattr(module, "label", noting("label", module.label))
    doors = [
        replace(door, read=noting("read", door.read), reply=noting("reply", door.reply))
        for door in fluister.ADAPTER.doors
    ]
    monkeypatch.setattr(fluister, "ADAPTER", replace(fluister.ADAPTER, doors=tuple(doors)))
    return order


def test_steps_in_order(order: list[str], call: Call) -> None:
    """One POST is identify, spend, read, label, save, reply, each once and in this order."""
    assert call("POST", POST[0], json=POST[1]).status_code == 201

    assert order == ["identify", "spend", "read", "label", "save", "reply"]


def test_the_line_stays_at_home(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A POST looks up no name and opens no connection: there is nothing out there that can fail it."""

    def outside(*args: Any, **options: Any) -> None:
        raise AssertionError(f"called out to {args}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, outside)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, outside)
    posts = [
        POST,
        ("/gateway/v1/feedback", {"text": "see https://example.test/page", "author": {"email": "a@b.test"}}),
        ("/api/v1/feedback", {"kind": "bug", "summary": "Preview is black", "detail": "Since Monday."}),
        ("/v2/feedback", {"property": "rating", "value": ["bad"], "trace_id": "t-1"}),
    ]
    statuses = [call("POST", path, json=body).status_code for path, body in posts]

    assert all(status in (200, 201) for status in statuses)


def test_the_line_fits_a_screen() -> None:
    """The straight line has no branch, no try and fits in ten lines."""
    source = inspect.getsource(ingest)

    assert len(source.splitlines()) <= 10
    assert not any(word in source for word in ("if ", "try", "except", "else"))


@pytest.mark.parametrize(
    ("reported", "headers", "queries"),
    [
        (0, {}, 5),  # BEGIN, the same words, record, event, ledger
        (0, {"Idempotency-Key": "k"}, 6),  # and the key with its answer
        # The second reporter of the same words raises the first; a third raises nobody, but is counted.
        (2, {}, 6),
        (2, {"Idempotency-Key": "k"}, 8),
    ],
)
def test_query_budget(app: Flask, call: Call, reported: int, headers: dict[str, str], queries: int) -> None:
    """With a known key one POST asks the database this often and no more."""
    call("POST", POST[0], json={**POST[1], "text": "Iets heel anders hier"})
    for _ in range(reported):
        call("POST", POST[0], json=POST[1])
    with count_queries() as counted:
        call("POST", POST[0], json=POST[1], headers=headers)

    # Now and then a thread copies the log meanwhile, which no POST waits for.
    asked = [query for query in counted.get_queries() if not query.msg[0].startswith("PRAGMA")]
    assert len(asked) <= queries


def test_a_destination_costs_a_statement(app: Flask, call: Call, tenant: Tenant) -> None:
    """With a destination for it a POST writes one row more, whatever that destination wants of it."""
    managing.create(tenant.workspace_id, None, "webhook", "https://example.test/", {}, by="key_test")
    call("POST", POST[0], json={**POST[1], "text": "Iets heel anders hier"})
    with count_queries() as counted:
        call("POST", POST[0], json=POST[1])

    asked = [query for query in counted.get_queries() if not query.msg[0].startswith("PRAGMA")]
    assert len(asked) <= 6


def test_call_budget(app: Flask, tenant: Tenant) -> None:
    """From a request's environment to its answer a POST calls so many functions of Python, and no more.

    What it costs is spread over all of them, and counts are the same on a busy machine.
    """
    calls = 0

    def count(frame: Any, event: str, arg: Any) -> None:
        nonlocal calls
        calls += event == "call"

    def post(text: str) -> None:
        headers = {"Authorization": f"Bearer {tenant.key}"}
        environ = EnvironBuilder(
            POST[0], method="POST", headers=headers, json={**POST[1], "text": text}
        ).get_environ()
        told: list[str] = []
        sys.setprofile(count)
        try:
            body = b"".join(app(environ, lambda status, headers: told.append(status)))
        finally:
            sys.setprofile(None)
        assert (told, bool(body)) == (["201 CREATED"], True)

    for text in ("De knop doet het niet", "Het doet de knop niet"):  # its words are known then
        post(text)
    calls = 0
    post("De knop het doet niet")

    assert calls <= 412
