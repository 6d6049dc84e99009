"""Deliveries on receivers that take, refuse, ask to wait, break off and are slow."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.background.lease import Lease
from gateway.core import encryption
from gateway.core.ids import now_ms
from gateway.core.retry_after import retry_after
from gateway.destinations import found_kinds, http_post, ladder, managing, sender
from gateway.destinations.by_kind import email, webhook
from gateway.destinations.kind import Answer, Delivery
from models import Attempt, Destination, Job, Outbox, Outgoing
from models.database.base import writing
from models.tables import destination, job
from tests.conftest import Call, Tenant
from tests.destinations.conftest import Add, Send, now_of, told
from tests.receivers import answering, listening, resolving

pytestmark = pytest.mark.both(long=True)
PATH = "/gateway/v1/feedback"
HOUR, DAY = 3_600, 86_400  # seconds
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def post(call: Call, text: str = "The export button does nothing", **more: Any) -> str:
    answer = call("POST", PATH, json={"text": text, **more})
    assert answer.status_code == 201 and answer.json is not None
    return str(answer.json["id"])


def one() -> Outgoing:
    (found,) = Outgoing.select()
    return found


def test_a_record_that_comes(call: Call, add: Add, send: Send) -> None:
    """It is sent once, whole, signed as receivers' libraries want it, and the log says so."""
    seen: list[bytes] = []
    with listening(answering("204 No Content", seen=seen)) as port:
        made = add(port, headers={"Authorization": "Bearer abc"})
        record = post(call, author={"email": "ada@example.test"})
        send()
        send()

    (got,) = map(told, seen)
    said = Webhook(made["secret"]).verify(got.text, got.headers)
    assert said["type"] == "feedback.created" and said["timestamp"].endswith("Z")
    shown = call("GET", f"{PATH}/{record}").json
    assert said["data"] == shown
    assert got.headers["authorization"] == "Bearer abc" and got.id == one().id
    (attempt,) = Attempt.select()
    assert (one().state, attempt.n, attempt.status, attempt.why) == ("sent", 1, 204, None)
    assert Outbox.select().count() == 0 and now_of(made)["succeeded_at"] is not None


def test_nobody_listens(call: Call, add: Add, send: Send) -> None:
    """Without a destination for it nothing is noted."""
    post(call)
    assert Outbox.select().count() == 0
    made = add(9, events=["feedback.deleted"])
    post(call, "Another one")
    assert Outbox.select().count() == 0
    managing.delete(now_of(made), by="key_test")
    record = post(call, "The third")
    assert call("DELETE", f"{PATH}/{record}").status_code == 204
    assert Outbox.select().count() == 0


@pytest.mark.parametrize("status", ["301 Moved Permanently", "400 Bad Request", "500 Oops"])
def test_an_answer_that_takes_nothing(call: Call, add: Add, send: Send, status: str) -> None:
    """It is sent again as the ladder says, the same each time, nowhere else, and given up at the end."""
    seen: list[bytes] = []
    elsewhere: list[bytes] = []
    tried = 0.0
    with (
        listening(answering("200 OK", seen=elsewhere), host="127.0.0.2") as private,
        listening(
            answering(status, f"Location: http://127.0.0.2:{private}/", body=b"no!", seen=seen)
        ) as port,
    ):
        add(port)
        post(call)
        send()
        for count, pause in enumerate(ladder.LADDER[1:], 1):
            send(tried + pause / 1000 * (1 - ladder.JITTER) - 1)
            assert len(seen) == count
            tried += pause / 1000 * (1 + ladder.JITTER) + 1
            send(tried)
            assert len(seen) == count + 1
        send(tried + 9 * DAY)

    assert one().state == "dead" and one().tries == len(ladder.LADDER) == len(seen) and elsewhere == []
    assert len({told(request).text for request in seen}) == len({told(request).id for request in seen}) == 1
    attempts = list(Attempt.select().order_by(Attempt.n))
    assert [item.n for item in attempts] == list(range(1, 11))
    assert {(item.status, item.answer) for item in attempts} == {(int(status[:3]), "no!")}
    assert bool(attempts[0].why) == status.startswith("3")


