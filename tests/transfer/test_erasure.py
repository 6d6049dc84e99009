"""GDPR articles 15 and 17: all that is held about an author, and its erasure without a trace."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli import main
from gateway.core.config import Config
from gateway.runs import callbacks, lifecycle, registry
from models import TABLES, AlertMute, Audit, Dedupe, Event, Feedback, Quarantine, Topic
from models.database.base import close, writing
from models.intake import commit
from models.queries.personal_data import ERASED, Person
from models.tables import reply
from models.tables.user import SavedView, User
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both

EMAIL = "Ada.Lovelace+beta@example.test"
ADA = {"id": "user-1815", "name": "Ada Lovelace", "email": EMAIL}
BOB = {"id": "user-1906", "name": "Bob", "email": "bob@example.test"}
# Every way the address was written below.
TRACE = re.compile(rb"ada\.lovelace(\+|%2b)beta(@|%40|\\u0040)example\.test", re.IGNORECASE)
FEEDBACK, ERASE, EXPORT = "/gateway/v1/feedback", "/gateway/v1/authors/erase", "/gateway/v1/authors/export"
ORQ = {"property": "rating", "value": ["good"], "trace_id": "t", "id": "r-1"}


def post(call: Call, headers: dict[str, str] | None = None, **body: Any) -> Any:
    response = call("POST", FEEDBACK, json=body, headers=headers)
    assert response.status_code == 201, response.text
    return response.json


@pytest.fixture(name="seeded")
def _seeded(call: Call) -> dict[str, str]:
    """An author in every place a gateway keeps something, and somebody else who must stay."""
    ids = {
        "hers": post(call, text="The map is upside down", author=ADA)["id"],
        "her_words": post(call, text=f"Write to {EMAIL.upper()}.", author=ADA, subject={"page": "/map"})[
            "id"
        ],
        "keyed": post(call, {"Idempotency-Key": "k-1"}, text="Once", author=ADA)["id"],
        "his": post(call, text="Fine", author=BOB)["id"],
        "mention": post(
            call,
            text=f"Ask {EMAIL}, she knows",
            author=BOB,
            subject={"cc": EMAIL, "count": 3},
            tags=[f"for:{EMAIL}", "vip"],
            external_id=EMAIL,
        )["id"],
        "noted": post(call, text="Noted", author=BOB)["id"],
    }
    call("PATCH", f"{FEEDBACK}/{ids['noted']}", json={"note": f"Told {EMAIL}"})
    # An item of a batch, and a body that encodes the address.
    items = [{"text": "In a batch", "author": ADA}, {"text": "Bob's", "author": BOB}]
    call("POST", f"{FEEDBACK}/batch", json=items, headers={"Idempotency-Key": "k-2"})
    escaped = json.dumps({"text": "Escaped", "author": ADA}).replace("@", "\\u0040").encode()
    call("POST", FEEDBACK, data=escaped)
    # Words that were replaced, and a record that was deleted: both are still in the files.
    call("POST", "/v2/feedback", json={**ORQ, "value": [f"{EMAIL} first"]})
    call("POST", "/v2/feedback", json={**ORQ, "value": ["second"]})
    call("DELETE", f"{FEEDBACK}/{post(call, text='Deleted', author=ADA)['id']}")
    people = {"workspace": Feedback.get().workspace_id, "created_at": 0, "name": "Eve", "role": "triager"}
    User.create(id="us_1", email="eve@example.test", **people)
    for number, email in enumerate((EMAIL.replace("+", "%2B").replace("@", "%40"), BOB["email"])):
        SavedView.create(id=f"{number}", user="us_1", name="Hers", query=f"author={email}", created_at=0)
    project_id = Feedback.get().project_id
    topic = {"name": "Her wishes", "description": f"What {EMAIL} asks for"}
    call("POST", f"/gateway/v1/projects/{project_id}/topics", json=topic)
    # A run of what she wrote, which failed and is told.
    export = registry.load()["export-feedback"]
    failed = {"callback_url": "https://hooks.example", "status": "failed", "error_message": f"No {EMAIL}"}
    with writing():
        run, _ = lifecycle.start(export, {"filter": f"author={EMAIL}"}, Feedback.get().workspace_id, "key")
        callbacks.schedule({**run, **failed})
    # A group of alerts whose name tells of her, which is muted, and another that is.
    named = Feedback.update(alert_group=f"native:Mail to {EMAIL}").where(Feedback.id == ids["mention"])
    named.execute()
    mute = {"workspace": Feedback.get().workspace_id, "key_id": "key", "created_at": 1, "until": 9}
    for number, group in enumerate((f"native:Mail to {EMAIL}", "native:Disk")):
        AlertMute.create(id=f"mute_{number}", alert_group=group, **mute)
    # What she was answered, and somebody else was.
    answer = {
        "workspace_id": Feedback.get().workspace_id,
        "channel": "slack",
        "server": "slack.com",
        "address": None,
    }
    answer |= {"key_id": "key", "text": f"As {EMAIL} asked", "created_at": 1, "next_at": 1}
    with writing():
        reply.add_all([{**answer, "id": f"rpl_{name}", "feedback": ids[name]} for name in ("hers", "his")])
    # A story whose first delivery was hers, a delivery known by her address, and two in quarantine.
    options = {"map": {name: name for name in ("text", "incident_key", "dedupe_key", "author.email")}}
    hook = call("POST", "/gateway/v1/hooks", json={"source": "generic", "options": options}).json
    bearer = {"Authorization": f"Bearer {hook['secret']}"}
    deliveries: list[Any] = [
        {"text": "Disk full", "incident_key": "disk", "dedupe_key": "1", "author": {"email": EMAIL}},
        {
            "text": "Disk full still",
            "incident_key": "disk",
            "dedupe_key": "2",
            "author": {"email": BOB["email"]},
        },
        {"text": "By address", "dedupe_key": EMAIL},
        {"words": "unreadable", "reply_to": EMAIL},
        {"words": "of somebody else"},
    ]
    for sent in deliveries:
        assert call("POST", hook["path"], json=sent, headers=bearer).status_code == 200
    form = {**bearer, "Content-Type": "application/x-www-form-urlencoded"}
    call("POST", hook["path"], data=b"mail=ada.lovelace%2Bbeta%40example.test", headers=form)
    return ids


def traces(config: Config) -> list[str]:
    """Where the address can be found: in the bytes of the database's files, or in the rows of a server's."""
    if config.embedded:
        path = Path(config.database_url.removeprefix("sqlite:///"))
        files = [file for file in path.parent.glob(f"{path.name}*") if TRACE.search(file.read_bytes())]
        return [file.name for file in files]
    return [
        table.__name__
        for table in TABLES
        for row in table.select().dicts()
        if TRACE.search(repr([bytes(v) if isinstance(v, memoryview) else v for v in row.values()]).encode())
    ]


@pytest.mark.parametrize("mode", ["delete", "anonymise"])
def test_no_trace(call: Call, config: Config, seeded: dict[str, str], mode: str) -> None:
    """After the erasure the address is in no file of the database, in whatever case or encoding."""
    assert traces(config) != []
    answer = call("POST", ERASE, json={"email": f" {EMAIL} ", "mode": mode})

    assert answer.status_code == 200
    assert traces(config) == []
    assert Topic.get().description == "What [erased] asks for"
    receipt = answer.json
    assert receipt["counts"] == {
        "records": 5,
        "events": 5,
        "payloads": 9,
        "mentions": 5,
        "answers": 1,
        "keys": 1,
        "quarantine": 2,
        "views": 1,
        "audit": 0,
        "topics": 1,
        "deliveries": 0,
        "destinations": 0,
        "mutes": 1,
        "replies": 2,
        "files": 0,
        "runs": 2,
    }
    assert receipt["linked"] == {"ids": [ADA["id"]], "emails": []}
    assert [what for what in receipt["remains"] if config.embedded] == []
    act = Audit.select().order_by(Audit.id.desc()).get()
    assert (act.action, act.target) == ("author.erased", receipt["receipt_id"])
    assert act.detail == {"mode": mode, "counts": receipt["counts"]}


def test_delete(call: Call, seeded: dict[str, str]) -> None:
    """Her records are gone; others' stay, with a mark where her address was, and say so in their history."""
    call("POST", ERASE, json={"email": EMAIL})

    for name in ("hers", "her_words", "keyed"):
        assert call("GET", f"{FEEDBACK}/{seeded[name]}").status_code == 404
    assert call("GET", f"{FEEDBACK}/{seeded['his']}").json["author"] == BOB
    record = call("GET", f"{FEEDBACK}/{seeded['mention']}?expand=events,raw").json
    assert (record["text"], record["author"]) == (f"Ask {ERASED}, she knows", BOB)
    assert record["subject"] == {"cc": ERASED, "count": 3}
    assert (record["tags"], record["external_id"]) == ([f"for:{ERASED}", "vip"], ERASED)
    assert record["raw"] == []
    assert [item["type"] for item in record["events"]["data"]] == ["received", "erased"]
    noted = call("GET", f"{FEEDBACK}/{seeded['noted']}/events").json["data"]
    assert noted[1]["detail"]["text"] == f"Told {ERASED}"
    assert noted[0]["payload"] is not None
    assert [row.reason != "" for row in Quarantine.select()] == [True]
    assert Event.select().where(Event.feedback == seeded["hers"]).count() == 0


