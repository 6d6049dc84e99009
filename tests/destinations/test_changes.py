"""What destinations are told: each kind of change once, to those who want it, and nothing of the erased."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from typing import Any

import pytest

from gateway.access import api_keys
from gateway.background import ending_keys
from gateway.background.lease import run_once
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.destinations import found_kinds, managing
from gateway.destinations.by_kind import webhook
from gateway.destinations.kind import Change
from gateway.runs import lifecycle, registry
from models import ApiKey, Attempt, Destination, Job, Outbox, Outgoing, Quarantine
from models.database.base import database, writing
from models.intake import commit
from models.queries import selection
from models.tables import outbox
from models.tables.feedback import iso
from tests.conftest import Call, Tenant
from tests.destinations.conftest import Add, Send, Told, now_of, told
from tests.receivers import answering, listening
from tests.transfer.test_erasure import EMAIL, ERASE, traces

pytestmark = pytest.mark.both
PATH = "/gateway/v1/feedback"


def post(call: Call, text: str = "The export button does nothing", **more: Any) -> str:
    answer = call("POST", PATH, json={"text": text, **more})
    assert answer.status_code == 201 and answer.json is not None
    return str(answer.json["id"])


def said(seen: list[bytes]) -> list[Told]:
    """What has been received, in the order in which it was made."""
    return sorted(map(told, seen), key=lambda got: got.id)


def test_every_change(call: Call, add: Add, send: Send) -> None:
    """What comes, is changed, by people and senders, and goes: each is told by its own type."""
    seen: list[bytes] = []
    score = {"property": "rating", "value": ["first"], "trace_id": "t", "id": "r-1"}
    alert = {"text": "Disk full", "incident_key": "disk", "dedupe_key": "1", "state": "triggered"}
    with listening(answering("200 OK", seen=seen)) as port:
        add(port, events=list(outbox.RECORDS))
        hook = call("POST", "/gateway/v1/hooks", json={"source": "generic", "options": _MAP}).json
        record = post(call)
        call("POST", f"{PATH}/batch", json=[{"text": "One of two"}, {"text": "Two of two"}])
        call("POST", "/v2/feedback", json=score)
        call("POST", "/v2/feedback", json={**score, "value": ["second"]})
        bearer = {"Authorization": f"Bearer {hook['secret']}"}
        for more in ({}, {"dedupe_key": "2", "state": "resolved"}):
            assert call("POST", hook["path"], json={**alert, **more}, headers=bearer).status_code == 200
        send()
        change = {"category": "praise", "status": "resolved", "tags": ["vip"], "note": "Told her"}
        assert call("PATCH", f"{PATH}/{record}", json=change).status_code == 200
        send()
        assert call("DELETE", f"{PATH}/{record}").status_code == 204
        send()
    got = said(seen)
    kinds = [one.body["type"].removeprefix("feedback.") for one in got]
    assert sorted(kinds[:7]) == sorted(["created"] * 5 + ["updated", "status_changed"])
    assert kinds[7:] == ["relabelled", "status_changed", "tagged", "noted", "deleted"]
    relabelled, status, tagged, noted, deleted = (one.body for one in got[7:])
    assert relabelled["changes"]["category"]["to"] == "praise"
    assert status["changes"] == {"status": {"from": "open", "to": "resolved"}}
    assert tagged["changes"]["tags"]["to"] == ["vip"] and noted["note"] == "Told her"
    assert deleted["data"] == {"id": record, "project_id": relabelled["data"]["project_id"]}
    assert all(one["event_id"].startswith("ev_") for one in (relabelled, status, tagged, noted))


_MAP = {"map": {name: name for name in ("text", "incident_key", "dedupe_key", "state")}}


def test_what_is_of_no_record(
    call: Call, add: Add, send: Send, tenant: Tenant, other: Tenant, new_key: Any
) -> None:
    """A held delivery, an ended run and a key that ends soon are told once, by ids and words of ours."""
    run_id = lifecycle.start(registry.load()["digest"], {}, tenant.workspace_id, "key")[0]["id"]
    failed = lifecycle.start(registry.load()["digest"], {}, tenant.workspace_id, "key")[0]["id"]
    project = call("POST", "/gateway/v1/projects", json={"name": "Web"}).json["project_id"]
    hook = call("POST", "/gateway/v1/hooks", json={"source": "generic", "project_id": project}).json
    day = 86_400_000
    soon, _later = (new_key(expires_at=now_ms() + days * day) for days in (5, 9))
    revoked = new_key(expires_at=now_ms() + day)
    with writing():
        for key in ApiKey.select().where(ApiKey.digest == api_keys.digest(revoked)).dicts():
            api_keys.revoke(key)
    seen: list[bytes] = []
    kinds = ["quarantine.held", "run.completed", "run.failed", "key.expiring"]
    with listening(answering("200 OK", seen=seen)) as port:
        add(port, events=kinds, filter="category=praise")
        add(port, project, events=kinds, thin=True)
        managing.create(
            other.workspace_id, None, "webhook", f"http://localhost:{port}/", {"events": kinds}, by="key"
        )
        bearer = {"Authorization": f"Bearer {hook['secret']}"}
        sent = {"secret": "Nobody understands me"}
        assert call("POST", hook["path"], json=sent, headers=bearer).status_code == 200
        with writing():
            lifecycle.end(run_id, [])
            lifecycle.end(failed, error=("internal", "It says who"))
            lifecycle.end(failed, error=("internal", "Again"))
        for _ in range(2):
            Job.update(due_at=0).execute()
            assert run_once(ending_keys.TELL)
        send()
    told_of = [(one.body["type"], one.body["data"]) for one in said(seen)]
    key = ApiKey.get(ApiKey.digest == api_keys.digest(soon))
    ids = {
        "quarantine_id": Quarantine.get().id,
        "project_id": project,
        "source": "generic",
        "hook_id": hook["hook_id"],
    }
    run = {"project_id": None, "technique": "digest"}
    ends = {"key_id": key.id, "project_id": None, "prefix": key.prefix, "name": key.name}
    assert sorted(told_of, key=lambda one: (one[0], -len(one[1]))) == [
        ("key.expiring", {**ends, "expires_at": iso(key.expires_at)}),
        ("quarantine.held", ids),
        ("quarantine.held", {name: ids[name] for name in ids if name != "source"}),
        ("run.completed", {**run, "run_id": run_id}),
        ("run.failed", {**run, "run_id": failed, "error_code": "internal"}),
    ]
    assert not any(word in repr(seen) for word in ("Nobody", "It says who"))


def test_who_is_told(call: Call, add: Add, send: Send, tenant: Tenant, other: Tenant) -> None:
    """Only who listens to such a change, in such a project, of such a record, and of that workspace."""
    project = call("POST", "/gateway/v1/projects", json={"name": "Web"}).json["project_id"]
    managing.create(other.workspace_id, None, "webhook", "http://localhost:9/", {}, by="key_test")
    everything = add(9)
    urgent = add(9, filter="category=praise&status=open")
    elsewhere = add(9, project)
    removals = add(9, events=["feedback.deleted"], filter="tag=none")
    record = post(call)
    assert call("PATCH", f"{PATH}/{record}", json={"category": "praise"}).status_code == 200
    post(call, "Another one, of the other project", project_id=project)
    gone = post(call, "Gone before anybody was told")
    call("DELETE", f"{PATH}/{gone}")
    send()
    tally = {made["id"]: 0 for made in (everything, urgent, elsewhere, removals)}
    for row in Outgoing.select():
        tally[str(row.destination_id)] += 1
        assert gone in row.body or row.type == "feedback.created"
    wanted = [(everything, 2), (urgent, 1), (elsewhere, 1), (removals, 1)]
    assert tally == {made["id"]: count for made, count in wanted}


def test_a_thin_one(call: Call, add: Add, send: Send) -> None:
    """It is told ids alone."""
    add(9, thin=True)
    record = post(call)
    send()
    (row,) = Outgoing.select()
    assert "export" not in row.body and record in row.body


def test_what_a_kind_cannot_put(
    call: Call, add: Add, send: Send, monkeypatch: pytest.MonkeyPatch, tenant: Tenant
) -> None:
    """It keeps nobody else waiting, and what comes next goes to all."""
    webhook_kind = found_kinds.load()["webhook"]
    picky = replace(webhook_kind, render=lambda change: change.data["text"][change.data["impact"] * 100])
    monkeypatch.setattr(found_kinds, "load", lambda: {"webhook": webhook_kind, "picky": picky})
    add(9)
    managing.create(tenant.workspace_id, None, "picky", "http://localhost:9/", {}, by="key_test")
    post(call)
    post(call, "Long words. " * 500)
    send()
    assert len({row.destination_id for row in Outgoing.select()}) == 2 and Outgoing.select().count() == 3


def test_a_filter_that_is_understood_no_more(call: Call, add: Add, send: Send) -> None:
    """Its destination is disabled and says why; others go on."""
    made, fine = add(9), add(9)
    Destination.update(filter="colour=red").where(Destination.id == made["id"]).execute()
    post(call)
    send()
    assert now_of(made)["state"] == "disabled" and "colour" in now_of(made)["reason"]
    assert [row.destination_id for row in Outgoing.select()] == [fine["id"]]


def test_a_test(call: Call, add: Add, send: Send) -> None:
    """It goes to that destination alone, whatever that listens to, the whole way."""
    seen: list[bytes] = []
    with listening(answering("200 OK", seen=seen)) as port:
        made = add(port, events=["feedback.deleted"])
        add(9)
        managing.test(now_of(made))
        send()
    (got,) = map(told, seen)
    assert got.body["type"] == "destination.test" and got.body["data"] == {"destination_id": made["id"]}
    assert Outgoing.select().count() == Attempt.select().count() == 1


@pytest.mark.parametrize("mode", ["delete", "anonymise"])
def test_the_erased(call: Call, add: Add, send: Send, config: Config, mode: str) -> None:
    """Nothing of a person stays in what was sent, what waits and what was answered; that is told."""
    seen: list[bytes] = []

    def echo(sock: socket.socket, request: bytes) -> None:
        seen.append(request)
        answering("500 Oops", body=told(request).text.encode())(sock, request)

    with listening(echo) as port:
        made = add(port, events=list(outbox.RECORDS), filter=f"author={EMAIL.replace('+', '%2B')}")
        add(port, events=list(outbox.RECORDS), name=f"For {EMAIL}")
        hers = post(call, "The map is upside down", author={"id": "ada", "email": EMAIL})
        post(call, f"Ask {EMAIL}, she knows")
        send()
        call("PATCH", f"{PATH}/{hers}", json={"note": f"I wrote to {EMAIL}"})
        assert traces(config) != [] and Attempt.select().count() == 3
        receipt = call("POST", ERASE, json={"email": EMAIL, "mode": mode})
        assert receipt.status_code == 200 and receipt.json["counts"]["deliveries"] >= 3
        assert receipt.json["counts"]["destinations"] == 2
        assert traces(config) == []
        before = len(seen)
        send(60)
        assert traces(config) == []
    erased = [one.body for one in said(seen[before:]) if one.body["type"] == "feedback.erased"]
    assert hers in [body["data"]["id"] for body in erased]
    assert all(set(body["data"]) == {"id", "project_id"} for body in erased)
    assert now_of(made)["filter"] == "author=[erased]" and EMAIL not in Destination.get().name


def test_what_is_rolled_back(call: Call, add: Add) -> None:
    """A change that is not made is not told."""
    add(9, events=["feedback.deleted"])
    record = post(call)
    with pytest.raises(ZeroDivisionError), writing():
        selection.delete([record])
        assert Outbox.select().count() == 1
        _ = 1 / 0
    assert Outbox.select().count() == 0


def test_who_takes_what(call: Call, add: Add, tenant: Tenant, kind: str) -> None:
    """A change that another process is about to take is left to it; on a server nobody waits for that."""
    add(9)
    for number in range(3):
        post(call, f"The page {number} is empty")
    with writing():
        assert len(outbox.take(2)) == 2
    assert len(list(Outbox.select())) == 1
    if kind == "postgres":
        held = database.obj.free(Outbox.select()).sql()[0]
        assert "SKIP LOCKED" in held
    commit.flush()


TEXTS = ("x" * 8_000, "x" * 8_001, "€" * 8_000, "\U0001f600" * 9_000, "\ud800" * 3, '"' * 9_000, "")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("subject", [{}, {"page": "y" * 30_000}], ids=["small", "large"])
def test_bodies_fit(text: str, subject: dict[str, str]) -> None:
    """A body has 20 kB at most; what is cut is said to be, with where to read the rest."""
    data = {"id": "fb_1", "project_id": "prj_1", "title": "t", "text": text, "subject": subject}
    more = {"event_id": "ev_1", "note": "n" * 10_000}
    body = webhook.render(
        Change("feedback.noted", 0, "ws_1", data, more, "https://example.test/records/fb_1")
    )
    assert len(body.encode()) <= webhook.LONGEST
    got = Told({}, body).body
    assert got["data"]["id"] == "fb_1" and got["event_id"] == "ev_1"
    whole = got["data"].get("text") == text.replace("\ud800", "?") and got["data"]["subject"] == subject
    cut = got["data"].get("truncated", False)
    assert cut or whole
    assert not cut or got["data"]["url"].endswith("fb_1")
    assert (len(text) <= 8_000) or cut


def test_kinds_are_found() -> None:
    """Each module is a kind by its name."""
    kinds = found_kinds.load()
    assert {name: kind.name for name, kind in kinds.items()} == {name: name for name in kinds}
    assert {"email", "webhook"} <= set(kinds)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", webhook.new_secret())
