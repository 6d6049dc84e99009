"""One request stays one record, however often and however concurrently it is sent."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from gateway.intake import idempotency, store
from models import Dedupe, Event, Feedback, close, connect
from tests.conftest import Call, Server, Tenant

pytestmark = pytest.mark.both

FLORA = ("/api/v1/feedback", {"kind": "bug", "summary": "Preview is black", "detail": "Since Monday."})
FLUISTER = ("/v1/feedback", {"projectId": "p", "text": "Het menu klapt niet open"})
NATIVE = ("/gateway/v1/feedback", {"text": "The menu does not open"})
ORQ = ("/v2/feedback", {"property": "rating", "value": ["bad"], "trace_id": "t-1"})
REPLAYING = [FLUISTER, NATIVE, ORQ]


def count() -> int:
    return int(Feedback.select().count())


@pytest.mark.parametrize(("path", "body"), REPLAYING)
def test_replay(call: Call, path: str, body: dict[str, Any]) -> None:
    """The same key and body get the first answer again, marked as a replay; nothing is stored twice."""
    first = call("POST", path, json=body, headers={"Idempotency-Key": "k-1"})
    again = call("POST", path, json=body, headers={"Idempotency-Key": '"k-1"'})
    other = call("POST", path, json=body, headers={"Idempotency-Key": "k-2"})

    assert again.status_code == first.status_code
    assert again.json == first.json or path == "/v2/feedback"  # orq's id is the sender's own to give
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert other.json != first.json
    assert count() == 2


def test_replay_is_the_first_answer_also_after_changes(call: Call) -> None:
    """A replay shows the record as first answered, whatever has become of it since."""
    path, body = NATIVE
    first = call("POST", path, json=body, headers={"Idempotency-Key": "k"})
    Feedback.update(status="resolved", category="praise").execute()

    assert call("POST", path, json=body, headers={"Idempotency-Key": "k"}).json == first.json


@pytest.mark.parametrize(("path", "body"), REPLAYING)
def test_other_body(call: Call, path: str, body: dict[str, Any]) -> None:
    """The same key with another body is a 422 and stores nothing."""
    call("POST", path, json=body, headers={"Idempotency-Key": "k"})
    changed = {**body, **({"value": ["good"]} if path == "/v2/feedback" else {"text": "something else"})}
    response = call("POST", path, json=changed, headers={"Idempotency-Key": "k"})

    assert response.status_code == 422
    assert count() == 1


def test_flora_refuses_every_repeat(call: Call) -> None:
    """FLORA's second call within two hours is a 409, whatever its body, and tells the client not to retry."""
    path, body = FLORA
    call("POST", path, json=body, headers={"Idempotency-Key": "k"})
    for repeat in (body, {**body, "detail": "Other."}):
        response = call("POST", path, json=repeat, headers={"Idempotency-Key": "k"})

        assert response.status_code == 409
        assert response.json["error"] == {
            "code": "idempotency_duplicate",
            "message": "Duplicate idempotency key.",
        }
        assert response.headers["x-should-retry"] == "false"
    assert count() == 1


def test_flora_forgets_after_two_hours(call: Call) -> None:
    """After two hours the same key is a new call; the others remember for a day."""
    keyed = {"Idempotency-Key": "k"}
    for path, body in (FLORA, FLUISTER):
        call("POST", path, json=body, headers=keyed)
    hours = 3_600_000
    Dedupe.update(expires_at=Dedupe.expires_at - 2 * hours).execute()
    responses = [call("POST", path, json=body, headers=keyed) for path, body in (FLORA, FLUISTER)]

    assert [response.status_code for response in responses] == [201, 201]
    assert [response.headers.get("Idempotent-Replayed") for response in responses] == [None, "true"]
    assert count() == 3


@pytest.mark.parametrize(("path", "body"), [FLORA, *REPLAYING])
def test_failed_call_leaves_the_key(call: Call, path: str, body: dict[str, Any]) -> None:
    """A call that was refused does not use up its key."""
    refused = call("POST", path, json={}, headers={"Idempotency-Key": "k"})
    accepted = call("POST", path, json=body, headers={"Idempotency-Key": "k"})

    assert refused.status_code == 400
    assert accepted.status_code in (200, 201)


