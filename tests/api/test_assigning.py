"""Who takes care of a record: given, taken away and found, by people of the workspace and by nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.access import assignees, users
from gateway.background import handing_back
from gateway.background.lease import run_once
from models import Event, Feedback, User
from models.database.base import writing
from models.tables import outbox
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both
PATH = "/gateway/v1/feedback"


@pytest.fixture(name="ann")
def _ann(tenant: Tenant) -> str:
    return users.create_user(tenant.workspace_id, "ann@example.test", "Ann", "triager")


def post(call: Call, text: str = "The report is blank") -> str:
    return str(call("POST", PATH, json={"text": text}).json["id"])


def history(call: Call, record: str, kind: str) -> list[dict[str, Any]]:
    events = call("GET", f"{PATH}/{record}/events").json["data"]
    return [event["detail"] for event in events if event["type"] == kind]


@pytest.mark.parametrize("named", ["id", "email", "EMAIL"])
def test_assigned(call: Call, ann: str, named: str) -> None:
    """A person is named by id or address; the history says from whom to whom, and the ETag is another one."""
    record = post(call)
    before = call("GET", f"{PATH}/{record}").headers["ETag"]
    who = {"id": ann, "email": "ann@example.test", "EMAIL": " Ann@Example.test "}[named]
    changed = call("PATCH", f"{PATH}/{record}", json={"assignee": who}, headers={"If-Match": before})
    again = call("PATCH", f"{PATH}/{record}", json={"assignee": ann})

    assert (changed.json["assignee"], again.json["assignee"]) == (ann, ann)
    assert changed.headers["ETag"] == again.headers["ETag"] != before
    (event,) = history(call, record, "assigned")
    assert event["changes"] == {"assignee": {"from": None, "to": ann}}

    assert call("PATCH", f"{PATH}/{record}", json={"assignee": None}).json["assignee"] is None
    assert history(call, record, "assigned")[1]["changes"] == {"assignee": {"from": ann, "to": None}}


@pytest.mark.parametrize(
    "who", ["nobody@example.test", "usr_1", "me", "", " ", 7, "viewer", "theirs", "gone"]
)
def test_who_may_not_be_assigned(call: Call, tenant: Tenant, other: Tenant, who: Any) -> None:
    """Only those of the workspace who may change records: a stranger is refused as somebody unknown."""
    users.create_user(tenant.workspace_id, "viewer@example.test", "V", "viewer")
    users.create_user(other.workspace_id, "theirs@example.test", "T", "admin")
    gone = users.create_user(tenant.workspace_id, "gone@example.test", "G", "admin")
    User.update(disabled_at=1).where(User.id == gone).execute()
    who = f"{who}@example.test" if who in ("viewer", "theirs", "gone") else who
    record = post(call)
    answers = [
        call("PATCH", f"{PATH}/{record}", json={"assignee": who}),
        call("PATCH", PATH, json={"ids": [record], "change": {"assignee": who}}),
    ]

    for answer, field in zip(answers, ("assignee", "change.assignee"), strict=True):
        assert answer.status_code == 400
        assert [error["field"] for error in answer.json["errors"]] == [field]
    assert Feedback.get().assignee is None


def test_the_filter(call: Call, tenant: Tenant, ann: str) -> None:
    """Lists, numbers, exports and bulk changes by who takes care; an unknown person has no record."""
    ben = users.create_user(tenant.workspace_id, "ben@example.test", "Ben", "admin")
    records = [post(call, f"Report {number}") for number in range(4)]
    for record, who in zip(records, (ann, ben, ann, None), strict=True):
        call("PATCH", f"{PATH}/{record}", json={"assignee": who})

    for query, meant in (
        ("assignee=ann@example.test", {0, 2}),
        ("assignee=ANN@example.test", {0, 2}),
        (f"assignee={ann},{ben}", {0, 1, 2}),
        ("assignee=none", {3}),
        ("assignee=none,ben@example.test", {1, 3}),
        ("assignee=stranger@example.test", set()),
        (f"assignee={ann}&q=report", {0, 2}),
        (f"assignee={ann}&sort=-impact", {0, 2}),
    ):
        found = call("GET", f"{PATH}?{query}").json["data"]
        assert {records.index(row["id"]) for row in found} == meant, query
        if "sort" not in query:
            counted = call("GET", f"/gateway/v1/stats?{query}&by=status").json["data"]
            assert sum(row["count"] for row in counted) == len(meant), query
    assert call("GET", f"{PATH}?assignee=me").json["errors"][0]["field"] == "assignee"
    changed = call("PATCH", PATH, json={"filter": f"assignee={ann}", "change": {"assignee": ben}}).json
    assert changed["changed"] == 2
    assert call("GET", f"{PATH}?assignee={ben}").json["data"][0]["assignee"] == ben


@pytest.mark.parametrize("how", ["disabled", "viewer", "late"])
def test_who_is_gone_has_none(call: Call, tenant: Tenant, ann: str, how: str) -> None:
    """With the access go the records: at once, and by the worker what was given in the same moment."""
    record, kept = post(call), post(call, "Another one")
    ben = users.create_user(tenant.workspace_id, "ben@example.test", "Ben", "admin")
    for name, who in ((record, ann), (kept, ben)):
        call("PATCH", f"{PATH}/{name}", json={"assignee": who})
    if how == "disabled":
        users.change_user(tenant.workspace_id, ann, disabled=True, by=ben)
    elif how == "viewer":
        users.change_user(tenant.workspace_id, ann, role="viewer", by=ben)
    else:
        User.update(disabled_at=1).where(User.id == ann).execute()
        assert run_once(handing_back.HAND_BACK)

    assert call("GET", f"{PATH}/{record}").json["assignee"] is None
    assert call("GET", f"{PATH}/{kept}").json["assignee"] == ben
    last = history(call, record, "assigned")[-1]
    assert last["changes"] == {"assignee": {"from": ann, "to": None}}
    assert last["key_id"] == (handing_back.BY if how == "late" else ben)


def test_no_record_is_given_to_who_just_left(call: Call, ann: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may be assigned is asked again in the transaction that does it."""
    record = post(call)
    monkeypatch.setattr(assignees, "stays", lambda workspace_id, user_id: False)
    assert call("PATCH", f"{PATH}/{record}", json={"assignee": ann}).json["assignee"] is None
    assert history(call, record, "assigned") == []


