"""Whose turn it is: a silent server holds up no other's replies, and one author hears them in order."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from email.message import EmailMessage

import pytest

from gateway.core import slack
from gateway.core.ids import new_id
from gateway.replies import sending
from gateway.replies.by_mail import EMAIL
from models import Reply
from models.database.base import rows, writing
from models.tables import reply
from tests.conftest import Call, Tenant, until
from tests.mail_server import Mailbox
from tests.receivers import answering, listening
from tests.replies.conftest import Asked, Send, theme_of
from tests.replies.test_replies import PATH, TOKEN, answers, slack_record

pytestmark = pytest.mark.both(long=True)

MANY = 3 * sending.AT_ONCE  # mails, more than may be under way at all


def test_a_mail_server_that_does_not_answer(
    tenant: Tenant, call: Call, send: Send, asked: Asked, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many mails are due before it, a reply in Slack is sent while the mail server says nothing."""
    thread = slack_record(tenant, call, TOKEN)
    row = {"workspace_id": tenant.workspace_id, "channel": "email", "address": "0" * 64, "text": "Hi"}
    row |= {"server": "email", "key_id": "key_1", "created_at": 1, "next_at": 1}
    records = [asked(f"a{n}@example.org") for n in range(MANY)]
    with writing():
        reply.add_all([{**row, "id": new_id("rpl"), "feedback": name} for name in records])
    call("POST", PATH.format(thread), json={"text": "It is mended."})
    held, freed, seen = list[int](), threading.Event(), list[bytes]()

    def waits(*_: object) -> str:
        held.append(1)
        assert freed.wait(60)
        return ""

    monkeypatch.setitem(sending.CHANNELS, "email", replace(EMAIL, send=waits))
    body = json.dumps({"ok": True, "ts": "2.1"}).encode()
    with listening(answering("200 OK", body=body, seen=seen)) as port:
        monkeypatch.setattr(slack, "POST", f"http://127.0.0.1:{port}/api/chat.postMessage")
        working = threading.Thread(target=send)
        working.start()
        try:
            until(lambda: seen and len(held) >= sending.OF_A_SERVER)
            under_way = len(held)
        finally:
            freed.set()
            working.join()

    assert (under_way, len(held)) == (sending.OF_A_SERVER, MANY)
    assert {row["state"] for row in rows(Reply.select())} == {"sent"}


def test_a_conversation_keeps_its_order(
    call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant
) -> None:
    """What is tried again later is overtaken by no later reply to the same author; others do not wait for it.

    Once it is given up the next one is sent, and the thread goes on from what arrived.
    """
    record, other = asked("anna@example.org"), asked("bob@example.org")
    box.recipient_answers = ["451 greylisted"]
    call("POST", PATH.format(record), json={"text": "One"})
    send(10)
    call("POST", PATH.format(record), json={"text": "Two"})
    call("POST", PATH.format(other), json={"text": "Three"})
    send(20 + 1)
    assert [said(mail) for mail in box.mails] == ["Three"]
    assert (reply.next_due() or 0) == Reply.get(Reply.tries == 1).next_at
    box.recipient_answers = ["550 5.7.1 not today"]
    send(10 + sending.RETRIES[0] + 1)

    assert [said(mail) for mail in box.mails] == ["Three", "Two"]
    assert [item["state"] for item in answers(call, record)["data"]] == ["failed", "sent"]


def test_what_waits_for_tomorrow_holds_up_nothing(
    call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant
) -> None:
    """A mail to many that an author gets a day later lets a reply to that author pass."""
    record = asked("anna@example.org")
    for text in ("Mended.", "Mended, too."):
        theme = theme_of(tenant, [record])
        assert call("POST", f"/gateway/v1/themes/{theme}/replies", json={"text": text}).json["queued"] == 1
    call("POST", PATH.format(record), json={"text": "Dear Anna"})
    send(30)

    assert sorted(said(mail) for mail in box.mails) == [
        "Dear Anna",
        "You gave feedback to Default and asked to hear what becomes of it:",
    ]


def test_how_long_a_server_asks_to_wait(
    tenant: Tenant, call: Call, send: Send, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply is tried again when the server that was too busy says, and not before."""
    record, seen = slack_record(tenant, call, TOKEN), list[bytes]()
    call("POST", PATH.format(record), json={"text": "Hi"})
    limited = answering(
        "429 Too Many Requests", "Retry-After: 600", body=b'{"ok": false, "error": "ratelimited"}'
    )
    for act, at in ((limited, 10), (answering("200 OK", body=b'{"ok": true}', seen=seen), 600)):
        with listening(act) as port:
            monkeypatch.setattr(slack, "POST", f"http://127.0.0.1:{port}/api/chat.postMessage")
            send(at)
    assert seen == []
    with listening(answering("200 OK", body=b'{"ok": true}', seen=seen)) as port:
        monkeypatch.setattr(slack, "POST", f"http://127.0.0.1:{port}/api/chat.postMessage")
        send(700)

    assert len(seen) == 1


@pytest.mark.parametrize(
    ("answer", "skipped"),
    [
        ("550 5.1.1 no such user", 1),
        ("550 nobody", 1),
        ("556 5.1.10 takes no mail", 1),
        ("550 5.7.1 we know you", 0),
        ("552 5.2.2 mailbox full", 0),
        ("451 4.1.1 not now", 0),
    ],
)
def test_an_address_that_nobody_has(
    call: Call, box: Mailbox, asked: Asked, send: Send, tenant: Tenant, answer: str, skipped: int
) -> None:
    """Whose mail server says so is told of no theme, until a reply to the address was taken."""
    record, again = asked("anna@example.org"), asked("Anna@example.org")
    box.recipient_answers = [answer]
    call("POST", PATH.format(record), json={"text": "Hi"})
    send(10)

    def told() -> tuple[int, int]:
        path = f"/gateway/v1/themes/{theme_of(tenant, [again])}/replies"
        found = call("POST", path, json={"text": "Mended.", "dry_run": True}).json
        return found["skipped"]["undeliverable"], found["queued"]

    assert [item["undeliverable"] for item in answers(call, record)["data"]] == [bool(skipped)]
    assert told() == (skipped, 1 - skipped)
    call("POST", PATH.format(again), json={"text": "Is it you?"})
    send(30)
    assert told() == (0, 1)
    assert [item["undeliverable"] for item in answers(call, record)["data"]] == [False]


def said(mail: EmailMessage) -> str:
    """The first line of a mail."""
    return str(mail.get_content().splitlines()[0])
