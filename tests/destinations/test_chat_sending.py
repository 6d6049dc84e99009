"""Chat kinds on receivers that answer as Slack, Teams, Discord and ntfy do."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from slack_sdk.webhook import WebhookClient

from gateway.core import encryption, outbound
from gateway.core.config import Config
from gateway.core.outbound import Forbidden
from gateway.destinations import found_kinds, managing
from gateway.destinations.kind import Answer, Delivery
from models import Attempt, Destination, Outgoing
from tests.conftest import Call, Tenant
from tests.destinations import shown
from tests.destinations.conftest import Send
from tests.receivers import listening

PATH = "/gateway/v1/feedback"
TAKEN = "200 OK", "ok"
POSTED = "200 OK", '{"ok": true, "channel": "C0123456789", "ts": "1.5"}'
BOT = "api/chat.postMessage?channel=C0123456789"
HOOK = f"api/webhooks/123456789012345678/{'t' * 68}"

Said = tuple[str, ...]  # what is answered: status, body, and headers


def failed(error: str) -> Said:
    return "200 OK", json.dumps({"ok": False, "error": error})


@contextmanager
def playing(*answers: Said) -> Iterator[tuple[int, list[tuple[str, Any, dict[str, str]]]]]:
    """The port of what answers so in turn, then as the last, and what it is asked: line, JSON, headers."""
    asked: list[tuple[str, Any, dict[str, str]]] = []

    def act(sock: socket.socket, request: bytes) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        status, said, *more = answers[min(len(asked), len(answers) - 1)]
        asked.append((first.removesuffix(" HTTP/1.1"), json.loads(body), headers))
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(said)}", *more, "", said]
        sock.sendall("\r\n".join(lines).encode())

    with listening(act) as port:
        yield port, asked


def sent(
    name: str, port: int, path: str, *, earlier: str | None = None, headers: dict[str, str] | None = None
) -> Answer:
    kind = found_kinds.load()[name]
    assert kind.write is not None
    body = kind.write(shown.RECORD)
    return kind.send(
        Delivery("msg_1", f"http://localhost:{port}/{path}", body, headers or {}, [], 0, earlier)
    )


def test_slack_webhook() -> None:
    """It is sent what Slack's own client sends; blocks that are refused go once more as plain text."""
    refusal = "400 Bad Request", "invalid_blocks"
    with playing(
        TAKEN, TAKEN, refusal, TAKEN, refusal, refusal, ("429 Slow", "", "Retry-After: 30")
    ) as played:
        port, asked = played
        answer = sent("slack", port, "services/T/B/x")
        assert answer.is_taken and answer.note is None and answer.reference is None
        payload = asked[0][1]
        told = WebhookClient(f"http://localhost:{port}/services/T/B/x").send(
            text=payload["text"], blocks=payload["blocks"]
        )
        assert told.status_code == 200
        assert {name: payload[name] for name in asked[1][1]} == asked[1][1] and asked[0][0] == asked[1][0]
        answer = sent("slack", port, "services/T/B/x")
        assert answer.is_taken and "invalid_blocks" in (answer.note or "")
        assert asked[3][1] == {name: value for name, value in payload.items() if name != "blocks"}
        answer = sent("slack", port, "services/T/B/x")
        assert (answer.is_taken, answer.status, len(asked)) == (False, 400, 6)
        assert sent("slack", port, "services/T/B/x").headers["retry-after"] == "30"


FIRST = "C0123456789:1.5"
NEW, UPDATE = "POST /api/chat.postMessage", "POST /api/chat.update"
# What Slack answers, the message that there is, the requests, whether it is taken, and the note.
SLACK: dict[str, tuple[Sequence[Said], str | None, list[str], bool, str | None]] = {
    "posted": ([POSTED], None, [NEW], True, None),
    "changed": ([POSTED], FIRST, [UPDATE], True, None),
    "too old": ([failed("edit_window_closed"), POSTED], FIRST, [UPDATE, NEW], True, "follows"),
    "deleted": ([failed("message_not_found"), POSTED], FIRST, [UPDATE, NEW], True, None),
    "refused": ([failed("invalid_blocks"), POSTED], None, [NEW, NEW], True, "plain text"),
    "too much": ([failed("msg_blocks_too_long"), POSTED], FIRST, [UPDATE, UPDATE], True, "plain text"),
    "not invited": ([failed("not_in_channel")], None, [NEW], False, None),
    "limited": ([("429 Slow", '{"ok": false, "error": "ratelimited"}')], FIRST, [UPDATE], False, None),
}


@pytest.mark.parametrize("case", SLACK)
def test_slack_bot(case: str) -> None:
    """A bot posts into its channel, changes what it posted, and follows what can be changed no more."""
    answers, earlier, wanted, is_taken, note = SLACK[case]
    with playing(*answers) as (port, asked):
        answer = sent("slack", port, BOT, earlier=earlier, headers={"Authorization": "Bearer xoxb-1"})
    assert [line for line, _, _ in asked] == wanted and answer.is_taken is is_taken
    assert all(body["channel"] == "C0123456789" for _, body, _ in asked)
    assert all(headers["authorization"] == "Bearer xoxb-1" for _, _, headers in asked)
    assert (note or "") in (answer.note or "") and bool(note) == bool(answer.note)
    assert answer.reference == (FIRST if is_taken else None)
    if case == "too old":
        assert asked[1][1]["thread_ts"] == "1.5"
    if case in ("refused", "too much"):
        assert asked[1][1].get("blocks") == ([] if earlier else None)
    if case == "not invited":
        assert answer.why == "Slack says not_in_channel: invite the app into the channel"


