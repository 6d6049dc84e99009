"""Many records at once: changed and deleted by ids or filter, after a look, without holding up intake."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from gateway.api import feedback_bulk
from gateway.core import concurrency, pacing
from models import Audit, Dedupe, Event, Feedback
from models.tables import event
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both

PATH = "/gateway/v1/feedback"


@pytest.fixture(name="ids")
def _ids(call: Call) -> list[str]:
    """Ten records, of which the first six are a bug."""
    items = [{"text": f"Number {n}", "category": "bug" if n < 6 else "praise"} for n in range(10)]
    return [row["id"] for row in call("POST", f"{PATH}/batch", json=items).json["data"]]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback_bulk, "TOGETHER", 4)


def statuses(call: Call, ids: list[str]) -> list[str]:
    return [call("GET", f"{PATH}/{each}").json["status"] for each in ids]


def test_by_ids(call: Call, ids: list[str]) -> None:
    """Records named by id are changed, each with its event; one that has the change already is none."""
    call("PATCH", f"{PATH}/{ids[0]}", json={"status": "resolved"})
    sent = {"ids": [*ids[:5], ids[0], "fb_unknown"], "change": {"status": "resolved"}}
    answer = call("PATCH", PATH, json=sent)

    assert answer.json == {"matched": 5, "changed": 4, "dry_run": False}
    assert statuses(call, ids) == ["resolved"] * 5 + ["open"] * 5
    assert Event.select().where(Event.type == "status").count() == 5


def test_by_filter(call: Call, ids: list[str]) -> None:
    """Records that a filter means are changed, also when the change takes them out of it."""
    change = {"status": "acknowledged", "tags": {"add": ["sprint:7"]}, "note": "Planned."}
    answer = call("PATCH", PATH, json={"filter": "category=bug&status=open", "change": change})
    listed = call("GET", f"{PATH}?tag=sprint:7&status=acknowledged").json["data"]

    assert answer.json == {"matched": 6, "changed": 6, "dry_run": False, "next_cursor": None}
    assert {row["id"] for row in listed} == set(ids[:6])
    assert Event.select().where(Event.type == "note").count() == 6


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("how", ["ids", "filter"])
def test_dry_run(call: Call, ids: list[str], method: str, how: str) -> None:
    """A dry run counts and shows some of what would be done, and does none of it."""
    before = sorted(Feedback.select().dicts(), key=repr)
    chosen: dict[str, Any] = {"ids": [*ids[:6], "fb_unknown"]} if how == "ids" else {"filter": "category=bug"}
    more = {"change": {"status": "ignored"}} if method == "PATCH" else {}
    answer = call(method, PATH, json={**chosen, **more, "dry_run": True}).json

    assert (answer["matched"], answer["dry_run"]) == (6, True)
    assert [row["id"] for row in answer["sample"]] == ids[5:0:-1]
    assert sorted(Feedback.select().dicts(), key=repr) == before


def test_a_long_one_goes_on(call: Call, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is more than one request takes is done by the next ones, with the cursor of the one before."""
    monkeypatch.setattr(feedback_bulk, "MOST", 4)
    sent: dict[str, Any] = {"filter": "source=native", "change": {"impact": 14}}
    answers = [call("PATCH", PATH, json=sent).json]
    while answers[-1]["next_cursor"]:
        answers.append(call("PATCH", PATH, json={**sent, "cursor": answers[-1]["next_cursor"]}).json)

    assert [answer["matched"] for answer in answers] == [4, 4, 2]
    assert {row.impact for row in Feedback.select()} == {14}


