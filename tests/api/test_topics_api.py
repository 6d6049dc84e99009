"""Topics that a project defines: made, changed, merged and removed; given by people, found by filters."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from gateway.core.ids import now_ms
from gateway.triage.topics import LEAST
from models import Audit, Feedback, Theme, ThemeMember, ThemeRun, Topic
from models.tables import topic
from models.tables.topic import MOST
from tests.conftest import Call, Tenant, make_tenant

pytestmark = pytest.mark.both

FEEDBACK = "/gateway/v1/feedback"
INVOICES = {"name": "Invoices", "description": "VAT, and what the accountant asks for"}


@pytest.fixture(name="path")
def _path(tenant: Tenant) -> str:
    return f"/gateway/v1/projects/{tenant.project_id}/topics"


def made(call: Call, path: str, name: str = "Invoices", **more: str) -> str:
    answer = call("POST", path, json={"name": name, **more})
    assert answer.status_code == 201, answer.json
    return str(answer.json["topic_id"])


def post(call: Call, text: str = "The lantern hums", **more: Any) -> str:
    return str(call("POST", FEEDBACK, json={"text": text, **more}).json["id"])


def given(call: Call, feedback_id: str, topic_id: str | None) -> dict[str, Any]:
    answer = call("PATCH", f"{FEEDBACK}/{feedback_id}", json={"topic": topic_id})
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def ids(call: Call, query: str) -> set[str]:
    return {row["id"] for row in call("GET", f"{FEEDBACK}?{query}").json["data"]}


def audited() -> list[str]:
    return [row.action for row in Audit.select().order_by(Audit.id) if row.action.startswith("topic.")]


def test_a_topic_from_its_making_to_its_end(call: Call, path: str, tenant: Tenant) -> None:
    topic_id = made(call, path, "  Bills \n and dues ")
    (row,) = call("GET", path).json["data"]
    assert row == {
        "topic_id": topic_id,
        "project_id": tenant.project_id,
        "name": "Bills and dues",
        "description": "",
        "examples": 0,
        "created_at": row["created_at"],
    }
    changed = call("PATCH", f"{path}/{topic_id}", json=INVOICES)
    assert changed.status_code == 200
    assert changed.json == {**row, **INVOICES}
    assert call("PATCH", f"{path}/{topic_id}", json=INVOICES).json == changed.json
    assert call("DELETE", f"{path}/{topic_id}").status_code == 204
    assert call("GET", path).json == {"data": [], "next_cursor": None}
    assert call("DELETE", f"{path}/{topic_id}").status_code == 404
    assert audited() == ["topic.created", "topic.changed", "topic.removed"]
    made(call, path, "Invoices")  # the name is free again


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "n" * 61}, "name"),
        ({"name": "n", "description": "d" * 301}, "description"),
        ({"name": "n", "color": "red"}, "color"),
        ({"name": "iNVOICES "}, "name"),
        ({"name": "n", "theme": "th_none"}, "theme"),
    ],
)
def test_what_is_no_topic(call: Call, path: str, sent: dict[str, Any], field: str) -> None:
    """Every bad field is named, also a name that another topic of the project has."""
    made(call, path)
    answer = call("POST", path, json=sent)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, field)


def test_names_and_numbers_are_of_a_project(call: Call, path: str, tenant: Tenant) -> None:
    """A name that is taken, and the topic that is one too many; another project has room for both."""
    first = made(call, path, "t0")
    for number in range(1, MOST):
        made(call, path, f"t{number}")
    assert call("POST", path, json={"name": "more"}).json["errors"][0]["field"] == "name"
    assert call("PATCH", f"{path}/{first}", json={"name": "T1"}).status_code == 400
    assert call("PATCH", f"{path}/{first}", json={}).status_code == 400
    assert call("PATCH", f"{path}/{first}", json={"name": "T0"}).json["name"] == "T0"
    other = call("POST", "/gateway/v1/projects", json={"name": "other"}).json["project_id"]
    made(call, f"/gateway/v1/projects/{other}/topics", "t1")


def test_people_give_topics(call: Call, path: str) -> None:
    """A record's topic, its origin, history and version, and that none can be given as well."""
    topic_id, record_id = made(call, path), post(call)
    before = call("GET", f"{FEEDBACK}/{record_id}")
    assert (before.json["topic"], before.json["topic_origin"], before.json["topic_confidence"]) == (None,) * 3
    after = given(call, record_id, topic_id)
    assert (after["topic"], after["topic_origin"], after["topic_confidence"]) == (topic_id, "corrected", 1.0)
    assert after["updated_at"] > before.json["updated_at"]
    assert call("GET", path).json["data"][0]["examples"] == 1
    none = given(call, record_id, None)
    assert (none["topic"], none["topic_origin"], none["topic_confidence"]) == (None, "corrected", None)
    events = call("GET", f"{FEEDBACK}/{record_id}/events").json["data"]
    assert [event["detail"]["changes"] for event in events if event["type"] == "relabelled"] == [
        {"topic": {"from": None, "to": topic_id}},
        {"topic": {"from": topic_id, "to": None}},
    ]
    stale = {"If-Match": before.headers["ETag"]}
    assert (
        call("PATCH", f"{FEEDBACK}/{record_id}", json={"topic": topic_id}, headers=stale).status_code == 412
    )