def test_anonymise(call: Call, seeded: dict[str, str]) -> None:
    """Her records stay without author and raw payloads; the words stay unless they have her address."""
    before = Feedback.select().count()
    call("POST", ERASE, json={"email": EMAIL, "mode": "anonymise"})
    kept = call("GET", f"{FEEDBACK}/{seeded['hers']}?expand=events,raw").json
    words = call("GET", f"{FEEDBACK}/{seeded['her_words']}").json

    assert Feedback.select().count() == before
    assert kept["author"] == words["author"] == {"id": None, "name": None, "email": None}
    assert (kept["text"], kept["raw"]) == ("The map is upside down", [])
    assert "user_agent" not in kept["events"]["data"][0]["detail"]
    assert (words["text"], words["title"], words["subject"]) == (ERASED, ERASED, {"page": "/map"})


def test_what_was_erased_stays_away(call: Call, seeded: dict[str, str]) -> None:
    """A retry of an erased request is refused, not stored again; and another request is not hers."""
    call("POST", ERASE, json={"email": EMAIL})
    sent = {"text": "Once", "author": ADA}
    again = call("POST", FEEDBACK, json=sent, headers={"Idempotency-Key": "k-1"})

    assert again.status_code == 422
    assert Dedupe.select().where(Dedupe.key == "k-1").get().answer is None
    assert Feedback.select().where(Feedback.author_email == EMAIL).count() == 0