def test_what_arrives_meanwhile_is_not_meant(
    call: Call, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that come while a bulk change runs are left alone."""
    monkeypatch.setattr(
        pacing, "rest", lambda seconds: call("POST", PATH, json={"text": "Late", "category": "bug"})
    )
    answer = call("PATCH", PATH, json={"filter": "category=bug", "change": {"status": "ignored"}}).json

    assert answer["matched"] == 6
    late = call("GET", f"{PATH}?category=bug&status=open").json["data"]
    assert {row["text"] for row in late} == {"Late"}


def test_delete_one(call: Call, ids: list[str]) -> None:
    """A deleted record is gone with its history; the trail says who did it and nothing of what it was."""
    path = f"{PATH}/{ids[0]}"
    assert call("DELETE", path, headers={"If-Match": '"old"'}).status_code == 412
    gone, again = call("DELETE", path), call("DELETE", path)

    assert (gone.status_code, gone.data, again.status_code) == (204, b"", 404)
    assert call("GET", path).status_code == 404
    assert Event.select().where(Event.feedback == ids[0]).count() == 0
    act = Audit.select().order_by(Audit.id.desc()).get()
    assert (act.action, act.target, set(act.detail)) == (
        "feedback.deleted",
        ids[0],
        {"records", "request_id"},
    )


def test_delete_many(call: Call, ids: list[str]) -> None:
    """Records that a filter means are deleted, and no others."""
    answer = call("DELETE", PATH, json={"filter": "?category=praise"})

    assert answer.json == {"matched": 4, "deleted": 4, "dry_run": False, "next_cursor": None}
    assert sorted(row.id for row in Feedback.select()) == sorted(ids[:6])
    assert Event.select().count() == 6


@pytest.mark.parametrize("how", ["one", "ids", "filter"])
def test_changed_while_it_is_deleted(
    call: Call, ids: list[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A record is deleted with its whole history or not at all, whatever is changed meanwhile."""
    path = f"{PATH}/{ids[0]}"
    for number in range(event.HISTORY + 1):
        shown = call("PATCH", path, json={"note": str(number)})
    monkeypatch.setattr(pacing, "rest", lambda seconds: call("PATCH", path, json={"status": "resolved"}))
    if how == "one":
        answer = call("DELETE", path, headers={"If-Match": shown.headers["ETag"]})
    else:
        answer = call("DELETE", PATH, json={"ids": [ids[0]]} if how == "ids" else {"filter": "status=open"})
        assert answer.json["deleted"] == (1 if how == "ids" else len(ids))

    assert answer.status_code == (204 if how == "one" else 200)
    assert call("GET", path).status_code == 404
    assert not Event.select().where(Event.feedback == ids[0]).exists()


def test_long_ones_leave_threads_to_others(
    call: Call, other: Tenant, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace has a quarter of a process's threads for what takes long, and all of them one half."""
    monkeypatch.setattr(concurrency, "_most", 2)
    monkeypatch.setattr(concurrency, "_most_of_one", 1)
    call("POST", PATH, json={"text": "Theirs"}, headers=other.headers)
    sent = {"filter": "status=open", "change": {"status": "ignored"}}
    few = {"ids": ids[:1], "change": {"note": "n"}}
    told: dict[str, int] = {}

    def meanwhile() -> None:
        told["ours"] = 0
        person = {"email": "ada@example.com", "dry_run": True}
        told["few"] = call("PATCH", PATH, json=few).status_code
        told["read"] = call("GET", PATH).status_code
        for name, headers in (("again", {}), ("theirs", other.headers)):
            told[name] = call("PATCH", PATH, json=sent, headers=headers).status_code
        told["erase"] = call("POST", "/gateway/v1/authors/erase", json=person).status_code

    monkeypatch.setattr(pacing, "rest", lambda seconds: meanwhile() if not told else None)
    assert call("PATCH", PATH, json=sent).status_code == 200

    assert told == {"ours": 0, "few": 200, "read": 200, "again": 503, "theirs": 200, "erase": 503}
    assert call("PATCH", PATH, json=sent).status_code == 200


def test_a_deleted_story_begins_anew(call: Call) -> None:
    """After the record of an alert is deleted its next deliveries are one new record."""
    options = {"map": {name: name for name in ("text", "incident_key", "state", "dedupe_key")}}
    hook = call("POST", "/gateway/v1/hooks", json={"source": "generic", "options": options}).json
    bearer = {"Authorization": f"Bearer {hook['secret']}"}

    def deliver(number: int) -> list[str]:
        sent = {"text": "Disk full", "incident_key": "disk", "state": "triggered", "dedupe_key": f"{number}"}
        assert call("POST", hook["path"], json=sent, headers=bearer).status_code == 200
        return [row["id"] for row in call("GET", f"{PATH}?source=generic").json["data"]]

    (first,) = deliver(1)
    assert deliver(2) == [first]
    call("DELETE", f"{PATH}/{first}")
    assert deliver(2) == []  # what was delivered before stays known
    (second,) = deliver(3)
    assert second != first
    assert deliver(4) == [second]
    assert Dedupe.select().where(Dedupe.scope == "incident:generic").get().feedback_id == second


CHANGE = {"status": "open"}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"change": CHANGE}, {"body"}),
        ({"ids": ["x"], "filter": "source=x", "change": CHANGE}, {"body"}),
        ({"ids": [], "change": CHANGE}, {"ids"}),
        ({"ids": ["x"] * 10_001, "change": CHANGE}, {"ids"}),
        ({"ids": [1], "change": CHANGE}, {"ids.0"}),
        ({"ids": ["x"], "cursor": "y", "change": CHANGE}, {"cursor"}),
        ({"filter": " ", "change": CHANGE}, {"filter"}),
        ({"filter": "status=done&color=red", "change": CHANGE}, {"filter.status", "filter.color"}),
        ({"filter": "source=x", "cursor": "y", "change": CHANGE}, {"cursor"}),
        ({"filter": "source=x"}, {"change"}),
        ({"filter": "source=x", "change": {}}, {"change"}),
        (
            {"filter": "limit=5", "change": {"status": 1, "tags": [2]}},
            {"filter.limit", "change.status", "change.tags.0"},
        ),
        ({"filter": "source=x", "change": CHANGE, "dry_run": 1}, {"dry_run"}),
    ],
)
@pytest.mark.both(long=True)
def test_bad_bodies(call: Call, ids: list[str], body: dict[str, Any], names: set[str]) -> None:
    """What cannot be done is a 400 that names every bad field, and nothing is done."""
    answer = call("PATCH", PATH, json=body)

    assert answer.status_code == 400
    assert {error["field"] for error in answer.json["errors"]} == names
    assert Event.select().count() == len(ids)


def test_hostile_ids(call: Call, app: Flask, tenant: Tenant, ids: list[str]) -> None:
    """Ids that no column can hold are unknown ones."""
    body = b'{"ids": ["\\u0000", "\\ud800", "%", "fb_%"], "change": {"note": "\\u0000"}}'

    assert call("PATCH", PATH, data=body).json["matched"] == 0