def test_a_topic_stays_in_its_project(call: Call, path: str, tenant: Tenant) -> None:
    """Records of another project are refused it, alone, and left as they are among many."""
    topic_id, mine = made(call, path), post(call)
    other = call("POST", "/gateway/v1/projects", json={"name": "other"}).json["project_id"]
    theirs = post(call, project_id=other)
    refused = call("PATCH", f"{FEEDBACK}/{theirs}", json={"topic": topic_id})
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "topic")
    many = {"ids": [mine, theirs], "change": {"topic": topic_id}}
    assert call("PATCH", FEEDBACK, json=many).json["changed"] == 1
    assert ids(call, f"topic={topic_id}") == {mine}
    call("DELETE", f"{path}/{topic_id}")
    for change in ({"topic": topic_id}, {"topic": "top_none"}, {"topic": 1}):
        assert call("PATCH", f"{FEEDBACK}/{mine}", json=change).status_code == 400
        assert call("PATCH", FEEDBACK, json={"ids": [mine], "change": change}).status_code == 400


def test_what_finds_and_counts_them(call: Call, path: str) -> None:
    """The filter, with and without a topic, in every order; numbers, and both kinds of export."""
    first, second = made(call, path, "first"), made(call, path, "second")
    one, two, three = (post(call, f"The {word} hums") for word in ("lantern", "kettle", "fridge"))
    given(call, one, first)
    given(call, two, second)
    found = {
        f"topic={first}": {one},
        f"topic={first},{second}": {one, two},
        f"topic={first}&topic={second}": {one, two},
        "topic=none": {three},
        f"topic=none,{second}": {two, three},
        "topic=top_other": set(),
        f"topic={first}&q=lantern": {one},
        f"topic={first}&category=praise,bug,other,feature,question": {one},
    }
    for query, expected in found.items():
        for sort in ("-received_at", "received_at", "-impact", "-doubt"):
            assert ids(call, f"{query}&sort={sort}") == expected, (query, sort)
    assert call("GET", f"{FEEDBACK}?topic=").status_code == 400
    rows = call("GET", "/gateway/v1/stats?by=topic").json["data"]
    assert {row["topic"]: row["count"] for row in rows} == {first: 1, second: 1, None: 1}
    counted = call("GET", f"/gateway/v1/stats?topic={first}&by=topic,category&since=7d").json
    assert (counted["total"]["count"], counted["data"][0]["topic"]) == (1, first)
    text = call("GET", "/gateway/v1/export?format=csv&fields=id,topic,topic_origin,topic_confidence").text
    cells = {row["id"]: row for row in csv.DictReader(io.StringIO(text))}
    assert (cells[one]["topic"], cells[one]["topic_origin"], cells[one]["topic_confidence"]) == (
        first,
        "corrected",
        "1.0",
    )
    assert (cells[three]["topic"], cells[three]["topic_origin"]) == ("", "")