def test_gone(call: Call, add: Add, send: Send) -> None:
    """410 disables at once; what comes then is held, others are told, and all is sent when asked for."""
    seen: list[bytes] = []
    heard: list[bytes] = []
    with listening(answering("410 Gone")) as port, listening(answering("200 OK", seen=heard)) as other:
        made = add(port)
        watcher = add(other, events=["destination.disabled"])
        post(call)
        send()
        post(call, "While nobody takes it")
        send(60)
        row = now_of(made)
        assert row["state"] == "disabled" and "410" in row["reason"]
        assert {item.state for item in Outgoing.select().where(Outgoing.destination == made["id"])} == {
            "held"
        }
    (notice,) = map(told, heard)
    assert notice.body["type"] == "destination.disabled"
    assert notice.body["data"] == {"destination_id": made["id"]} and now_of(watcher)["state"] == "enabled"
    with listening(answering("200 OK", seen=seen)) as port:
        managing.change(row, {"state": "enabled", "url": f"http://localhost:{port}/"}, by="key_test")
        send(120)
        assert seen == []
        assert managing.replay(now_of(made), by="key_test", state="held") == 2
        send(180)
    assert [told(request).headers["gateway-replay"] for request in seen] == ["true", "true"]
    assert {item.state for item in Outgoing.select()} == {"sent"}


