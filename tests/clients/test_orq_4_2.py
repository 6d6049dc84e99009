"""orq-ai-sdk 4.2.18, which products that never updated still run, against a running gateway."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.conftest import Driver, Inbox, Outcome
from tests.clients.lossy import Lossy
from tests.conftest import Server

pytestmark = pytest.mark.long

Create = Callable[..., Outcome]


@pytest.fixture(name="create")
def _create(server: Server, old_orq_driver: Driver) -> Create:
    """Creates feedback: create(url=..., key=..., backoff=milliseconds, value=..., trace_id=...)."""

    def create(
        url: str = server.url, key: str | None = server.tenant.key, backoff: int | None = None, **args: Any
    ) -> Outcome:
        options = {"server_url": url, "api_key": key}
        return old_orq_driver(options=options, backoff=backoff, args={"field": "rating", **args})

    return create


@pytest.mark.parametrize("base", ["", "/", "/orq"])
@pytest.mark.parametrize(
    ("field", "value", "type_", "sentiment"),
    [
        ("rating", ["good"], "rating", "positive"),
        ("rating", "bad", "rating", "negative"),
        ("rating", 4, "rating", "positive"),
        ("defects", ["spelling"], "rating", "negative"),
        ("correction", "Openingstijd is 9:00", "correction", "negative"),
    ],
)
def test_created(
    create: Create,
    server: Server,
    inbox: Inbox,
    trace_id: str,
    base: str,
    field: str,
    value: Any,
    type_: str,
    sentiment: str,
) -> None:
    """Every value is stored; the answer has the id that this version insists on."""
    outcome = create(server.url + base, field=field, value=value, trace_id=trace_id)

    assert outcome.requests == [{"path": base.rstrip("/") + "/v2/feedback", "status": 200}]
    answer = outcome.data
    assert (answer["property"], answer["value"], answer["trace_id"]) == (field, value, trace_id)
    (record,) = inbox.about(trace_id=trace_id)
    assert (record["source"], record["type"], record["sentiment"]) == ("orq", type_, sentiment)
    assert record["external_id"] == answer["id"]
    assert record["subject"]["product"] == "deployments"


@pytest.mark.parametrize("key", [None, "orq_key_of_another_system", "unknown"])
def test_bad_key(create: Create, unknown_key: str, trace_id: str, key: str | None) -> None:
    """No key and a bad one are a 401 with a message."""
    failure = create(key=unknown_key if key == "unknown" else key, value="good", trace_id=trace_id).failure

    assert (failure["name"], failure["status"]) == ("APIError", 401)
    assert set(json.loads(failure["body"])) == {"message"}


def test_key_without_the_scope(create: Create, reading_key: str, trace_id: str) -> None:
    """A key that may not send is a 403."""
    assert create(key=reading_key, value="good", trace_id=trace_id).failure["status"] == 403


def test_unknown_route(create: Create, server: Server, trace_id: str) -> None:
    """A wrong base path is a 404 with a message."""
    failure = create(f"{server.url}/orq/v1", value="good", trace_id=trace_id).failure

    assert failure["status"] == 404
    assert json.loads(failure["body"]) == {"message": "Not found."}


def test_spent_limit(create: Create, server: Server, trace_id: str) -> None:
    """The third request of two a minute raises at once."""
    key = server.new_key("--rate-limit", "2/minute")
    outcomes = [create(key=key, value="good", trace_id=trace_id) for _ in range(3)]

    assert [outcome.statuses for outcome in outcomes] == [[200], [200], [429]]
    assert re.search("Status 429", outcomes[2].failure["message"])


def test_lost_answer(create: Create, proxy: Lossy, inbox: Inbox, trace_id: str) -> None:
    """This version sends no id, so an answer lost on the way leaves one record per try."""
    proxy.status = 503

    outcome = create(proxy.url, backoff=20, value=["good"], trace_id=trace_id)

    assert outcome.statuses == [503, 200]
    assert len(inbox.about(trace_id=trace_id)) == 2
    assert outcome.data["id"] in {record["external_id"] for record in inbox.about(trace_id=trace_id)}
