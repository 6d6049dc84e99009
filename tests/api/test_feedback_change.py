"""Changing one record: tags, notes, and an ETag that no change leaves as it was."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from gateway.http import request
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both


@pytest.fixture(name="path")
def _path(call: Call) -> str:
    sent = {"text": "The report page is blank", "tags": ["team:web", "vip"]}
    return f"/gateway/v1/feedback/{call('POST', '/gateway/v1/feedback', json=sent).json['id']}"


def etag(call: Call, path: str) -> str:
    return call("GET", path).headers["ETag"]


@pytest.mark.parametrize(
    ("change", "tags"),
    [
        (["a", "b", "a"], ["a", "b"]),
        ([], []),
        ({"add": ["new", "vip"]}, ["team:web", "vip", "new"]),
        ({"remove": ["vip", "absent"]}, ["team:web"]),
        ({"add": ["x", "y"], "remove": ["vip", "y"]}, ["team:web", "x"]),
        ({}, ["team:web", "vip"]),
    ],
)
def test_tags(call: Call, path: str, change: Any, tags: list[str]) -> None:
    """Tags are set, or added and removed; each is there once, and the history says what was."""
    changed = call("PATCH", path, json={"tags": change}).json
    history = call("GET", f"{path}/events").json["data"][1:]

    assert changed["tags"] == tags == call("GET", path).json["tags"]
    if tags == ["team:web", "vip"]:
        assert history == []
    else:
        assert [item["type"] for item in history] == ["tagged"]
        assert history[0]["detail"]["changes"] == {"tags": {"from": ["team:web", "vip"], "to": tags}}


def test_notes(call: Call, path: str) -> None:
    """A note is an event with its words and whose key wrote it; the same one twice is two."""
    before = etag(call, path)
    for _ in range(2):
        assert call("PATCH", path, json={"note": "Asked the shop team."}).status_code == 200
    first, second = call("GET", f"{path}/events").json["data"][1:]

    assert (first["type"], second["type"]) == ("note", "note")
    assert first["detail"]["text"] == "Asked the shop team."
    assert first["detail"]["key_id"].startswith("key_")
    assert etag(call, path) != before


def test_resolved_at(call: Call, path: str) -> None:
    """What a person resolves says since when, until it is open again."""
    resolved = call("PATCH", path, json={"status": "resolved"}).json
    opened = call("PATCH", path, json={"status": "open"}).json

    assert resolved["resolved_at"] is not None
    assert opened["resolved_at"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tags": "vip"}, "tags"),
        ({"tags": None}, "tags"),
        ({"tags": [1]}, "tags.0"),
        ({"tags": [""]}, "tags.0"),
        ({"tags": ["x" * 201]}, "tags.0"),
        ({"tags": ["x"] * 101}, "tags"),
        ({"tags": {"plus": ["x"]}}, "tags.plus"),
        ({"tags": {"add": "x"}}, "tags.add"),
        ({"tags": {"add": ["ok", 2]}}, "tags.add.1"),
        ({"note": ""}, "note"),
        ({"note": None}, "note"),
        ({"note": "x" * 10_001}, "note"),
        ({"status": "done", "impact": -1, "note": 7}, "status impact note"),
        ([], "body"),
    ],
)
@pytest.mark.both(long=True)
def test_bad_bodies(call: Call, path: str, body: Any, field: str) -> None:
    """Every bad field is named, and nothing is changed."""
    before = etag(call, path)
    response = call("PATCH", path, json=body)

    assert response.status_code == 400
    assert {error["field"] for error in response.json["errors"]} == set(field.split())
    assert etag(call, path) == before


CHANGES: list[dict[str, Any]] = [
    {"status": "acknowledged"},
    {"status": "open"},
    {"status": "acknowledged"},
    {"impact": 1},
    {"category": "praise"},
    {"sentiment": "positive"},
    {"tags": {"add": ["new"]}},
    {"tags": {"remove": ["new"]}},
    {"note": "same"},
    {"note": "same"},
]


def test_every_change_is_another_version(call: Call, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when all of them fall into one millisecond and lead back to what was."""
    monkeypatch.setattr(request, "now_ms", lambda: 1_800_000_000_000)
    seen = [etag(call, path)]
    for change in CHANGES:
        response = call("PATCH", path, json=change)
        seen.append(response.headers["ETag"])
        assert etag(call, path) == seen[-1]
    same = call("PATCH", path, json={"status": "acknowledged"}).headers["ETag"]

    assert len(set(seen)) == len(seen)
    assert same == seen[-1]
    assert all(tag.startswith('"') and tag.endswith('"') for tag in seen)


