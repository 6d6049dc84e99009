"""Batches: every item by itself, exactly once, however the batch is sent, broken, repeated or cut short."""

from __future__ import annotations

import gzip
import io
import json
import threading
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import brotli
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peewee import OperationalError

from adapters.contract import Adapter, Inbound, Refused
from gateway.access import bootstrap
from gateway.access.caller import Caller
from gateway.app import create_app
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.intake import auth, batch
from gateway.intake.batch_items import MOST, items_of
from models import Dedupe, Event, Feedback, Outcome
from models.database.base import close, writing
from models.intake import commit
from tests.conftest import Call, Server, Tenant, make_tenant

pytestmark = pytest.mark.both(long=True)

BATCH = "/gateway/v1/feedback/batch"
KEY = {"Idempotency-Key": "k-1"}


def items(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"text": f"The report numbered {spelled(n)} stays empty"} for n in range(start, start + count)]


def spelled(number: int) -> str:
    """A number in letters, so that no two texts are the same to the gateway."""
    return "".join(chr(97 + int(digit)) for digit in f"{number:05}")


def lines(sent: list[Any]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in sent)


def stored() -> int:
    return int(Feedback.select().count())


def test_answer_per_item(call: Call, tenant: Tenant) -> None:
    """Each item is answered in its place with its id or its problem, and good ones are stored."""
    sent = [
        {"text": "Search is slow"},
        {"text": ""},
        {"text": "x", "colour": 1},
        7,
        {"text": "Undo is missing"},
    ]
    response = call("POST", BATCH, json=sent)

    assert response.status_code == 200
    told = response.json
    assert [item["index"] for item in told["data"]] == [0, 1, 2, 3, 4]
    assert [item["status"] for item in told["data"]] == [201, 400, 400, 400, 201]
    assert (told["accepted"], told["duplicate"], told["invalid"], told["failed"]) == (2, 0, 3, 0)
    assert told["data"][2]["error"]["errors"] == [{"field": "colour", "message": "Unrecognized key"}]
    assert told["data"][3]["error"]["detail"] == "body: Expected object, received number"
    rows = list(Feedback.select().order_by(Feedback.id))
    assert [row.id for row in rows] == [told["data"][0]["id"], told["data"][4]["id"]]
    assert {(row.project_id, row.source) for row in rows} == {(tenant.project_id, "native")}


