"""/gateway/v1/destinations: made, changed, tested, looked after and ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.core import outbound
from gateway.core.config import Config
from gateway.destinations import managing
from models import Audit, Destination, Outgoing
from tests.conftest import Call, Tenant
from tests.destinations.conftest import Send, _allowed, _send, told  # noqa: F401  # fixtures
from tests.receivers import answering, listening

ALL = "/gateway/v1/destinations"
CHAT = f"http://localhost:9/hooks/{'a' * 26}"
URL = "http://localhost:8080/hook?token=hush"
POST = "/gateway/v1/feedback"


def faults(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    return {fault["field"]: fault["message"] for fault in answer.json["errors"]}


def test_from_beginning_to_end(call: Call, tenant: Tenant) -> None:
    """What is made is shown, changed, rotated and deleted; each is in the audit trail, without secrets."""
    sent = {"url": URL, "name": "Shop", "headers": {"Authorization": "Bearer hush"}}
    sent |= {"filter": "category=bug", "events": ["feedback.created", "feedback.deleted"]}
    answer = call("POST", ALL, json=sent)
    assert answer.status_code == 201 and answer.headers["Cache-Control"] == "no-store"
    made = answer.json
    assert made["secret"].startswith("whsec_") and made["headers"] == ["Authorization"]
    shown = call("GET", f"{ALL}/{made['id']}").json
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert (shown["url"], shown["state"], shown["events"]) == (URL, "enabled", sent["events"])
    assert call("GET", ALL).json == {"data": [shown], "next_cursor": None}
    changed = call("PATCH", f"{ALL}/{made['id']}", json={"name": "Web shop", "headers": {}}).json
    assert changed == {**shown, "name": "Web shop", "headers": []}
    rotated = call("POST", f"{ALL}/{made['id']}/rotate").json
    assert rotated["secret"] != made["secret"] and rotated["live_secrets"] == 2
    (row,) = Destination.select()
    assert "hush" not in repr(row.__data__) and made["secret"] not in repr(row.__data__)
    assert call("DELETE", f"{ALL}/{made['id']}").status_code == 204
    assert call("GET", f"{ALL}/{made['id']}").status_code == 404
    acts = [row.action for row in Audit.select().order_by(Audit.id) if row.target == made["id"]]
    assert acts == [f"destination.{word}" for word in ("created", "changed", "rotated", "deleted")]
    assert "hush" not in repr(list(Audit.select().dicts()))


@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        ({"url": "https://10.0.0.1/"}, "url", "GATEWAY_OUTBOUND_PRIVATE"),
        ({"url": "https://169.254.169.254/"}, "url", "GATEWAY_OUTBOUND_ALLOW"),
        ({"url": "https://a:b@example.com/"}, "url", "user name"),
        ({"url": "https://example.com/#a"}, "url", "fragment"),
        ({"url": "https://example.com/", "subscription": {"when": "daily"}}, "subscription", "people"),
        ({"url": "https://example.com/", "subscription": {"hour": 24}}, "subscription.hour", "23"),
        ({"url": "https://example.com/", "subscription": {"zone": "Mars"}}, "subscription.zone", "Amsterdam"),
        ({"url": "https://example.com/", "subscription": {"at": 1}}, "subscription.at", "Unrecognized"),
        ({"url": "http://example.com/"}, "url", "https"),
        ({}, "url", ""),
        ({"url": URL, "kind": "pigeon"}, "kind", "webhook"),
        ({"url": URL, "events": ["feedback.eaten"]}, "events.0", "feedback.created"),
        ({"url": URL, "events": []}, "events", "1"),
        ({"url": URL, "filter": "category=nonsense"}, "filter.category", "bug"),
        ({"url": URL, "filter": "colour=red"}, "filter.colour", "Unknown"),
        ({"url": URL, "headers": {"Webhook-Id": "x"}}, "headers.Webhook-Id", "gateway"),
        ({"url": URL, "headers": {"Host": "x"}}, "headers.Host", "gateway"),
        ({"url": URL, "headers": {"X-A": "a\r\nX-B: b"}}, "headers.X-A", "ASCII"),
        ({"url": URL, "headers": {"X-A": 1}}, "headers.X-A", "ASCII"),
        ({"url": URL, "headers": {"X A": "a"}}, "headers", "X A"),
        ({"url": URL, "headers": {f"X-{n}": "a" for n in range(9)}}, "headers", "8"),
        ({"url": URL, "project_id": "prj_0"}, "project_id", "project"),
        ({"url": URL, "colour": "red"}, "colour", ""),
    ],
)
def test_bad_fields(call: Call, sent: dict[str, Any], field: str, words: str) -> None:
    """Each is named, with what is wrong, also when a destination is changed; nothing is stored."""
    found = faults(call("POST", ALL, json=sent))
    assert words in found[field]
    assert Destination.select().count() == 0
    made = call("POST", ALL, json={"url": URL}).json
    if field.partition(".")[0] in ("events", "filter", "headers") or ("url" in found and sent):
        assert words in faults(call("PATCH", f"{ALL}/{made['id']}", json=sent))[field]
    assert faults(call("PATCH", f"{ALL}/{made['id']}", json={})) != {}


def test_all_faults_at_once(call: Call) -> None:
    """Every bad field is named in one answer."""
    sent = {"url": "https://10.0.0.1/", "filter": "status=x&min_impact=99", "headers": {"Host": "x"}}
    assert set(faults(call("POST", ALL, json=sent))) == {
        "url",
        "filter.status",
        "filter.min_impact",
        "headers.Host",
    }


def test_tested_and_replayed(call: Call, send: Send) -> None:
    """A test goes the whole way; the log tells of it, and of what is replayed."""
    seen: list[bytes] = []
    with listening(answering("202 Accepted", body=b"thanks", seen=seen)) as port:
        made = call("POST", ALL, json={"url": f"http://localhost:{port}/"}).json
        log = f"{ALL}/{made['id']}/deliveries"
        answer = call("POST", f"{ALL}/{made['id']}/test")
        assert (answer.status_code, answer.json) == (202, {"queued": 1})
        send()
        record = call("POST", POST, json={"text": "The export button does nothing"}).json["id"]
        send()
        newest, tested = call("GET", log).json["data"]
        assert (tested["type"], newest["type"]) == ("destination.test", "feedback.created")
        assert newest["feedback_id"] == record and newest["state"] == "sent"
        (attempt,) = newest["attempts"]
        assert (attempt["n"], attempt["status"], attempt["answer"]) == (1, 202, "thanks")
        for sent, count in (
            ({"delivery_id": newest["id"]}, 1),
            ({"delivery_id": "msg_0"}, 0),
            ({"state": "sent", "since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}, 0),
            ({"state": "sent", "since": "2020-01-01T00:00:00Z"}, 1),
            (None, 0),
        ):
            answer = call("POST", f"{ALL}/{made['id']}/replay", json=sent)
            assert (answer.status_code, answer.json) == (202, {"queued": count})
        send()
        assert len(seen) == 4
    for request in seen:
        got = told(request)
        Webhook(made["secret"]).verify(got.text, got.headers)
    assert [told(request).id for request in seen].count(newest["id"]) == 2
    page = call("GET", f"{log}?limit=1").json
    assert page["data"][0]["id"] == newest["id"] and page["next_cursor"] == newest["id"]
    assert [one["id"] for one in call("GET", f"{log}?cursor={newest['id']}").json["data"]] == [tested["id"]]
    assert call("GET", f"{log}?state=dead").json["data"] == []
    assert set(faults(call("GET", f"{log}?state=lost"))) == {"state"}
    both = {"delivery_id": newest["id"], "state": "dead"}
    for act in ("replay", "forget"):
        assert set(faults(call("POST", f"{ALL}/{made['id']}/{act}", json=both))) == {"delivery_id"}


def test_held_and_forgotten(call: Call, send: Send) -> None:
    """While it is paused the number of those held is shown; they go when they are to be forgotten."""
    made = call("POST", ALL, json={"url": URL}).json
    assert call("PATCH", f"{ALL}/{made['id']}", json={"state": "paused"}).json["state"] == "paused"
    call("POST", POST, json={"text": "The export button does nothing"})
    send()
    shown = call("GET", f"{ALL}/{made['id']}").json
    assert (shown["held"], shown["waiting"], Outgoing.get().state) == (1, 0, "held")
    assert faults(call("PATCH", f"{ALL}/{made['id']}", json={"state": "disabled"})).keys() == {"state"}
    other = call("POST", ALL, json={"url": URL}).json
    for which, sent, count in (
        (other, None, 0),
        (made, {"state": "dead"}, 0),
        (made, {"state": "held", "until": "2020-01-01T00:00:00Z"}, 0),
        (other, {"delivery_id": Outgoing.get().id}, 0),
        (made, None, 1),
    ):
        answer = call("POST", f"{ALL}/{which['id']}/forget", json=sent)
        assert (answer.status_code, answer.json) == (200, {"forgotten": count})
    assert Outgoing.select().count() == 0
    assert set(faults(call("POST", f"{ALL}/{made['id']}/forget", json={"state": "sent"}))) == {"state"}


def test_a_key_of_a_project(call: Call, tenant: Tenant, new_key: Any) -> None:
    """It makes and sees destinations of its project alone."""
    call("POST", ALL, json={"url": URL})
    headers = {"Authorization": f"Bearer {new_key(tenant.project_id, scopes=['admin'])}"}
    made = call("POST", ALL, json={"url": URL}, headers=headers).json
    assert made["project_id"] == tenant.project_id
    assert [one["id"] for one in call("GET", ALL, headers=headers).json["data"]] == [made["id"]]


def test_where_to_is_checked_as_when_it_is_sent(call: Call) -> None:
    """What the settings allow no more is refused when it is saved."""
    outbound.connect(Config())
    assert "GATEWAY_OUTBOUND_ALLOW" in faults(call("POST", ALL, json={"url": URL}))["url"]


@pytest.mark.both(long=True)
def test_changed_at_once(call: Call) -> None:
    """Of changes at once all hold, each of its own fields, whatever each of them has read before."""
    made = call("POST", ALL, json={"kind": "mattermost", "url": CHAT}).json
    path, row = f"{ALL}/{made['id']}", dict(Destination.get().__data__)
    for sent in ({"window": 30}, {"include_author": True}):  # both as of the same moment
        managing.change(row, {"subscription": sent}, by="key_test")
    kept = call("GET", path).json["subscription"]
    assert (kept["window"], kept["include_author"]) == (30, True)
    many: list[dict[str, Any]] = [{"window": 5}, {"hour": 3}, {"zone": "Europe/Amsterdam"}, {"weekday": 4}]
    many += [{"include_author": False}, {"when": "weekly"}]
    with ThreadPoolExecutor(len(many)) as pool:
        answers = [*pool.map(lambda sent: call("PATCH", path, json={"subscription": sent}), many)]

    assert [answer.status_code for answer in answers] == [200] * len(many)
    merged = {name: value for sent in many for name, value in sent.items()}
    shown = call("GET", path).json["subscription"]
    assert {name: shown[name] for name in merged} == merged


@pytest.mark.both(long=True)
def test_changed_by_somebody_else(call: Call, tenant: Tenant) -> None:
    """With If-Match a destination is changed only while it is as it was read; of several at once by one."""
    path = f"{ALL}/{call('POST', ALL, json={'url': URL}).json['id']}"
    read = call("GET", path).headers["ETag"]

    def change(name: str, tag: str) -> Any:
        return call("PATCH", path, json={"name": name}, headers={**tenant.headers, "If-Match": tag})

    with ThreadPoolExecutor(4) as pool:
        answers = [*pool.map(lambda n: change(f"Name {n}", read), range(4))]

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    (won,) = [answer for answer in answers if answer.status_code == 200]
    assert call("GET", path).json["name"] == won.json["name"]
    late = change("Late", read)
    assert (late.status_code, late.headers["ETag"]) == (412, won.headers["ETag"])
    assert won.headers["ETag"] == call("GET", path).headers["ETag"] != read
    assert change("Now", won.headers["ETag"]).status_code == change("Any", "*").status_code == 200