def test_destinations_are_told(call: Call, tenant: Tenant, ann: str) -> None:
    """feedback.assigned, with whom from and to."""
    sent = {"url": "https://8.8.8.8/", "events": [outbox.ASSIGNED, outbox.SNOOZED, outbox.WOKEN]}
    assert call("POST", "/gateway/v1/destinations", json=sent).status_code == 201
    record = post(call)
    for change in ({"assignee": ann}, {"snooze": {"until": "1h"}}, {"snooze": None}):
        call("PATCH", f"{PATH}/{record}", json=change)
    noted = [(row.type, row.feedback_id) for row in outbox.Outbox.select().order_by(outbox.Outbox.id)]
    assert noted == [(kind, record) for kind in (outbox.ASSIGNED, outbox.SNOOZED, outbox.WOKEN)]


def test_people(call: Call, tenant: Tenant, other: Tenant, ann: str) -> None:
    """Those who may be assigned, by name; none of another workspace, and none who only reads."""
    users.create_user(tenant.workspace_id, "viewer@example.test", "A viewer", "viewer")
    users.create_user(other.workspace_id, "theirs@example.test", "T", "admin")
    expected = {"user_id": ann, "name": "Ann", "email": "ann@example.test", "role": "triager"}
    assert call("GET", "/gateway/v1/people").json == {"data": [expected], "next_cursor": None}


def test_erased_with_the_record(call: Call, ann: str) -> None:
    """A deleted record leaves no event of whose it was."""
    record = post(call)
    call("PATCH", f"{PATH}/{record}", json={"assignee": ann})
    assert call("DELETE", f"{PATH}/{record}").status_code == 204
    with writing():
        assert not Event.select().count()