def test_by_id(call: Call, seeded: dict[str, str]) -> None:
    """By id it is the same for the records that bear it; the receipt tells the address they bore."""
    answer = call("POST", ERASE, json={"id": ADA["id"]}).json

    assert (answer["counts"]["records"], answer["counts"]["answers"]) == (5, 1)
    assert answer["linked"]["emails"] == [EMAIL]
    assert Feedback.select().where(Feedback.author_id == ADA["id"]).count() == 0
    assert call("GET", f"{FEEDBACK}/{seeded['his']}").status_code == 200


def test_dry_run(call: Call, config: Config, seeded: dict[str, str]) -> None:
    """A dry run counts what an erasure would do, and does nothing."""
    before = [
        sorted(table.select().dicts(), key=repr) for table in (Feedback, Event, Dedupe, Quarantine, Audit)
    ]
    counts = call("POST", ERASE, json={"email": EMAIL, "dry_run": True}).json["counts"]
    after = [
        sorted(table.select().dicts(), key=repr) for table in (Feedback, Event, Dedupe, Quarantine, Audit)
    ]

    assert after == before
    assert call("POST", ERASE, json={"email": EMAIL, "compact": False}).json["counts"] == counts
    assert not any(call("POST", ERASE, json={"email": EMAIL}).json["counts"].values())


