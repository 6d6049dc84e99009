"""Every request at a door is counted once: as what it ended, for its key and its source."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient
from peewee import OperationalError

from gateway.intake.outcomes import OUTCOMES
from models import Feedback, Outcome
from models.intake import commit
from models.tables.outcome import totals
from tests.conftest import Call, Tenant, until

pytestmark = pytest.mark.both

NATIVE = "/gateway/v1/feedback"
ORQ = {"property": "rating", "value": ["bad"], "trace_id": "t-1", "id": "01JFEEDBACK000000000000AAB"}


def ledger(call: Call, by: str = "outcome") -> dict[Any, int]:
    """Requests by what they ended as (or by other columns), as the API tells it."""
    rows = call("GET", f"/gateway/v1/outcomes?by={by}").json["data"]
    columns = by.split(",")
    return {
        row[by] if len(columns) == 1 else tuple(row[name] for name in columns): row["requests"]
        for row in rows
    }


def test_each_outcome(call: Call, client: FlaskClient, new_key: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of requests and what each is counted as."""
    limited = {"Authorization": f"Bearer {new_key(rate_limit='1/minute')}"}
    call("POST", NATIVE, json={"text": "first of two"}, headers=limited)
    call("POST", NATIVE, json={"text": "second of two"}, headers=limited)
    call("POST", NATIVE, json={"text": "a new report"}, headers={"Idempotency-Key": "k"})
    call("POST", NATIVE, json={"text": "a new report"}, headers={"Idempotency-Key": "k"})
    call("POST", NATIVE, json={"text": "another body"}, headers={"Idempotency-Key": "k"})
    call("POST", NATIVE, json={"words": 1})
    call("POST", NATIVE, data=b"{")
    call("POST", NATIVE, data=b"x" * 2_000_000)
    client.post(NATIVE, json={"text": "without a key"})
    client.post(NATIVE, json={"text": "t"}, headers={"Authorization": f"Bearer {new_key(scopes=['read'])}"})
    call("POST", "/v2/feedback", json=ORQ)
    call("POST", "/v2/feedback", json=ORQ)
    call("POST", "/v2/feedback/remove", json={"id": "unknown", "trace_id": "t", "product": "agents"})
    with monkeypatch.context() as patch:

        def locked(*args: Any) -> None:
            raise OperationalError("database is locked")

        patch.setattr("models.intake.beginnings.insert_all", locked)
        call("POST", NATIVE, json={"text": "a locked database"})
        patch.setattr("gateway.ingest.label", lambda items: 1 / 0)
        call("POST", NATIVE, json={"text": "a broken model"})
    commit.stop()  # the next writer has not seen the database fail

    assert ledger(call, "source,outcome") == {
        ("native", "accepted"): 2,
        ("native", "duplicate"): 1,
        ("native", "failed"): 1,
        ("native", "invalid"): 4,
        ("native", "limited"): 1,
        ("native", "overloaded"): 1,
        ("native", "unauthorized"): 2,
        ("orq", "accepted"): 1,
        ("orq", "duplicate"): 1,
        ("orq", "ignored"): 1,
    }
    assert set(ledger(call)) <= set(OUTCOMES)
    assert Feedback.select().count() == 3


def test_sums_are_the_requests(call: Call, new_key: Any, tenant: Tenant) -> None:
    """Whatever is sent by many at once, the sums equal the requests and the records the rows."""
    keys = [new_key(rate_limit="20/minute"), new_key(), "wrong"]
    statuses: Counter[int] = Counter()
    lock = threading.Lock()

    def post(number: int) -> None:
        body = {"text": f"report {number // 2}"} if number % 5 else {"text": 5}
        headers = {"Authorization": f"Bearer {keys[number % 3]}", "Idempotency-Key": f"k{number % 90}"}
        response = call("POST", NATIVE, data=json.dumps(body), headers=headers)
        with lock:
            statuses[response.status_code] += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(post, range(240)))
    sums = ledger(call)
    rows = call("GET", "/gateway/v1/outcomes?by=key_id,outcome").json["data"]

    assert sum(sums.values()) == sum(statuses.values()) == 240
    assert sums["limited"] == statuses[429]
    assert sums["unauthorized"] == statuses[401] == 80
    assert sum(row["records"] for row in rows) == Feedback.select().count() == sums["accepted"]
    assert {row["key_id"] for row in rows if row["outcome"] == "unauthorized"} == {""}


