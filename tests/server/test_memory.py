"""What never ends is refused before it costs memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from gateway.server.streamed_body import MAX_AHEAD
from tests.clients.conftest import files_of, new_hook
from tests.conftest import Server, running
from tests.server.answers import read_answers
from tests.server.attack import JSON, Target, chunk
from tests.server.crowd import Sender, crowd, forget_peak, peak, workers
from tests.server.judging import REFUSALS
from tests.server.test_framing import address_of
from tests.uploads import png

CONNECTIONS = 200
TRIES = 3
MOST = 1_000_000  # bytes that each sends when nobody stops it
GROWTH = 5_000_000  # bytes of all of them together, beside what as many ordinary clients cost

ENDLESS = {
    "request line": (b"GET /", b"a"),
    "method": (b"G", b"G"),
    "field": (b"GET / HTTP/1.1\r\nX: ", b"a"),
    "name": (b"GET / HTTP/1.1\r\n", b"X"),
    "fields": (b"GET / HTTP/1.1\r\n", b"X: a\r\n"),
}
ENDLESS_BODIES = {
    "chunk size": (b"", b"0"),
    "second chunk size": (chunk(JSON), b"0"),
    "extension": (b"5;a=", b"a"),
    "extensions": (b"5", b";a=b"),
    "quoted extension": (b'5;a="', b"a"),
    "trailer": (b"0\r\nX: ", b"a"),
    "trailer name": (b"0\r\n", b"X"),
    "trailers": (b"0\r\n", b"X: a\r\n"),
    "trailers behind a chunk": (chunk(JSON) + b"0\r\n", b"X: " + b"a" * 1_000 + b"\r\n"),
    "chunks of a byte": (b"", chunk(b" ")),
    "long extensions": (b"", chunk(b" ", b";a=" + b"b" * 1_000)),
}

READ_AHEAD = {"chunks of a byte", "long extensions"}


@dataclass
class Lone:
    """A server of one worker, and the peak in bytes of that while it had as many ordinary clients."""

    server: Server
    worker: int
    before: int


@pytest.fixture(name="lone", scope="module")
def _lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lone]:
    with running(tmp_path_factory.mktemp("lone"), GATEWAY_WORKERS="1") as server:
        assert httpx.get(f"{server.url}/healthz").status_code == 200  # there is a worker now
        peaks = [ordinary(server) for _ in range(3)]
        (worker,) = workers(server)
        yield Lone(server, worker, peaks[-1])


def ordinary(server: Server) -> int:
    """The peak, in bytes, of the worker while as many clients send an ordinary request."""
    (pid,) = workers(server)
    forget_peak(pid)
    target = Target("POST", "/gateway/v1/feedback", server.tenant.key)
    text = b'{"text": "' + b"ordinary words " * 20 + b'"}'
    requests = [
        target.sized(text, "Connection: close"),
        target.chunked(chunk(text) + b"0\r\n\r\n", "Connection: close"),
    ]
    senders = [Sender(requests[number % 2]) for number in range(CONNECTIONS)]
    crowd(address_of(server.url), senders)
    statuses = {tuple(read_answers(bytes(sender.heard)).statuses) for sender in senders}
    assert statuses <= {(201,), (503,)}
    return peak(pid)


def check_refused(lone: Lone, senders: Callable[[], list[Sender]], allowed: int = GROWTH) -> None:
    """All are told 4xx, their connections end, and the worker's peak is hardly that of ordinary clients.

    A peak also holds what the worker did otherwise in that moment; what an attack costs, it costs each time.
    """
    growths, before = list[int](), lone.before
    while len(growths) < TRIES and min(growths, default=allowed + 1) > allowed:
        if growths:  # what the process has kept for itself meanwhile is no growth
            before = max(before, ordinary(lone.server))
        forget_peak(lone.worker)
        attack = senders()
        crowd(address_of(lone.server.url), attack)
        growths.append(peak(lone.worker) - before)
        seen = [(sender, read_answers(bytes(sender.heard), ("POST",))) for sender in attack]
        wrong = [
            (read.statuses, sender.end, sender.sent)
            for sender, read in seen
            if sender.end != "eof"
            or len(read.finals) != 1
            or read.finals[0].status not in REFUSALS
            or read.rest
        ]
        assert workers(lone.server) == [lone.worker]
        assert (len(wrong), wrong[:5]) == (0, []), f"and {growths} bytes"
    assert min(growths) <= allowed, f"{growths} bytes; each sent up to {max(one.sent for one in attack):,}"


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_heads(lone: Lone, name: str) -> None:
    """Whatever part of a head it is that does not end."""
    beginning, repeated = ENDLESS[name]
    check_refused(lone, lambda: [Sender(beginning, repeated, MOST) for _ in range(CONNECTIONS)])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long) if name == "chunks of a byte" else name
        for name in ENDLESS_BODIES
    ],
)
def test_endless_bodies(lone: Lone, name: str) -> None:
    """At a door with a key and without one, and at a path that reads no body."""
    beginning, repeated = ENDLESS_BODIES[name]
    targets = (
        Target("POST", "/gateway/v1/feedback", lone.server.tenant.key),
        Target("POST", "/v1/feedback"),
        Target("GET", "/healthz"),
    )
    heads = [target.chunked(beginning) for target in targets]
    # What is in chunks may be read ahead before anybody can tell that it comes in many.
    allowed = 2 * CONNECTIONS * MAX_AHEAD if name in READ_AHEAD else GROWTH
    check_refused(lone, lambda: [Sender(heads[n % 3], repeated, MOST) for n in range(CONNECTIONS)], allowed)


@pytest.mark.long
def test_an_envelope_with_files(lone: Lone) -> None:
    """A hundred megabytes of attachments, kept and refused, cost what a few pieces of them do."""
    made = new_hook(lone.server, "sentry-dsn")
    path = f"/api/{made['dsn'].rpartition('/')[2]}/envelope/?sentry_key={made['hook_id']}"
    parts = [b"{}", b'{"type":"feedback"}', b'{"contexts":{"feedback":{"message":"It is slow"}}}']
    for number, size in enumerate((9_000_000, 9_000_000, 75_000_000, 5_000_000)):
        picture = png(size, number)
        head = {"type": "attachment", "filename": f"{number}.png", "length": len(picture)}
        parts += [json.dumps(head).encode(), picture]
    body = b"\n".join(parts)
    growths = []
    for _ in range(TRIES):
        before = ordinary(lone.server)
        forget_peak(lone.worker)
        assert httpx.post(lone.server.url + path, content=body, timeout=60).status_code == 200
        growths.append(peak(lone.worker) - before)

    with lone.server.client() as client:
        record = client.get("/gateway/v1/feedback").json()["data"][0]
    found = files_of(lone.server, record["id"])
    assert [bool(file.content) for file in found] == [True, True, False, True]
    assert min(growths) <= GROWTH, f"{growths} bytes"