def test_failed_write_leaves_the_key(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half way takes the key and the record back with it."""
    path, body = FLORA
    with monkeypatch.context() as patch:
        patch.setattr("models.intake.beginnings.insert_all", lambda *args: 1 / 0)
        failed = call("POST", path, json=body, headers={"Idempotency-Key": "k"})
    assert (failed.status_code, count(), Event.select().count()) == (500, 0, 0)

    assert call("POST", path, json=body, headers={"Idempotency-Key": "k"}).status_code == 201


@pytest.mark.parametrize("key", ["", '""', "  ", "x" * 256])
@pytest.mark.parametrize(("path", "body"), [FLORA, *REPLAYING])
@pytest.mark.both(long=True)
def test_bad_key(call: Call, path: str, body: dict[str, Any], key: str) -> None:
    """An empty or overlong key is a 400 that names the header."""
    response = call("POST", path, json=body, headers={"Idempotency-Key": key})

    assert response.status_code == 400
    assert "Idempotency-Key" in response.text
    assert count() == 0


def test_keys_are_the_callers_own(call: Call, new_key: Any, other: Tenant) -> None:
    """Another key, another route and another workspace may use the same words."""
    path, body = NATIVE
    callers = [{}, {"Authorization": f"Bearer {new_key()}"}, other.headers]
    for headers in callers:
        assert call("POST", path, json=body, headers={**headers, "Idempotency-Key": "k"}).status_code == 201
    call("POST", *FLUISTER[:1], json=FLUISTER[1], headers={"Idempotency-Key": "k"})

    assert count() == 4


def test_in_flight(app: Flask, call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first is being stored a second gets 409 with Retry-After, and a third later the replay."""
    path, body = NATIVE
    headers = {**tenant.headers, "Idempotency-Key": "k"}
    inside, leave = threading.Event(), threading.Event()
    save = store.commit.save

    def slow_save(*args: Any, **options: Any) -> Any:
        inside.set()
        assert leave.wait(30)
        return save(*args, **options)

    monkeypatch.setattr(store.commit, "save", slow_save)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: app.test_client().post(path, json=body, headers=headers))
        assert inside.wait(30)
        second = app.test_client().post(path, json=body, headers=headers)
        leave.set()
        assert first.result().status_code == 201
    third = call("POST", path, json=body, headers={"Idempotency-Key": "k"})

    assert second.status_code == 409
    assert second.headers["Retry-After"] == "1"
    assert third.json == first.result().json
    assert not idempotency._flying


@pytest.mark.parametrize(("path", "body"), [FLORA, *REPLAYING])
def test_64_threads_one_key(each_server: Server, path: str, body: dict[str, Any]) -> None:
    """64 threads with one key make one record; the others are told so, and nobody gets an error."""
    key = f"one-{path}"
    before = rows(each_server)
    with each_server.posting() as post, ThreadPoolExecutor(64) as pool:
        posts = [pool.submit(post, path, json=body, headers={"Idempotency-Key": key}) for _ in range(64)]
        answers = [sent.result() for sent in posts]
    statuses = Counter(answer.status_code for answer in answers)

    assert rows(each_server) - before == 1
    assert statuses[201 if path != "/v2/feedback" else 200] >= 1
    assert set(statuses) <= {200, 201, 409}, each_server.lines
    if path == "/api/v1/feedback":
        assert statuses == {201: 1, 409: 63}


def test_64_threads_distinct_keys(each_server: Server) -> None:
    """64 threads with a key each make 64 records."""
    path, body = NATIVE
    before = rows(each_server)
    with each_server.posting() as post, ThreadPoolExecutor(64) as pool:
        posts = [
            pool.submit(post, path, json=body, headers={"Idempotency-Key": f"many-{n}"}) for n in range(64)
        ]
        ids = {sent.result().json()["id"] for sent in posts}

    assert len(ids) == 64
    assert rows(each_server) - before == 64


def rows(server: Server) -> int:
    connect(server.environ["GATEWAY_DATABASE_URL"])
    try:
        return count()
    finally:
        close()