def test_merging_keeps_history(call: Call, path: str) -> None:
    """All records have the other topic; what people gave stays theirs, and histories name the old one."""
    old, new = made(call, path, "old"), made(call, path, "new")
    taught, guessed = post(call), post(call, "The kettle hums")
    given(call, taught, old)
    Feedback.update(topic=old, topic_origin="predicted", topic_confidence=LEAST).where(
        Feedback.id == guessed
    ).execute()
    for into in (old, "top_none"):
        answer = call("POST", f"{path}/{old}/merge", json={"into": into})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "into")
    merged = call("POST", f"{path}/{old}/merge", json={"into": new})
    assert (merged.status_code, merged.json["topic_id"], merged.json["examples"]) == (200, new, 1)
    assert ids(call, f"topic={new}") == {taught, guessed}
    assert ids(call, f"topic={old}") == {taught, guessed}  # filters that were saved find what became of it
    assert call("GET", f"{FEEDBACK}/{taught}").json["topic_origin"] == "corrected"
    assert call("GET", f"{FEEDBACK}/{guessed}").json["topic_origin"] == "predicted"
    events = call("GET", f"{FEEDBACK}/{taught}/events").json["data"]
    assert events[-1]["detail"]["changes"]["topic"]["to"] == old
    row = Topic.get_by_id(old)
    assert (row.name, row.merged_into, row.settled_at is not None) == ("old", new, True)
    assert call("POST", f"{path}/{old}/merge", json={"into": new}).status_code == 404
    assert audited()[-1] == "topic.merged"


def test_removing_frees_records(call: Call, path: str) -> None:
    """Records of a topic that is removed have none, as if nobody had looked for one."""
    topic_id, record_id = made(call, path), post(call)
    given(call, record_id, topic_id)
    call("DELETE", f"{path}/{topic_id}")
    row = call("GET", f"{FEEDBACK}/{record_id}").json
    assert (row["topic"], row["topic_origin"], row["topic_confidence"]) == (None, None, None)


def test_a_theme_becomes_a_topic(call: Call, path: str, tenant: Tenant) -> None:
    """Its records are examples, but those that people gave another one; a theme of others is none."""
    told = [post(call, f"The {word} hums") for word in ("lantern", "kettle", "fridge")]
    theme(tenant, told)
    other = made(call, path, "other")
    given(call, told[0], other)
    answer = call("POST", path, json={"name": "Humming", "theme": "th_1"})
    assert answer.status_code == 201
    assert answer.json["examples"] == 2
    assert ids(call, f"topic={answer.json['topic_id']}") == set(told[1:])
    assert ids(call, f"topic={other}") == {told[0]}
    history = call("GET", f"{FEEDBACK}/{told[1]}/events").json["data"]
    assert history[-1]["detail"]["changes"] == {"topic": {"from": None, "to": answer.json["topic_id"]}}
    stranger = make_tenant("stranger")
    theirs = f"/gateway/v1/projects/{stranger.project_id}/topics"
    sent = {"name": "Humming", "theme": "th_1"}
    assert call("POST", theirs, json=sent, headers=stranger.headers).status_code == 400


def theme(tenant: Tenant, members: list[str]) -> None:
    """A theme of these records, the first the closest."""
    now = now_ms()
    of = {"workspace_id": tenant.workspace_id, "since": 0, "newest": members[-1], "took": 1}
    ThemeRun.create(id="tr_1", project_id=None, computed_at=now, **of)
    Theme.create(id="th_1", lasting_id="th_1", run="tr_1", label="hums", terms=["hums"])
    for number, feedback_id in enumerate(members):
        ThemeMember.insert(theme="th_1", feedback=feedback_id, at=now, closeness=1 - number / 10).execute()


