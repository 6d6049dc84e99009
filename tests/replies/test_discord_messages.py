"""Replies to messages of Discord's, which somebody reported, by the bot of the hook."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from adapters import load
from gateway.access import hooks
from gateway.replies import in_discord, sending
from models import Feedback
from tests.conftest import ROOT, Call, Tenant
from tests.mail_server import Mailbox
from tests.receivers import answering, listening
from tests.replies.conftest import Send
from tests.replies.test_replies import PATH, answers
from tests.signing import VENDORS

pytestmark = pytest.mark.both(long=True)

TOKEN = "bot_0123456789"
TEXT = "Mended in **2.4**, @everyone & <@201>!"


def reported(tenant: Tenant, call: Call, name: str = "message_command", **options: str) -> str:
    """The record of a fixture, sent through a hook with these options."""
    vendor = VENDORS["discord"]
    made = hooks.create_hook(
        load()["discord"], tenant.workspace_id, None, secret=vendor.secret, options={**options}
    )
    told = json.loads((ROOT / "tests" / "fixtures" / "discord" / f"{name}.json").read_text())["request"]
    body = json.dumps(told["json"]).encode()
    headers = {**told["headers"], **vendor.sign(vendor.secret, body, int(time.time()))}
    assert call("POST", made["path"], data=body, headers=headers).status_code == 200
    return str(Feedback.get().id)


def test_a_reported_message(
    tenant: Tenant, call: Call, send: Send, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot replies to it, without a format or a mention, and with the same nonce when it is sent again."""
    record, seen = reported(tenant, call, bot_token=TOKEN), list[bytes]()
    channels = {item["name"]: item["lacks"] for item in answers(call, record)["channels"]}
    assert channels["discord"] is None and channels["slack"] == "the record is not from Slack"
    at = 10.0
    for status, state in (("502 Bad Gateway", "sending"), ("200 OK", "sent"), ("403 Forbidden", "failed")):
        if state != "sent":
            name = call("POST", PATH.format(record), json={"text": TEXT}).json["id"]
        with listening(answering(status, body=b"{}", seen=seen)) as port:
            monkeypatch.setattr(in_discord, "API", f"http://127.0.0.1:{port}/api/v10")
            send(at)
        at += sending.RETRIES[0] + 1
        assert {item["id"]: item["state"] for item in answers(call, record)["data"]}[name] == state

    subject: dict[str, Any] = Feedback.get().subject
    head, _, body = seen[1].partition(b"\r\n\r\n")
    told = json.loads(body)
    assert head.startswith(b"POST /api/v10/channels/%s/messages " % subject["channel_id"].encode())
    assert f"Authorization: Bot {TOKEN}".encode() in head
    assert told["message_reference"] == {"message_id": subject["message_id"], "fail_if_not_exists": False}
    assert (told["allowed_mentions"], told["enforce_nonce"]) == ({"parse": []}, True)
    assert told["content"] == "Mended in \\*\\*2\\.4\\*\\*\\, @\u2060everyone \\& \\<@\u2060201\\>\\!"
    assert (
        json.loads(seen[0].partition(b"\r\n\r\n")[2])["nonce"] == told["nonce"] and len(told["nonce"]) == 25
    )
    assert answers(call, record)["data"][-1]["why"] == "Discord answered 403"


@pytest.mark.parametrize(
    ("name", "options", "lacks"),
    [
        ("slash", {"bot_token": TOKEN}, "the record names no message of Discord's"),
        ("message_command", {}, "its hook has no option bot_token"),
    ],
)
def test_what_cannot_be_replied_to(
    tenant: Tenant, call: Call, name: str, options: dict[str, str], lacks: str
) -> None:
    record = reported(tenant, call, name, **options)
    channels = {item["name"]: item["lacks"] for item in answers(call, record)["channels"]}
    assert channels["discord"].startswith(lacks)


@pytest.mark.parametrize(("text", "status"), [("x" * 2_000, 202), ("x" * 2_001, 400), ("." * 1_001, 400)])
def test_how_long_it_may_be(tenant: Tenant, call: Call, text: str, status: int) -> None:
    """A text that Discord would not take, as it is sent, is refused when it is written."""
    record = reported(tenant, call, bot_token=TOKEN)
    answer = call("POST", PATH.format(record), json={"text": text})

    assert answer.status_code == status
    assert status == 202 or [fault["field"] for fault in answer.json["errors"]] == ["text"]
