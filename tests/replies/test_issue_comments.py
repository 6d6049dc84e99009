"""Answers as comments of the issue that a record came from, at a GitHub and a GitLab of one's own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from adapters import load
from gateway.access import hooks
from gateway.replies import in_issues, sending
from models import Event, Feedback
from tests.conftest import ROOT, Call, Tenant
from tests.mail_server import Mailbox
from tests.receivers import answering, listening
from tests.replies.conftest import Send
from tests.signing import VENDORS

TOKEN = "token_0123456789"
TEXT = 'Mended in <b>2.4</b>, @team & all:\n# see [x](https://evil.test) "now"!'
# Of each: the fixtures of an issue and of a comment, the address of its server there, what says the comment's
# id, where comments are posted, and with which header.
PLACES: dict[str, tuple[str, str, str, tuple[str, ...], str, str]] = {
    "github": (
        "issue_opened",
        "issue_comment",
        "https://github.com",
        ("comment", "id"),
        "/api/v3/repos/tulip/orders/issues/17/comments",
        f"Authorization: Bearer {TOKEN}",
    ),
    "gitlab": (
        "issue_opened",
        "note_on_issue",
        "https://gitlab.example.org",
        ("object_attributes", "id"),
        "/api/v4/projects/books%2Fledger/issues/",
        f"PRIVATE-TOKEN: {TOKEN}",
    ),
}


@pytest.fixture(name="deliver")
def _deliver(tenant: Tenant, call: Call) -> Callable[..., None]:
    """Sends a fixture through a hook with a token, from a server elsewhere: deliver("github", name, at)."""
    made: dict[str, Any] = {}

    def deliver(source: str, name: str, at: str, set_to: int | None = None) -> None:
        vendor = VENDORS[source]
        if source not in made:
            options = {"token": TOKEN} if at else {}
            made[source] = hooks.create_hook(
                load()[source], tenant.workspace_id, None, secret=vendor.secret, options=options
            )
        told = json.loads((ROOT / "tests" / "fixtures" / source / f"{name}.json").read_text())["request"]
        sent = json.loads(json.dumps(told["json"]).replace(PLACES[source][2], at or PLACES[source][2]))
        if set_to is not None:
            first, second = PLACES[source][3]
            sent[first][second] = set_to
        body = json.dumps(sent).encode()
        headers = {**told["headers"], **vendor.sign(vendor.secret, body, int(time.time()))}
        assert call("POST", made[source]["path"], data=body, headers=headers).status_code == 200

    return deliver


@pytest.mark.parametrize("source", PLACES)
def test_a_comment(call: Call, deliver: Any, send: Send, box: Mailbox, source: str) -> None:
    """An answer is a comment of the issue by the hook's token, as text; what is told of it is nothing new."""
    issue, comment, _, _, path, header = PLACES[source]
    seen: list[bytes] = []
    with listening(answering("201 Created", body=b'{"id": 4711}', seen=seen)) as port:
        deliver(source, issue, f"http://127.0.0.1:{port}")
        record = Feedback.get().id
        asked = f"/gateway/v1/feedback/{record}/replies"
        channels = {item["name"]: item["lacks"] for item in call("GET", asked).json["channels"]}
        assert channels[source] is None and channels["slack"]
        assert call("POST", asked, json={"text": TEXT, "channel": source}).json["channel"] == source
        send()
        before = Event.select().count()
        deliver(source, comment, f"http://127.0.0.1:{port}", 4711)

    (request,) = seen
    head, _, body = request.decode().partition("\r\n\r\n")
    assert head.startswith(f"POST {path}") and header in head
    assert json.loads(body) == {"body": in_issues.escaped(TEXT)}
    assert "<b>" not in body and "@team" not in body and "](http" not in body
    (told,) = call("GET", asked).json["data"]
    assert (told["state"], told["why"]) == ("sent", None)
    assert Event.select().where(Event.type == "replied").count() == 1
    assert (Feedback.select().count(), Event.select().count()) == (1, before)


def test_what_is_answered(call: Call, deliver: Any, send: Send, box: Mailbox) -> None:
    """What may pass is tried again, what lasts has failed, and says what the vendor answered."""
    at = 10.0
    for status, headers, state in (
        ("500 Internal Server Error", (), "sending"),
        ("403 Forbidden", ("x-ratelimit-remaining: 0",), "sending"),
        ("429 Too Many Requests", ("Retry-After: 1",), "sending"),
        ("404 Not Found", (), "failed"),
    ):
        with listening(answering(status, *headers, body=b"{}")) as port:
            if at == 10.0:
                deliver("github", "issue_opened", f"http://127.0.0.1:{port}")
                asked = f"/gateway/v1/feedback/{Feedback.get().id}/replies"
                call("POST", asked, json={"text": "Mended"})
            subject = {**Feedback.get().subject, "url": f"http://127.0.0.1:{port}/tulip/orders/issues/17"}
            Feedback.update(subject=subject).execute()
            send(at)
        (told,) = call("GET", asked).json["data"]
        assert (told["state"], told["why"]) == (state, f"GitHub answered {status[:3]}")
        at += sending.RETRIES[3]


def test_no_token(call: Call, deliver: Any) -> None:
    """Without a token, or where there is no issue, it is said what is missing."""
    deliver("github", "issue_opened", "")
    deliver("github", "run_failed", "")
    issue, run = (row.id for row in Feedback.select().order_by(Feedback.id))
    lacks = [
        {
            item["name"]: item["lacks"]
            for item in call("GET", f"/gateway/v1/feedback/{one}/replies").json["channels"]
        }
        for one in (issue, run)
    ]

    assert lacks[0]["github"].startswith("its hook has no option token")
    assert lacks[1]["github"] == "the record is of no issue"
    assert lacks[0]["gitlab"] == "the record is not from GitLab"