def test_others_topics_are_unknown(call: Call, path: str, tenant: Tenant) -> None:
    """Another workspace, a key of another project, and a topic below another project's path."""
    topic_id = made(call, path)
    mine = post(call)
    stranger = make_tenant("stranger")
    other = call("POST", "/gateway/v1/projects", json={"name": "other"}).json["project_id"]
    key = call(
        "POST", "/gateway/v1/keys", json={"scopes": ["read", "triage", "admin"], "project_id": other}
    ).json["key"]
    elsewhere = f"/gateway/v1/projects/{other}/topics"
    one = f"{path}/{topic_id}"
    for headers in (stranger.headers, {"Authorization": f"Bearer {key}"}):
        for method, where, sent in (
            ("GET", path, None),
            ("POST", path, {"name": "mine"}),
            ("PATCH", one, {"name": "mine"}),
            ("DELETE", one, None),
            ("POST", f"{one}/merge", {"into": topic_id}),
        ):
            assert call(method, where, json=sent, headers=headers).status_code == 404, (method, where)
    theirs = call("POST", FEEDBACK, json={"text": "A lamp hums"}, headers=stranger.headers).json["id"]
    refused = call("PATCH", f"{FEEDBACK}/{theirs}", json={"topic": topic_id}, headers=stranger.headers)
    assert refused.status_code == 400
    assert call("PATCH", f"{elsewhere}/{topic_id}", json={"name": "x"}).status_code == 404
    assert call("POST", f"{path}/{topic_id}/merge", json={"into": made(call, elsewhere)}).status_code == 400
    assert given(call, mine, topic_id)["topic"] == topic_id


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Cafe\u0301 \x1b[31m", "Caf\u00e9 [31m"),
        ("\u202eBills\u200b\u00ad", "Bills"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        *[
            (unseen, None)
            for unseen in ("\u200b", "\u2060\ufeff", "\u00ad", "\u3164", "\u2800 \u200d", "\ufe0f")
        ],
    ],
)
def test_names_are_seen(call: Call, path: str, name: str, kept: str | None) -> None:
    """A name is kept without what is not seen or turns what is; one of nothing else is none."""
    answer = call("POST", path, json={"name": name})
    if kept is None:
        assert answer.json["errors"][0] == {"field": "name", "message": "String must not be blank"}
        topic_id = made(call, path)
        assert call("PATCH", f"{path}/{topic_id}", json={"name": name}).status_code == 400
    else:
        assert answer.json["name"] == kept


def test_names_that_read_alike(call: Call, path: str) -> None:
    """No two topics of a project have names that people read as the same one."""
    made(call, path, "Caf\u00e9 bills")
    alike = [
        "CAFE\u0301 BILLS",
        "cafe bills",
        "Ca\u200bf\u00e9\u00a0bills",
        "\uff23afe bills",
        "Cafe\u200d bills\u3164",
    ]
    answers = [call("POST", path, json={"name": name}) for name in alike]
    assert [answer.json["errors"][0]["message"] for answer in answers] == [
        "Another topic of this project has it"
    ] * len(alike)


def test_people_confirm_topics(call: Call, path: str) -> None:
    """A person who says what was guessed, or none where none was, has said it: nothing else changes it."""
    topic_id, record_id, other = made(call, path), post(call), post(call)
    Feedback.update(topic=topic_id, topic_origin="predicted", topic_confidence=0.7).where(
        Feedback.id == record_id
    ).execute()
    for one, said in ((record_id, topic_id), (other, None)):
        after = given(call, one, said)
        assert (after["topic"], after["topic_origin"]) == (said, "corrected")
        (event,) = (
            event
            for event in call("GET", f"{FEEDBACK}/{one}/events").json["data"]
            if event["type"] == "relabelled"
        )
        assert event["detail"]["changes"] == {"topic": {"from": said, "to": said}}
        assert given(call, one, said)["updated_at"] == after["updated_at"]
    assert call("GET", path).json["data"][0]["examples"] == 1


def test_an_end_is_its_own(call: Call, path: str) -> None:
    """A request that ends a topic leaves others' records to others: the background ends what they began."""
    topic_id, record_id, mine = made(call, path), post(call), made(call, path, "Mine")
    given(call, record_id, topic_id)
    Topic.update(ended_at=1).where(Topic.id == topic_id).execute()
    assert call("DELETE", f"{path}/{mine}").status_code == 204
    assert Topic.get_by_id(mine).settled_at
    assert Topic.get_by_id(topic_id).settled_at is None


def test_a_project_that_is_gone(call: Call, path: str) -> None:
    """Whoever still changes records of a topic whose project is gone finds none."""
    topic_id = made(call, path)
    Topic.delete().execute()
    assert topic.move_some(topic_id, 1, 10) == 0