def test_filters(call: Call, client: FlaskClient, new_key: Any, other: Tenant) -> None:
    """Sums by any columns, of a period; strangers are shown to admins, other workspaces to nobody."""
    call("POST", NATIVE, json={"text": "a report of mine"})
    call("POST", NATIVE, json={"text": "a report of theirs"}, headers=other.headers)
    client.post(NATIVE, json={"text": "without a key"})
    reader = {"Authorization": f"Bearer {new_key()}"}

    def sums(query: str, **headers: str) -> Any:
        return call("GET", f"/gateway/v1/outcomes?{query}", headers=headers).json["data"]

    assert sums("by=outcome") == [
        {"outcome": "accepted", "requests": 1, "records": 1},
        {"outcome": "unauthorized", "requests": 1, "records": 0},
    ]
    assert sums("by=outcome", **reader) == [{"outcome": "accepted", "requests": 1, "records": 1}]
    assert sums("since=2100-01-01T00:00:00Z") == []
    assert sums("source=slack") == []
    (row,) = sums("by=minute,source&source=native&until=2100-01-01T00:00:00Z", **reader)
    assert row["minute"].endswith(":00.000Z")


@pytest.mark.parametrize("query", ["by=payload", "by=", "by=source,source", "since=today", "colour=red"])
def test_bad_parameters(call: Call, query: str) -> None:
    """A bad parameter is a 400 that names it."""
    response = call("GET", f"/gateway/v1/outcomes?{query}")

    assert response.status_code == 400
    assert query.partition("=")[0] in response.text


def test_metrics(call: Call, client: FlaskClient) -> None:
    """Prometheus reads the same counts, and how long the requests took."""
    call("POST", NATIVE, json={"text": "a report"})
    client.post(NATIVE, json={"text": "without a key"})
    response = client.get("/metrics")

    assert response.content_type.startswith("text/plain")
    assert 'gateway_requests_total{outcome="accepted",source="native"}' in response.text
    assert 'gateway_request_seconds_count{source="native"}' in response.text


def test_readiness_is_the_write(client: FlaskClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that reads but takes no writes is not ready; it is again when the writer finds it is."""
    monkeypatch.setattr("models.database.group_commit.PROBE_SECONDS", 0.01)
    with monkeypatch.context() as patch:

        def full() -> None:
            raise OperationalError("database or disk is full")

        patch.setattr("models.intake.commit.outcome.beat", full)
        patch.setattr("models.intake.commit._probed", -10.0)
        response = client.get("/readyz")
        assert (response.status_code, response.json["status"]) == (503, "not ready")

    end = time.monotonic() + 30
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < end


def test_a_small_row_is_not_enough(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no room for records is not ready, though a row that says when still fits."""
    monkeypatch.setattr("models.database.group_commit.PROBE_SECONDS", 0.01)
    monkeypatch.setattr("models.intake.commit._probed", -10.0)
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OperationalError("database or disk is full")

        patch.setattr("models.intake.beginnings.insert_all", full)
        assert call("POST", "/gateway/v1/feedback", json={"text": "No room"}).status_code == 503
    until(lambda: not commit._current().down)
    assert call("GET", "/readyz").status_code == 503

    with monkeypatch.context() as patch:
        patch.setattr("models.intake.commit._SETTLED", 0.0)  # nobody came for a while
        assert call("GET", "/readyz").status_code == 200
    assert call("GET", "/readyz").status_code == 503
    assert call("POST", "/gateway/v1/feedback", json={"text": "Room again"}).status_code == 201
    assert call("GET", "/readyz").status_code == 200


def test_rows_beside_a_minute(tenant: Tenant) -> None:
    """Rows some milliseconds after a whole minute are part of its sums, and within the same periods."""
    known = ("w", "key", "native", "accepted")
    rows = [(60_000, 5, 7), (60_001, 1, 1), (60_063, 2, 0), (120_000, 1, 1)]
    for minute, requests, records in rows:
        counted = dict(zip(("workspace_id", "key_id", "source", "outcome"), known, strict=True))
        Outcome.insert(minute=minute, requests=requests, records=records, **counted).execute()

    def told(**period: int) -> list[tuple[int, int, int]]:
        found = totals("w", ("minute",), **period)
        return [(row["minute"], row["requests"], row["records"]) for row in found]

    first, second = (60_000, 8, 8), (120_000, 1, 1)
    assert told() == told(since=60_000) == [first, second]
    assert told(since=60_001) == told(since=120_000) == [second]
    assert told(until=60_001) == told(until=120_000) == [first]
    assert told(until=60_000) == told(since=120_001) == []
