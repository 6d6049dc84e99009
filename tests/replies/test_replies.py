"""An answer to an author: written, taken back, sent in one thread, and gone with the person."""

from __future__ import annotations

import json
from typing import Any

import pytest
from peewee import OperationalError

from gateway.core import encryption, slack
from gateway.destinations import managing
from gateway.replies import recipients, sending
from gateway.replies.words import WORDS
from gateway.transfer.erasure import erase
from models import Event, Feedback, Outbox, Reply, Unsubscribed, Workspace
from models.database.base import rows, writing
from models.queries.personal_data import Person
from models.tables import outbox, reply
from tests.conftest import Call, Tenant
from tests.intake.test_linked_files import hook, slack_event
from tests.mail_server import Mailbox
from tests.receivers import answering, listening
from tests.replies.conftest import Asked, Send

pytestmark = pytest.mark.both(long=True)

PATH = "/gateway/v1/feedback/{}/replies"
HOSTILE = "<b>Hi</b> & <@U1> %(url)s\n.\nFrom me: 100 %\n" + "größe " * 300


def answers(call: Call, record: str) -> Any:
    return call("GET", PATH.format(record)).json


def test_a_thread_of_mails(call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant) -> None:
    """Each answer has an id that lasts, follows those before, and says the record's words nowhere.

    It is noted in the record's history when it is sent, and who listens is told.
    """
    told_of = {"events": ["feedback.replied"]}
    managing.create(tenant.workspace_id, None, "webhook", "https://a.example/", told_of, by="key")
    outbox.forget_listeners()
    record = asked("Anna@Example.org", text="Sell cheap watches", language="nl")
    path = PATH.format(record)
    first = call("POST", path, json={"text": HOSTILE})
    assert (first.status_code, first.json["state"], first.json["channel"]) == (202, "queued", "email")
    send(9)
    assert box.mails == []
    send(10)
    call("POST", path, json={"channel": "email", "text": "Two"})
    send(30)

    one, two = box.mails
    names = [item["id"] for item in answers(call, record)["data"]]
    ids = [f"<{name}.{record}@example.com>" for name in names]
    assert [told["Message-ID"] for told in box.mails] == ids
    assert one["References"].split() == [f"<{record}@example.com>"]
    assert two["References"].split() == [f"<{record}@example.com>", ids[0]]
    assert one["Subject"] == two["Subject"] == WORDS["nl"].subject % {"project": "Default"}
    assert one["To"] == "Anna@example.org" and one.get_content_type() == "text/plain"
    said = one.get_content().replace("\r\n", "\n")
    assert said.startswith(f"{HOSTILE}\n\n-- \nU krijgt deze mail") and "watches" not in box.raw[0].decode()
    assert one["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [item["state"] for item in answers(call, record)["data"]] == ["sent", "sent"]
    told = [row for row in rows(Event.select().order_by(Event.id)) if row["type"] == "replied"]
    assert [row["detail"]["reply_id"] for row in told] == names
    waiting = [(row["type"], row["event_id"]) for row in rows(Outbox.select().order_by(Outbox.id))]
    assert waiting == [("feedback.replied", row["id"]) for row in told]


def test_taken_back(call: Call, box: Mailbox, asked: Asked, send: Send) -> None:
    """Until it is begun an answer is taken back, and never sent; later it is not, nor in a dry run."""
    record = asked("anna@example.org")
    path = PATH.format(record)
    names = [call("POST", path, json={"text": text}).json["id"] for text in ("One", "Two")]
    dry = call("POST", path, json={"text": "Three", "dry_run": True})
    assert call("DELETE", f"{path}/{names[0]}").status_code == 204
    send()
    late = call("DELETE", f"{path}/{names[1]}")

    assert (dry.status_code, dry.json["to"], dry.json["text"][:5]) == (200, "anna@example.org", "Three")
    assert [told.get_content()[:3] for told in box.mails] == ["Two"]
    assert (late.status_code, late.json["detail"][:10]) == (409, "It is sent")
    assert call("DELETE", f"{path}/{names[0]}").status_code == 404
    with writing():  # as of a process that died while it sent
        Reply.update(state=reply.SENDING).execute()
    assert call("DELETE", f"{path}/{names[1]}").status_code == 409
    send(20)
    assert {told["Message-ID"] for told in box.mails} == {f"<{names[1]}.{record}@example.com>"}
    assert len(box.mails) == 2


@pytest.mark.parametrize(
    ("answers_of", "states", "mails"),
    [
        (["451 later", "451 later"], ["sending", "sending", "sent"], 1),
        (["550 nobody"], ["failed", "failed", "failed"], 0),
        (["451 later"] * 6, ["sending", "sending", "sending", "sending", "sending", "failed"], 0),
    ],
)
def test_a_server_that_says_no(
    call: Call,
    box: Mailbox,
    asked: Asked,
    send: Send,
    answers_of: list[str],
    states: list[str],
    mails: int,
) -> None:
    """What may pass is tried again with the same id, later and later; what lasts has failed, and says why."""
    record = asked("anna@example.org")
    call("POST", PATH.format(record), json={"text": "Done"})
    box.recipient_answers = [*answers_of]
    found, at = [], 10.0
    for pause in (*sending.RETRIES, 0)[: len(states)]:
        send(at)
        found.append(answers(call, record)["data"][0]["state"])
        at += pause + 1

    assert (found, len(box.mails)) == (states, mails)
    if not mails:
        assert answers_of[0][4:] in answers(call, record)["data"][0]["why"]
        name = answers(call, record)["data"][0]["id"]
        assert call("DELETE", f"{PATH.format(record)}/{name}").status_code == 204


def test_no_channel(call: Call, asked: Asked, box: Mailbox) -> None:
    """A record that cannot be answered says which channels it lacks, and why."""
    nobody, odd = asked(None), asked("anna at home")
    refused = [call("POST", PATH.format(name), json={"text": "Hi"}) for name in (nobody, odd)]
    named = call("POST", PATH.format(asked("a@b.test")), json={"text": "Hi", "channel": "slack"})

    assert [answer.status_code for answer in (*refused, named)] == [409] * 3
    whys = [{item["field"]: item["message"] for item in answer.json["errors"]} for answer in refused]
    assert whys[0] == {
        "email": "the record has no address of its author",
        "slack": "the record is not from Slack",
        "discord": "the record is not from Discord",
        "github": "the record is not from GitHub",
        "gitlab": "the record is not from GitLab",
    }
    assert whys[1]["email"].startswith("the author's address is none to send mail to")
    assert [item["field"] for item in named.json["errors"]] == ["slack", "discord", "github", "gitlab"]
    shown = answers(call, nobody)["channels"]
    assert all(item["lacks"] for item in shown)
    assert Reply.select().count() == 0


@pytest.mark.parametrize(
    "body", [{}, {"text": " "}, {"text": "x" * 8_001}, {"text": "x", "channel": "fax"}, {"text": 1}, [1]]
)
def test_bad_input(call: Call, asked: Asked, body: Any) -> None:
    assert call("POST", PATH.format(asked("a@b.test")), json=body).status_code == 400


TOKEN = "xoxb-0123456789-abcdef"


def slack_record(tenant: Tenant, call: Call, token: str | None) -> str:
    """A message in a thread of Slack's, by a hook with this token."""
    _, deliver = hook(tenant, call, "slack", {"bot_token": token} if token else {})
    deliver(slack_event([]))
    return str(call("GET", "/gateway/v1/feedback").json["data"][0]["id"])


def test_a_thread_of_slack(
    tenant: Tenant, call: Call, send: Send, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hook's bot answers in the thread, without a word being a mention or a format; what passes is tried
    again, what lasts has failed."""
    record = slack_record(tenant, call, TOKEN)
    channels = {item["name"]: item["lacks"] for item in answers(call, record)["channels"]}
    assert channels["slack"] is None and channels["email"]
    seen: list[bytes] = []
    at = 10.0
    for said, state in (
        ({"ok": False, "error": "ratelimited"}, "sending"),
        ({"ok": True, "ts": "2.1"}, "sent"),
        ({"ok": False, "error": "not_in_channel"}, "failed"),
    ):
        if state != "sent":
            name = call("POST", PATH.format(record), json={"text": HOSTILE}).json["id"]
        body = json.dumps(said).encode()
        with listening(answering("200 OK", body=body, seen=seen)) as port:
            monkeypatch.setattr(slack, "POST", f"http://127.0.0.1:{port}/api/chat.postMessage")
            send(at)
        at += sending.RETRIES[0] + 1
        assert {item["id"]: item["state"] for item in answers(call, record)["data"]}[name] == state

    head, _, sent = seen[1].partition(b"\r\n\r\n")
    told = json.loads(sent)
    assert f"Authorization: Bearer {TOKEN}".encode() in head
    assert told["channel"] and told["thread_ts"] and told["mrkdwn"] is False
    assert told["text"] == HOSTILE.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert json.loads(seen[0].partition(b"\r\n\r\n")[2])["metadata"] == told["metadata"]
    assert answers(call, record)["data"][-1]["why"] == "Slack answered: not_in_channel"


def test_slack_without_a_token(tenant: Tenant, call: Call) -> None:
    record = slack_record(tenant, call, None)
    lacks = {item["name"]: item["lacks"] for item in answers(call, record)["channels"]}
    assert lacks["slack"].startswith("its hook has no option bot_token")


def test_nobody_else_is_answered(call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant) -> None:
    """An answer to an address that is another one by then is not sent; nor is one to who wants no mail."""
    changed, left = asked("anna@example.org"), asked("bob@example.org")
    for record in (changed, left):
        call("POST", PATH.format(record), json={"text": "Hi"})
    with writing():
        Feedback.update(author_email="eve@example.net").where(Feedback.id == changed).execute()
        row = Reply.get(Reply.feedback == left)
        reply.unsubscribe(tenant.workspace_id, row.address, 1)
    send()

    assert box.mails == []
    whys = [answers(call, record)["data"][0]["why"] for record in (changed, left)]
    assert whys == ["the address of the author is another one now", "its author wants no more mail"]
    refused = call("POST", PATH.format(left), json={"text": "Hi"})
    assert (refused.status_code, refused.json["errors"][0]["message"]) == (409, whys[1])


@pytest.mark.parametrize("mode", ["delete", "anonymise"])
def test_an_erased_author(
    call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant, mode: Any
) -> None:
    """What was answered goes with the author, what waits is not sent, and that they want no mail holds."""
    mine, other = asked("anna@example.org"), asked("bob@example.org")
    call("POST", PATH.format(mine), json={"text": "Dear Anna"})
    call("POST", PATH.format(other), json={"text": "As ANNA@example.org said"})
    send()
    call("POST", PATH.format(mine), json={"text": "And then"})
    [told] = [told for told in box.mails if told["To"] == "anna@example.org"]
    assert call("POST", "/" + told["List-Unsubscribe"].strip("<>").split("/", 3)[3]).status_code == 200
    receipt = erase(tenant.workspace_id, Person("anna@example.org"), mode)
    send(60)

    assert [row["text"] for row in rows(Reply.select())] == ["As [erased] said"]
    assert receipt["counts"]["replies"] == 3
    assert len(box.mails) == 2
    assert Unsubscribed.select().count() == 1
    again = asked("anna@example.org")
    assert call("POST", PATH.format(again), json={"text": "Hi"}).status_code == 409


def test_a_database_that_is_away(
    call: Call, box: Mailbox, asked: Asked, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be looked up for a moment is sent later."""
    record = asked("anna@example.org")
    call("POST", PATH.format(record), json={"text": "Hi"})

    def away(*_of: str) -> str:
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(recipients, "known", away)
        send()
    waits = answers(call, record)["data"][0]
    send(10 + sending.RETRIES[0] + 1)

    assert (waits["state"], waits["why"], len(box.mails)) == ("sending", "could not be sent", 1)


def test_another_key(call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant) -> None:
    """Where nobody can tell who wants no mail, none is sent."""
    waiting, record = asked("anna@example.org"), asked("bob@example.org")
    call("POST", PATH.format(waiting), json={"text": "Hi"})
    with writing():
        kept = Workspace.get_by_id(tenant.workspace_id).address_key
        assert encryption.decrypt(kept) not in kept
        Workspace.update(address_key="gAAAAAnother").execute()
    refused = call("POST", PATH.format(record), json={"text": "Hi"})
    send()

    assert (refused.status_code, box.mails) == (409, [])
    assert answers(call, waiting)["data"][0]["why"].startswith("GATEWAY_SECRET_KEY cannot open")