def test_its_key_is_looked_up_once(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the body is read, and not again with it."""
    asked: list[int] = []
    real = auth._by_key

    def by_key(adapter: Adapter, scope: str, inbound: Inbound) -> Caller:
        asked.append(len(inbound.body))
        return real(adapter, scope, inbound)

    monkeypatch.setattr(auth, "_by_key", by_key)
    assert call("POST", BATCH, json=[{"text": "One"}, {"text": "Two"}]).json["accepted"] == 2
    assert asked == [0]


def test_an_item_is_stored_as_the_door_stores_it(call: Call) -> None:
    """The same words through the door and in a batch become the same record with the same labels."""
    item = {
        "text": "Export crashes",
        "title": "Crash",
        "subject": {"page": "/x"},
        "author": {"email": "a@b.test"},
        "tags": ["a:b"],
        "severity": 4,
        "occurred_at": "2026-04-09T10:30:00Z",
    }
    alone = call("POST", "/gateway/v1/feedback", json=item).json
    (told,) = call("POST", BATCH, data=lines([item])).json["data"]
    together = call("GET", f"/gateway/v1/feedback/{told['id']}").json

    differing = {name for name in alone if alone[name] != together[name]}
    assert differing <= {"id", "received_at", "updated_at"}
    (event,) = call("GET", f"/gateway/v1/feedback/{told['id']}/events").json["data"]
    assert json.loads(event["payload"]) == item


@pytest.mark.parametrize("media", ["application/json", "application/x-ndjson", ""])
def test_lines(call: Call, media: str) -> None:
    """A malformed line is that item's own problem; blank lines are no items, CRLF and a BOM are fine."""
    body = (
        b'\xef\xbb\xbf{"text": "Search is slow"}\r\n\r\n{"text": \n   \n\xff\n[1]\n{"text": "Last one here"}'
    )
    told = call("POST", BATCH, data=body, headers={"Content-Type": media}).json

    assert [item["status"] for item in told["data"]] == [201, 400, 400, 400, 201]
    assert told["data"][1]["error"]["type"].endswith(":invalid_json")
    assert "not UTF-8" in told["data"][2]["error"]["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n ",
        b"[",
        b"[{}",
        b"[{},]",
        b"[{}] x",
        b"[{} {}]",
        b'["a',
        b"[,]",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_no_batch(call: Call, body: bytes) -> None:
    """What is no array and no lines is refused as a whole, and stores nothing."""
    response = call("POST", BATCH, data=body)

    assert response.status_code == 400
    assert response.json["type"].endswith(":invalid_json")
    assert stored() == 0


def test_values_that_json_knows_and_we_do_not_take(call: Call) -> None:
    """Numbers out of range, NaN, deep nesting, NUL and lone surrogates are their item's own matter."""
    body = (
        b'[{"text":"A report","subject":{"n":1e400}},{"text":"b","subject":{"n":NaN}},'
        b'{"text":"c","subject":{"n":'
        + b"9" * 5000
        + b'}},{"text":"d","subject":{"n":'
        + b"[" * 200
        + b"]" * 200
        + rb'}},{"text":"NUL \u0000 and \ud800 are replaced"},{"text":"'
        + b"\xff"
        + b'"},{"text":"a\nb"}]'
    )
    told = call("POST", BATCH, data=body).json

    assert [item["status"] for item in told["data"]] == [400, 400, 400, 400, 201, 400, 400]
    assert Feedback.get().text == "NUL \ufffd and \ufffd are replaced"


def test_limits(call: Call) -> None:
    """More than 10,000 items or too many bytes are refused as a whole, a large item by itself."""
    many = call("POST", BATCH, data=b"{}\n" * (MOST + 1))
    array = call("POST", BATCH, data=b"[" + b"0," * MOST + b"0]")
    large = call("POST", BATCH, data=b" " * 33_554_433)
    bomb = call("POST", BATCH, data=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"})
    item = call("POST", BATCH, json=[{"text": "a " * 600_000}, {"text": "A small one"}]).json

    assert [response.status_code for response in (many, array, large, bomb)] == [413] * 4
    assert [told["status"] for told in item["data"]] == [413, 201]
    assert stored() == 1


def test_empty_array(call: Call) -> None:
    """An array of nothing is answered with nothing."""
    assert call("POST", BATCH, data=b"[]").json["data"] == []


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress)]
)
def test_packed(call: Call, coding: str, pack: Callable[[bytes], bytes]) -> None:
    """Batches come packed, too."""
    told = call("POST", BATCH, data=pack(lines(items(450))), headers={"Content-Encoding": coding}).json

    assert told["accepted"] == stored() == len({item["id"] for item in told["data"]}) == 450


def test_same_words_in_one_batch(call: Call) -> None:
    """Items that say the same raise each other's reach, as they do one by one."""
    sent = [{"text": "The same words again", "author": {"id": f"u{n}"}} for n in range(60)]
    call("POST", BATCH, json=[*sent, *items(100)])

    reaches = Counter(
        reason["points"]
        for row in Feedback.select()
        for reason in row.impact_reasons
        if reason["part"] == "reach"
    )
    assert stored() == Event.select().count() == 160
    assert reaches == {3: 60, 0: 100}


def test_key_repeats_the_answer(call: Call) -> None:
    """The same key and body get the first answer again and store nothing; another body is a 422."""
    sent = [*items(300), {"text": 1}]
    first = call("POST", BATCH, json=sent, headers=KEY)
    again = call("POST", BATCH, json=sent, headers=KEY)
    other = call("POST", BATCH, json=items(3), headers=KEY)
    single = call("POST", "/gateway/v1/feedback", json={"text": "Another route"}, headers=KEY)

    assert first.json["accepted"] == 300
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert other.status_code == 422
    assert single.status_code == 201
    assert stored() == 301