def test_a_senders_change_is_another_version(call: Call) -> None:
    """What a sender or a second report changes changes the ETag, too."""
    rating = {"property": "rating", "value": ["good"], "trace_id": "t", "id": "r-1"}
    call("POST", "/v2/feedback", json=rating)
    path = f"/gateway/v1/feedback/{call('GET', '/gateway/v1/feedback').json['data'][0]['id']}"
    seen = [etag(call, path)]
    for value in ("bad", "good"):
        call("POST", "/v2/feedback", json={**rating, "value": [value]})
        seen.append(etag(call, path))

    assert len(set(seen)) == 3


def test_if_match(call: Call, path: str) -> None:
    """A change with the ETag of what was read is made; with another one it is 412 and changes nothing."""

    def change(if_match: str, status: str = "acknowledged") -> Any:
        return call("PATCH", path, json={"status": status}, headers={"If-Match": if_match})

    read = etag(call, path)
    made = change(read)
    lost = change(read, "ignored")
    assert (made.status_code, lost.status_code) == (200, 412)
    assert lost.headers["ETag"] == made.headers["ETag"]
    assert lost.json["type"].endswith(":precondition_failed")
    for wrong in ("", "x", '"x"', f"W/{made.headers['ETag']}", '"x", W/"y"', '"', "*x"):
        assert change(wrong, "ignored").status_code == 412, wrong
    assert call("GET", path).json["status"] == "acknowledged"
    for right in ("*", f'"x", {made.headers["ETag"]}'):
        assert change(right, "acknowledged").status_code == 200


def test_of_two_at_once_one_wins(app: Flask, tenant: Tenant, call: Call, path: str) -> None:
    """Of eight who change what they all read one succeeds, and the others are told."""
    headers = {**tenant.headers, "If-Match": etag(call, path)}
    start = threading.Barrier(8)

    def change(number: int) -> int:
        start.wait(30)
        return app.test_client().patch(path, json={"note": f"{number}"}, headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(change, range(1, 9)))

    assert statuses == [200] + [412] * 7
    assert len(call("GET", f"{path}/events").json["data"]) == 2


def test_expand(call: Call, path: str) -> None:
    """events and raw are shown beside the record when asked for; the record is the same."""
    call("PATCH", path, json={"note": "seen"})
    plain = call("GET", path).json
    both = call("GET", f"{path}?expand=events,raw").json
    events, raw = both.pop("events"), both.pop("raw")

    assert both == plain
    assert [item["type"] for item in events["data"]] == ["received", "note"]
    assert events["next_cursor"] is None
    assert all("payload" not in item for item in events["data"])
    assert [(item["event_id"], item["content_type"]) for item in raw] == [
        (events["data"][0]["id"], "application/json")
    ]
    assert '"team:web"' in raw[0]["payload"]
    assert set(call("GET", f"{path}?expand=raw").json) - set(plain) == {"raw"}
    assert call("GET", f"{path}?expand=").json == plain


@pytest.mark.parametrize(
    "query", ["expand=all", "expand=events,", "expand=events;raw", "more=1", "explain=yes"]
)
@pytest.mark.both(long=True)
def test_bad_expand(call: Call, path: str, query: str) -> None:
    """What cannot be added is a 400 that names the parameter."""
    response = call("GET", f"{path}?{query}")

    assert response.status_code == 400
    assert [error["field"] for error in response.json["errors"]] == [query.partition("=")[0]]