@pytest.mark.parametrize("dated", [False, True])
@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Unavailable"])
def test_retry_after(call: Call, add: Add, send: Send, status: str, dated: bool) -> None:
    """Both of its forms are heeded; 429 has the whole destination wait."""
    seen: list[bytes] = []
    later = datetime.fromtimestamp(now_ms() / 1000 + HOUR, UTC)
    value = format_datetime(later, usegmt=True) if dated else str(HOUR)
    with listening(answering(status, f"Retry-After: {value}", seen=seen)) as port:
        add(port)
        post(call)
        send()
        post(call, "Another one")
        send(HOUR - 60)
        assert len(seen) == (1 if status.startswith("429") else 2)
        send(2 * HOUR)
        assert len({told(request).id for request in seen}) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, headers={"retry-after": "Thu, 01 Jan 1970 00:02:00 +99999999999999999999"}),
        Answer(400, "no: \ud800", reference="\ud800"),
        Answer(200, body=b"\xff\0", reference="\ud800\0", note="\0\udfff"),
    ],
)
def test_an_answer_made_to_break(
    call: Call, add: Add, send: Send, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a receiver says is noted, so that it holds up neither itself nor anybody else."""
    kind = replace(webhook.KIND, send=lambda delivery: answer)
    monkeypatch.setattr(found_kinds, "load", lambda: {"webhook": kind})
    add(9)
    post(call)
    send()

    assert [row.tries for row in Outgoing.select()] == [1] == [row.n for row in Attempt.select()]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", 0),
        ("10", 10),
        ("999999999999999999999999", DAY),
        ("-5", 0),
        ("soon", 0),
        ("1.5", 0),
        ("٣", 0),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 60),
        ("Thu, 01 Jan 2099 00:02:00 GMT", DAY),
        ("Thu, 99 Jan 1970 00:02:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:02:00 +99999999999999999999", 0),
        ("Thu, 01 Jan 1970 00:02:00 444444444444", 0),
        ("Thu, 01 Jan 99999999999999999999 00:02:00 GMT", 0),
        ("Thu, 01555555555555 Jan 1970 00:02:00 GMT", 0),
    ],
)
def test_what_retry_after_says(value: str, seconds: int) -> None:
    """Seconds or a date, up to a day; anything else asks for nothing."""
    assert retry_after({"retry-after": value}, 60_000) == seconds * 1000


def _reset(sock: socket.socket, request: bytes) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _endless(sock: socket.socket, request: bytes) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    for _ in range(1000):
        sock.sendall(b"x" * 65_536)


def _silent(sock: socket.socket, request: bytes) -> None:
    sock.recv(1)


def _dripping(sock: socket.socket, request: bytes) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100_000:
        sock.sendall(bytes([byte]))


@pytest.mark.parametrize(
    ("act", "state"), [(_reset, "waiting"), (_silent, "waiting"), (_dripping, "waiting"), (_endless, "sent")]
)
def test_receivers_that_mean_ill(
    call: Call, add: Add, send: Send, monkeypatch: pytest.MonkeyPatch, act: Any, state: str
) -> None:
    """A reset, no answer and one that never ends are failures; of a large one the beginning is read."""
    if act in (_silent, _dripping):
        monkeypatch.setattr(http_post, "TIMEOUT", 0.3)
    with listening(act) as port:
        add(port)
        post(call)
        send()
    (attempt,) = Attempt.select()
    assert one().state == state and bool(attempt.why) == (state == "waiting")
    assert len(attempt.answer) == (sender.KEPT_ANSWER if act is _endless else 0)


def test_an_address_that_is_forbidden_later(
    call: Call, add: Add, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was allowed when it was saved is checked again when it is sent to, whatever a name meant then."""
    public, metadata = "93.184.216.34", "169.254.169.254"
    monkeypatch.setattr(socket, "getaddrinfo", resolving(hooks_example=[public, metadata]))
    add(9, url="https://hooks.example/")
    made = add(9)
    Destination.update(url=encryption.encrypt("http://127.0.0.1:9/")).where(
        Destination.id == made["id"]
    ).execute()
    post(call)
    send()
    by_name, by_number = Attempt.select()
    for attempt in (by_name, by_number):
        assert attempt.status is None and "GATEWAY_OUTBOUND_ALLOW" in attempt.why


def test_given_up(call: Call, add: Add, send: Send) -> None:
    """A destination that took nothing for five days, failing for twelve hours, is disabled; not sooner."""
    with listening(answering("500 Oops")) as port:
        made = add(port)
        post(call)
        send(6 * DAY)
        assert now_of(made)["state"] == "enabled"
        post(call, "Another one")
        send(6 * DAY + 6 * HOUR)
        assert now_of(made)["state"] == "enabled"
        post(call, "The third one")
        send(6 * DAY + 13 * HOUR)
    assert now_of(made)["state"] == "disabled"
    assert {item.state for item in Outgoing.select()} == {"held"}


def test_replays_do_not_count(call: Call, add: Add, send: Send) -> None:
    """A replay that fails never disables, whatever it is answered."""
    with listening(answering("200 OK")) as port:
        made = add(port)
        post(call)
        send()
    with listening(answering("410 Gone")) as port:
        managing.change(now_of(made), {"url": f"http://localhost:{port}/"}, by="key_test")
        for days in (0, 6, 12):
            managing.replay(now_of(made), by="key_test", delivery_id=one().id)
            send(days * DAY)
    assert now_of(made)["state"] == "enabled" and now_of(made)["failing_since"] is None


def test_paused(call: Call, add: Add, send: Send) -> None:
    """While it is paused its deliveries are held, those that wait and those that come."""
    seen: list[bytes] = []
    with listening(answering("500 Oops")) as port:
        made = add(port)
        post(call)
        send()
        assert one().state == "waiting"
    with listening(answering("200 OK", seen=seen)) as port:
        managing.change(now_of(made), {"state": "paused", "url": f"http://localhost:{port}/"}, by="key_test")
        post(call, "Another one")
        send(HOUR)
        assert {item.state for item in Outgoing.select()} == {"held"} and seen == []
        managing.change(now_of(made), {"state": "enabled"}, by="key_test")
        assert managing.replay(now_of(made), by="key_test", state="held") == 2
        send(2 * HOUR)
    assert len(seen) == 2


def test_a_secret_that_is_rotated(call: Call, add: Add, send: Send) -> None:
    """For a day both secrets sign, from then on the new one alone."""
    seen: list[bytes] = []
    with listening(answering("200 OK", seen=seen)) as port:
        old = add(port)
        new = managing.rotate(now_of(old), by="key_test")
        post(call)
        send()
        managing.replay(now_of(old), by="key_test", state="sent")
        send(DAY + 60)
    first, second = map(told, seen)
    for made in (old, new):
        Webhook(made["secret"]).verify(first.text, first.headers)
    assert len(first.headers["webhook-signature"].split()) == 2
    assert len(second.headers["webhook-signature"].split()) == 1
    at = datetime.fromtimestamp(int(second.headers["webhook-timestamp"]), UTC)
    signed = Webhook(new["secret"]).sign(second.id, at, second.text)
    assert second.headers["webhook-signature"] == signed
    stored_secrets = Destination.get().secrets
    assert old["secret"] not in repr(stored_secrets) and new["secret"] not in repr(stored_secrets)


def test_a_slow_receiver(call: Call, add: Add, send: Send) -> None:
    """While one receiver takes its time with each of many deliveries, those of another arrive."""
    texts = [f"The page {number} is empty" for number in range(12)]
    arrived, all_arrived = threading.Semaphore(0), threading.Event()
    together, most = [0], [0]
    lock = threading.Lock()

    def slow(sock: socket.socket, request: bytes) -> None:
        with lock:
            together[0] += 1
            most[0] = max(most[0], together[0])
        all_arrived.wait(10)
        with lock:
            together[0] -= 1
        sock.sendall(OK)

    def fast(sock: socket.socket, request: bytes) -> None:
        sock.sendall(OK)
        arrived.release()

    def watch() -> None:
        for _ in texts:
            arrived.acquire()
        all_arrived.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with listening(slow) as first, listening(fast) as second:
        add(first)
        add(second)
        for text in texts:
            post(call, text)
        send()
    watcher.join()
    assert {item.state for item in Outgoing.select()} == {"sent"} and most[0] == sender.OF_ONE


def test_a_process_that_is_to_end(call: Call, add: Add, send: Send) -> None:
    """What is under way when the worker is stopped is noted; nothing else is begun."""
    stopping = threading.Event()

    def act(sock: socket.socket, request: bytes) -> None:
        stopping.set()
        sock.sendall(OK)

    with listening(act) as port:
        add(port)
        for number in range(5):
            post(call, f"The page {number} is empty")
        assert job.claim("send", "me", now_ms(), now_ms() + 60_000)
        sender.send(Lease("send", "me", stopping.is_set))
    states = [item.state for item in Outgoing.select().order_by(Outgoing.id)]
    assert states.count("sent") >= 1 and states[-1] == "waiting"
    assert states.count("sent") == Attempt.select().count()


def test_old_ones_go(call: Call, add: Add, send: Send) -> None:
    """A delivery is kept for thirty days with its attempts."""
    with listening(answering("200 OK")) as port:
        add(port)
        post(call)
        send()
        send(29 * DAY)
        assert Outgoing.select().count() == Attempt.select().count() == 1
        send(31 * DAY)
    assert Outgoing.select().count() == Attempt.select().count() == 0


def test_idle(tenant: Tenant, add: Add, send: Send) -> None:
    """Without a destination the work rests for a minute, with one it is woken at the next look."""
    send()
    row = Job.get_by_id("send")
    assert row.due_at - row.finished_at >= 50_000
    add(9)
    assert job.hurried(now_ms()) == ["send"]
    send()
    row = Job.get_by_id("send")
    assert job.hurried(row.finished_at + 2_000, ["send"]) == ["send"]


def test_a_destination_that_ends(call: Call, add: Add, send: Send) -> None:
    """Its deliveries go with it."""
    made = add(9)
    post(call)
    send()
    post(call, "What nobody was told yet")
    assert Outgoing.select().count() == Attempt.select().count() == 1
    managing.delete(now_of(made), by="key_test")
    assert Outgoing.select().count() == Attempt.select().count() == Destination.select().count() == 0
    assert destination.any_at_all() is False
    send()
    add(9)
    send()
    assert Outbox.select().count() == Outgoing.select().count() == 0


def test_one_server_of_many(call: Call, add: Add, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server through which many destinations are told, and which does not answer, holds up no other."""
    told_else, waited = threading.Event(), list[bool]()

    def stalls(delivery: Delivery) -> Answer:
        waited.append(told_else.wait(10))
        return Answer(200)

    def act(sock: socket.socket, request: bytes) -> None:
        sock.sendall(OK)
        told_else.set()

    stalling = replace(webhook.KIND, send=stalls, at_once=email.KIND.at_once)
    found = {"mail": stalling, "webhook": webhook.KIND}
    monkeypatch.setattr(found_kinds, "load", lambda: found)
    for _ in range(sender.AT_ONCE + 1):
        add(9)
    with writing():
        Destination.update(kind="mail").execute()
    with listening(act) as port:
        add(port)
        post(call)
        send()

    assert waited == [True] * (sender.AT_ONCE + 1)
    assert {row.state for row in Outgoing.select()} == {"sent"}