def test_export(call: Call, seeded: dict[str, str]) -> None:
    """All of hers with history and raw payloads, where others mention her, and what was not understood."""
    answer = call("POST", EXPORT, json={"email": EMAIL})
    found = answer.json

    assert answer.headers["Cache-Control"] == "no-store"
    assert {seeded[name] for name in ("hers", "her_words", "keyed")} < {row["id"] for row in found["records"]}
    assert all(row["author"]["email"] == EMAIL for row in found["records"])
    assert all(row["events"][0]["payload"] for row in found["records"])
    fields = {row["field"] for row in found["mentions"] if row["feedback_id"] == seeded["mention"]}
    assert fields == {"text", "title", "subject", "tags", "external_id", "alert_group", "payload"}
    assert all(EMAIL.lower() in row["words"].lower() for row in found["mentions"])
    assert len(found["quarantine"]) == 2
    assert call("POST", EXPORT, json={"email": "nobody@example.test"}).json == {
        "records": [],
        "mentions": [],
        "quarantine": [],
    }


def test_only_in_the_callers_workspace(call: Call, tenant: Tenant, other: Tenant) -> None:
    """The same author in another workspace is another's business."""
    theirs = post(call, other.headers, text=f"Hello {EMAIL}", author=ADA)["id"]
    counts = call("POST", ERASE, json={"email": EMAIL}).json["counts"]

    assert not any(counts.values())
    assert call("GET", f"{FEEDBACK}/{theirs}", headers=other.headers).json["author"] == ADA


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, {"body"}),
        ({"email": None, "id": None}, {"body"}),
        ({"email": "ada"}, {"email"}),
        ({"email": "@example.test"}, {"email"}),
        ({"email": "a b@example.test"}, {"email"}),
        ({"email": 5, "id": "", "mode": "hide"}, {"email", "id", "mode"}),
        ({"id": "x", "all": True}, {"all"}),
    ],
)
@pytest.mark.both(long=True)
def test_bad_bodies(call: Call, body: dict[str, Any], names: set[str]) -> None:
    """Nobody is erased by a mistake: every bad field is named."""
    answer = call("POST", ERASE, json=body)

    assert answer.status_code == 400
    assert {error["field"] for error in answer.json["errors"]} == names


def test_a_key_of_one_project_may_not(call: Call, tenant: Tenant, new_key: Any) -> None:
    """A person is in the whole workspace, so the key must be for that."""
    headers = {"Authorization": f"Bearer {new_key(tenant.project_id, scopes=['admin'])}"}

    for path in (ERASE, EXPORT):
        assert call("POST", path, json={"email": EMAIL}, headers=headers).status_code == 403


def test_commands(
    call: Call, config: Config, seeded: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line exports and erases the same."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", config.database_url)
    monkeypatch.setenv("GATEWAY_SECRET_KEY", config.secret_key or "x" * 32)
    commit.stop()
    close()

    def run(*words: str) -> Any:
        close()
        done = CliRunner().invoke(main, [*words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert len(run("author-export", "--email", EMAIL)["records"]) == 5
    assert run("erase", "--email", EMAIL, "--dry-run")["counts"]["records"] == 5
    assert run("erase", "--email", EMAIL)["counts"]["records"] == 5
    assert traces(config) == []
    close()
    assert CliRunner().invoke(main, ["erase"]).exit_code == 2
    close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a@b.test", True),
        ("Mail A@B.Test.", True),
        ("<a@b.test>", True),
        ('{"x": "line\\na@b.test"}', True),
        ("to=a%40b.test&x", True),
        ("a&#64;b.test", True),
        ("aa@b.test", False),
        ("x.a@b.test", False),
        ("a@b.testing", False),
        ("a@b.test.org", False),
        ("a@b-test", False),
        ("a at b.test", False),
    ],
)
def test_what_a_mention_is(text: str, found: bool) -> None:
    """An address is found however it is written, and longer ones are somebody else's."""
    person = Person("a@b.test")

    assert person.mentioned(text) is found
    assert person.is_in(text.encode()) is found


@given(st.text(), st.text())
def test_any_surroundings(before: str, after: str) -> None:
    """What is left after the address was taken out of any JSON is JSON without it."""
    text = json.dumps({"x": f"{before} ada@example.test {after}"}, ensure_ascii=False)
    person = Person("ada@example.test")
    changed = person.mentions(Audit, {"detail": text})["detail"]

    assert json.loads(changed)["x"].count(ERASED) >= 1
    assert not person.mentioned(changed)