def test_discord() -> None:
    """It waits for the message, changes it later, posts anew when that is gone, and waits as it is told."""
    made = "200 OK", '{"id": "99"}'
    limited = "429 Slow", '{"retry_after": 0.3, "global": false}', "Retry-After: 9"
    with playing(made, made, ("404 Not Found", "{}"), made, limited) as (port, asked):
        assert sent("discord", port, f"{HOOK}?thread_id=7").reference == "99"
        assert sent("discord", port, f"{HOOK}?thread_id=7", earlier="99").reference == "99"
        assert sent("discord", port, HOOK, earlier="98").reference == "99"
        answer = sent("discord", port, HOOK)
    assert [line for line, _, _ in asked] == [
        f"POST /{HOOK}?wait=true&thread_id=7",
        f"PATCH /{HOOK}/messages/99?thread_id=7",
        f"PATCH /{HOOK}/messages/98",
        f"POST /{HOOK}?wait=true",
        f"POST /{HOOK}?wait=true",
    ]
    assert not answer.is_taken and answer.headers["retry-after"] == "1"


def test_ntfy_and_mattermost() -> None:
    """ntfy is told the topic at its root, with the token; Mattermost is sent the payload as it is."""
    with playing(TAKEN) as (port, asked):
        assert sent("ntfy", port, "alerts", headers={"Authorization": "Bearer tk_1"}).is_taken
        assert sent("mattermost", port, "hooks/abc").is_taken
    (line, body, headers), (hook, payload, _) = asked
    assert (line, body["topic"], headers["authorization"]) == ("POST /", "alerts", "Bearer tk_1")
    assert hook == "POST /hooks/abc" and list(payload) == ["attachments"]


def test_apprise() -> None:
    """Its library sends where the operator lets it, and why it could not is told; else there is none made."""
    kind = found_kinds.load()["apprise"]
    assert kind.write is not None
    with playing(TAKEN, ("500 Oops", "no")) as (port, asked):
        delivery = Delivery("msg_1", f"json://localhost:{port}/x", kind.write(shown.RECORD), {}, [], 0)
        with pytest.raises(Forbidden, match="GATEWAY_OUTBOUND_APPRISE"):
            kind.send(delivery)
        with pytest.raises(Forbidden, match="GATEWAY_OUTBOUND_APPRISE"):
            kind.check(delivery.url)
        outbound.connect(Config(outbound_apprise="on"))
        taken, failed = kind.send(delivery), kind.send(delivery)
    assert taken.is_taken and taken.note and not failed.is_taken and "500" in (failed.why or "")
    assert len(asked) == 2 and "The export button" in asked[0][1]["message"]


@pytest.mark.both(long=True)
def test_the_whole_way(call: Call, send: Send, tenant: Tenant) -> None:
    """A record is posted, its later change goes into the same message, and the log says what is known."""
    flow = "https://prod-1.westeurope.logic.azure.com/workflows/0a/triggers/manual/paths/invoke?sig=a"
    events = ["feedback.created", "feedback.status_changed"]
    made = {}
    for kind, url in (("slack", f"https://slack.com/{BOT}"), ("teams", flow)):
        made[kind] = call(
            "POST", "/gateway/v1/destinations", json={"kind": kind, "url": url, "events": events}
        ).json
        assert made[kind]["secret"] is None and made[kind]["kind"] == kind
    with playing(POSTED) as (slack, asked), playing(("202 Accepted", "")) as (teams, carded):
        for kind, address in (("slack", f"{slack}/{BOT}"), ("teams", f"{teams}/flow")):
            sealed = encryption.encrypt(f"http://localhost:{address}")
            Destination.update(url=sealed).where(Destination.id == made[kind]["id"]).execute()
        record = call("POST", PATH, json={"text": "The export <!channel> does nothing"}).json["id"]
        send()
        assert call("PATCH", f"{PATH}/{record}", json={"status": "resolved"}).status_code == 200
        send(700)
    assert [line for line, _, _ in asked] == [NEW, UPDATE] and asked[1][1]["ts"] == "1.5"
    assert "<!channel" not in json.dumps(asked) and len(carded) == 2
    assert {row.state for row in Outgoing.select()} == {"sent"}
    notes = {row.status: row.why for row in Attempt.select()}
    assert notes[200] is None and "flow" in notes[202]


def test_refused_when_it_is_made(call: Call) -> None:
    """An address of another shape is a 400 that says what to give."""
    old = "https://contoso.webhook.office.com/webhookb2/a/IncomingWebhook/b/c"
    answer = call("POST", "/gateway/v1/destinations", json={"kind": "teams", "url": old})
    (fault,) = answer.json["errors"]
    assert answer.status_code == 400 and fault["field"] == "url" and "Workflows" in fault["message"]
    assert managing.EVENTS and Destination.select().count() == 0