def test_key_after_a_crash(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeat after the first attempt was cut short stores what is missing and answers the whole."""
    real, saved = commit.save, []

    def dying(request: commit.Request) -> list[commit.Stored]:
        if len(saved) == 2:
            raise KeyboardInterrupt  # nothing handles it: as when the process is killed
        saved.append(request)
        return real(request)

    with monkeypatch.context() as patch:
        patch.setattr("models.intake.commit.save", dying)
        with pytest.raises(KeyboardInterrupt):
            call("POST", BATCH, json=items(1000), headers=KEY)
    assert stored() == 2 * batch.PART
    kept = {row.id for row in Feedback.select()}
    response = call("POST", BATCH, json=items(1000), headers=KEY)

    told = response.json
    assert told["accepted"] == stored() == 1000
    assert [item["index"] for item in told["data"]] == list(range(1000))
    assert kept < {item["id"] for item in told["data"]}
    assert "Idempotent-Replayed" not in response.headers


@pytest.mark.parametrize(("before", "now"), [(40, 25), (25, 40)])
def test_key_after_parts_were_of_another_size(
    call: Call, monkeypatch: pytest.MonkeyPatch, before: int, now: int
) -> None:
    """A batch begun by a release that stores larger or smaller parts is finished by this one."""
    real, saved = commit.save, []

    def dying(request: commit.Request) -> list[commit.Stored]:
        if len(saved) == 2:
            raise KeyboardInterrupt
        saved.append(request)
        return real(request)

    with monkeypatch.context() as patch:
        patch.setattr("models.intake.commit.save", dying)
        patch.setattr(batch, "PART", before)
        with pytest.raises(KeyboardInterrupt):
            call("POST", BATCH, json=items(130), headers=KEY)
    monkeypatch.setattr(batch, "PART", now)
    kept = {row.id for row in Feedback.select()}
    told = call("POST", BATCH, json=items(130), headers=KEY).json

    assert len(kept) == 2 * before
    assert told["accepted"] == stored() == 130
    assert [item["index"] for item in told["data"]] == list(range(130))
    assert kept < {item["id"] for item in told["data"]}


def test_database_away_half_way(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items that could not be stored say so, the others are stored; the same key stores the rest."""
    real, calls = commit.save, []

    def failing(request: commit.Request) -> list[commit.Stored]:
        calls.append(request)
        if len(calls) > 1:
            raise OperationalError("database is locked")
        return real(request)

    with monkeypatch.context() as patch:
        patch.setattr("models.intake.commit.save", failing)
        response = call("POST", BATCH, json=items(500), headers=KEY)
    assert response.status_code == 200
    assert (response.json["accepted"], response.json["failed"]) == (batch.PART, 500 - batch.PART)
    assert response.json["data"][-1]["error"]["type"].endswith(":overloaded")
    assert len(calls) == 2

    assert call("POST", BATCH, json=items(500), headers=KEY).json["accepted"] == 500
    assert stored() == 500


def test_database_away(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing could be stored the whole is a 503."""

    def failing(request: commit.Request) -> list[commit.Stored]:
        raise OperationalError("database is locked")

    monkeypatch.setattr("models.intake.commit.save", failing)
    response = call("POST", BATCH, json=items(500))

    assert response.status_code == 503
    assert response.headers["Retry-After"]


def test_many_with_one_key(app: Flask, tenant: Tenant) -> None:
    """The same batch sent by many at once is stored once."""
    told: list[Any] = []

    def send() -> None:
        client = app.test_client()
        told.append(client.post(BATCH, json=items(500), headers={**tenant.headers, **KEY}))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [response.json for response in told if response.status_code == 200]

    assert {response.status_code for response in told} <= {200, 409}
    assert len({json.dumps(answer) for answer in good}) == 1
    assert stored() == 500


def test_ledger(call: Call) -> None:
    """A batch is one request, with the best outcome of its items, and its records are counted."""
    call("POST", BATCH, json=[*items(450), {"text": 1}], headers=KEY)
    call("POST", BATCH, json=[*items(450), {"text": 1}], headers=KEY)
    call("POST", BATCH, json=[{"text": 1}] * 300)
    call("POST", BATCH, json=[*items(10, 1000), *[{"text": 1}] * 300])
    call("POST", BATCH, data=b"[")
    commit.flush()

    told = {row.outcome: (row.requests, row.records) for row in Outcome.select().where(Outcome.minute > 0)}
    assert told == {"accepted": (2, 460), "duplicate": (1, 0), "invalid": (2, 0)}


def test_scope_and_projects(call: Call, tenant: Tenant, new_key: Callable[..., str]) -> None:
    """A batch needs the scope ingest; an item for a project the key may not use is refused alone."""
    reader = {"Authorization": f"Bearer {new_key(scopes=['read'])}"}
    second = bootstrap.create_project(tenant.workspace_id, "Second", now_ms())
    bound = {"Authorization": f"Bearer {new_key(second)}"}
    sent = [{"text": "To the other", "project_id": tenant.project_id}, {"text": "To my own project"}]
    told = call("POST", BATCH, json=sent, headers=bound).json

    assert call("POST", BATCH, json=sent, headers=reader).status_code == 403
    assert [item["status"] for item in told["data"]] == [403, 201]
    assert Feedback.get().project_id == second


def test_strangers_bodies_are_not_read(app: Flask, tenant: Tenant) -> None:
    """Who shows no key that may send is refused before the body is read."""

    class Unread(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError("the body was read")

    for headers, status in (({}, 401), ({"Authorization": "Bearer sk_live_x"}, 401)):
        response = app.test_client().post(
            BATCH, input_stream=Unread(), headers={**headers, "Content-Length": "30000000"}
        )
        assert response.status_code == status


def test_keys_of_batches_are_forgotten(call: Call) -> None:
    """The claims of a batch's parts end as any Idempotency-Key does."""
    call("POST", BATCH, json=items(450), headers=KEY)
    claims = list(Dedupe.select().where(Dedupe.scope.startswith("header:")))
    with writing():
        Dedupe.update(expires_at=1).execute()

    assert len(claims) == 450 / batch.PART
    assert call("POST", BATCH, json=items(450), headers=KEY).json["accepted"] == 450
    assert stored() == 900


@pytest.mark.long
def test_over_the_real_server(each_server: Server) -> None:
    """32 MB plain and 32 MB packed arrive whole, and a byte more is refused in the dialect."""
    item = json.dumps(
        {"text": "Ein langer Bericht: " + "😀 lorem ipsum " * 2000}, ensure_ascii=False
    ).encode()
    body = b"\n".join([item] * (33_554_432 // (len(item) + 1)))
    with each_server.client() as client:
        plain = client.post(BATCH, content=body)
        packed = client.post(BATCH, content=gzip.compress(body, 1), headers={"Content-Encoding": "gzip"})
        large = client.post(BATCH, content=body + b" " * (33_554_433 - len(body)))

    assert plain.json()["accepted"] == packed.json()["accepted"] == body.count(b"\n") + 1
    assert large.status_code == 413
    assert large.headers["content-type"] == "application/problem+json"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
SPACE = st.text(" \t\r\n", max_size=3).map(str.encode)


@given(st.lists(st.tuples(JSON, SPACE, SPACE, st.booleans()), max_size=6), SPACE)
def test_array_and_lines_are_taken_apart_alike(sent: list[Any], space: bytes) -> None:
    """Every item of an array is found where it stands, however it is spaced and encoded."""
    parts = [
        (json.dumps(value, ensure_ascii=ascii).encode("utf-8", "replace"), a, b)
        for value, a, b, ascii in sent
    ]
    body = (
        space + b"[" + b",".join(a + part + b for part, a, b in parts) + (space if not parts else b"") + b"]"
    )
    assert [body[a:b] for a, b in items_of(body, "")] == [part for part, _, _ in parts]
    line = b"\n".join(part for part, _, _ in parts)
    if parts:
        assert [line[a:b] for a, b in items_of(line, "application/x-ndjson")] == [
            part for part, _, _ in parts
        ]


@given(st.binary(max_size=200) | st.text('[]{},:"\\ \n0', max_size=60).map(str.encode))
def test_any_bytes_are_taken_apart_or_refused(body: bytes) -> None:
    """No bytes do anything else than be taken apart in order or refused."""
    try:
        spans = items_of(body, "")
    except Refused as refused:
        assert refused.problem.status in (400, 413)
        return
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= begin < end <= len(body) for begin, end in spans)


@pytest.fixture(name="attacked", scope="module")
def _attacked(module_config: Config) -> Any:
    app = create_app(module_config)
    tenant = make_tenant()
    yield app.test_client(), tenant.headers
    commit.stop()
    close()


HOSTILE = JSON | st.fixed_dictionaries(
    {"text": st.text(st.characters(), max_size=40)},
    optional=dict.fromkeys(
        ("title", "type", "kind", "subject", "author", "tags", "severity", "occurred_at", "language"), JSON
    ),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HOSTILE, max_size=5), st.booleans(), st.sampled_from([{}, KEY, {"Content-Type": "x/y"}]))
def test_no_items_make_a_500(attacked: Any, sent: list[Any], array: bool, headers: dict[str, str]) -> None:
    """Whatever the items are, each is answered 201 or refused by itself."""
    client, known = attacked
    body = json.dumps(sent).encode() if array else lines(sent)
    response = client.post(BATCH, data=body, headers={**known, **headers})

    assert response.status_code in (200, 400, 422)
    for item in response.json.get("data", []):
        assert item["status"] in (200, 201, 400)
