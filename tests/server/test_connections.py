"""Connections as clients really use them: slow, many, pipelined, idle, cut off, and too many at once."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import gevent
import httpx
import pytest

from gateway.server.admission import CROWDED, Admission, Overloaded
from tests.conftest import Server, running, until
from tests.http.test_framework_errors import check_dialect
from tests.server.test_serve import PATH, connection, request_head, response_of

FEW = 8  # connections of a worker
HASTY = {"gateway.server.connection.ARRIVE": 1.0, "gateway.server.streamed_body.BODY_GRACE": 1.0}
IMPATIENT = {"gateway.server.gevent_worker.SETTLED": 0.1, "gateway.server.gevent_worker.TICK": 0.05}
DOORS = {
    "/api/v1/feedback": "flora",
    "/v2/feedback": "orq",
    "/v1/feedback": "fluister",
    PATH: "native",
    "/hooks/github/abc": "github",
}


def test_a_line_is_crowded_when_its_most_wait() -> None:
    """However quick it is: those who are told to come later need connections to hear it on."""
    admission = Admission(1, patience=60.0, most=3)

    def request() -> None:
        with admission:
            pass

    with admission:
        waiting = [gevent.spawn(request) for _ in range(3)]
        gevent.idle()
        with pytest.raises(Overloaded):
            request()
    gevent.joinall(waiting, raise_error=True)
    request()


def test_a_line_is_crowded_when_a_newcomer_would_wait() -> None:
    """By how long the others had to wait of late, though nobody has waited too long yet."""
    admission = Admission(1, patience=60.0, most=1000)
    admission.pace = CROWDED / 2

    def request() -> None:
        with admission:
            pass

    with admission:
        waiting = [gevent.spawn(request) for _ in range(3)]
        gevent.idle()
        assert admission.crowded()
        with pytest.raises(Overloaded):
            request()
    gevent.joinall(waiting, raise_error=True)
    assert not admission.crowded()
    assert admission.pace < CROWDED / 2


def test_patience_ends_a_wait() -> None:
    admission = Admission(0, patience=0.01, most=9)
    with pytest.raises(Overloaded) as told, admission:
        pass
    assert told.value.args[0] > 0


@pytest.fixture(name="hasty", scope="module")
def _hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One worker of four threads that gives slow clients a second."""
    directory = tmp_path_factory.mktemp("hasty")
    with running(directory, HASTY, GATEWAY_WORKERS="1", GATEWAY_THREADS="4") as server:
        yield server


@contextmanager
def opened(server: Server, *sent: bytes) -> Iterator[list[socket.socket]]:
    """A connection for each of these beginnings of a request."""
    with ExitStack() as stack:
        socks = []
        for data in sent:
            sock, _ = stack.enter_context(connection(server))
            sock.sendall(data)
            socks.append(sock)
        yield socks


def answer_of(sock: socket.socket) -> tuple[int, dict[str, str], Any]:
    with sock.makefile("rb", buffering=0) as stream:
        status, headers, body = response_of(stream)
    return status, headers, json.loads(body)


def workers(server: Server) -> list[int]:
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def open_sockets(server: Server) -> int:
    """How many sockets its workers have open, once there is a worker that serves."""
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    files = [path for pid in workers(server) for path in Path(f"/proc/{pid}/fd").iterdir()]
    names = []
    for path in files:
        with suppress(FileNotFoundError):  # closed meanwhile
            names.append(os.readlink(path))
    return sum(name.startswith("socket:") for name in names)


@pytest.mark.long
def test_slow_clients_hold_no_thread(hasty: Server) -> None:
    """Many more clients than threads, each in the middle of its head or small body, hinder nobody."""
    heads = [f"POST {path} HTTP/1.1\r\nHost: g\r\nX-Slow: ye".encode() for path in DOORS] * 4
    bodies = [request_head(hasty, "Content-Length: 60000") + b'{"text":"'] * 20
    with opened(hasty, *heads, *bodies) as socks, hasty.client() as client:
        assert [client.post(PATH, json={"text": "in time"}).status_code for _ in range(20)] == [201] * 20
        answers = [answer_of(sock) for sock in socks]

    for (status, headers, body), dialect in zip(
        answers, [*DOORS.values()] * 4 + ["native"] * 20, strict=True
    ):
        assert (status, headers["connection"]) == (408, "close")
        if dialect != "github":
            check_dialect(dialect, body, 408)


@pytest.mark.long
def test_large_and_chunked_bodies_take_a_share_of_the_threads(hasty: Server) -> None:
    """Bodies that threads must wait for leave half of them free, and end with 408 when they stall."""
    large = request_head(hasty, "Content-Length: 900000") + b'{"text":"'
    chunked = request_head(hasty, "Transfer-Encoding: chunked") + b'9\r\n{"text":"\r\n'
    with opened(hasty, *[large, chunked] * 3) as socks, hasty.client() as client:
        assert [client.post(PATH, json={"text": "in time"}).status_code for _ in range(20)] == [201] * 20
        answers = [answer_of(sock) for sock in socks]

    assert [status for status, _, _ in answers] == [408] * 6
    assert {headers["connection"] for _, headers, _ in answers} == {"close"}
    check_dialect("native", answers[0][2], 408)


def test_slow_but_steady(hasty: Server) -> None:
    """A head and a body in many pieces are one request."""
    body = json.dumps({"text": "byte by byte"}).encode()
    with opened(hasty, b"") as (sock,):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request_head(hasty, f"Content-Length: {len(body)}") + body:
            sock.sendall(bytes([byte]))
        status, headers, answer = answer_of(sock)

    assert (status, answer["text"]) == (201, "byte by byte")
    assert headers["connection"] == "keep-alive"


@pytest.mark.parametrize("cut", [1, 90, 400, 10_000])
def test_pipelining(server: Server, cut: int) -> None:
    """Requests sent behind each other are answered in their order, however they are cut into packets."""
    bodies = [json.dumps({"text": f"number {n}"}).encode() for n in range(5)]
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(bodies[3]), bodies[3])
    sent = [request_head(server, f"Content-Length: {len(body)}") + body for body in bodies]
    sent[3] = request_head(server, "Transfer-Encoding: chunked") + chunk
    whole = b"\r\n".join(sent)  # an empty line between requests is allowed
    with connection(server) as (sock, stream):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(whole[:cut])
        sock.sendall(whole[cut:])
        answers = [response_of(stream) for _ in bodies]

    assert [status for status, _, _ in answers] == [201] * 5
    assert [json.loads(body)["text"] for _, _, body in answers] == [f"number {n}" for n in range(5)]


@pytest.mark.parametrize(("begun", "size", "status"), [(0, 1, 400), (100_000, 1, 400), (0, 6, 201)])
def test_large_bodies_of_tiny_chunks(server: Server, begun: int, size: int, status: int) -> None:
    """Chunks may be small, unless what is around them is more than what is in them; also later in a body."""
    body = json.dumps({"text": "x" * 400_000}).encode()
    pieces = [body[:begun], *(body[at : at + size] for at in range(begun, len(body), size))]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"
    with connection(server) as (sock, stream):
        with suppress(OSError):  # it is answered before it has all come
            sock.sendall(request_head(server, "Transfer-Encoding: chunked") + chunks)
        got, _, _ = response_of(stream)

    assert got == status


def test_expect_100_continue(server: Server) -> None:
    """A client that asks first is told to go on, and its body is read."""
    body = json.dumps({"text": "asked first"}).encode()
    with connection(server) as (sock, stream):
        sock.sendall(request_head(server, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert stream.readline().startswith(b"HTTP/1.1 100")
        assert stream.readline() == b"\r\n"
        sock.sendall(body)
        status, _, _ = response_of(stream)

    assert status == 201


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 11_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"\r\n" * 8_000 + b"GET / HTTP/1.1\r\nX: " + b"y" * 8_000, 431),
        (b"POST / HTTP/1.1\r\nno colon\r\nContent-Length: 200\r\n\r\n" + b"\n" * 200, 400),
        (
            b"POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n"
            + b"\n" * 200
            + b"zz\r\n",
            400,
        ),
        (b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: g\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\nHost: g\n\n", 400),
        (b"GET /healthz HTTP/1.1\nHost: g\n\nPOST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length : 5\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: +5\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx", 400),
    ],
)
def test_odd_beginnings(server: Server, sent: bytes, status: int) -> None:
    """What is not HTTP is told so at once, without waiting for an end that never comes."""
    with connection(server) as (sock, stream):
        sock.sendall(sent)
        got, _, body = response_of(stream)

    assert got == status
    assert json.loads(body)


def test_disconnects_leak_nothing(hasty: Server) -> None:
    """Connections given up at any moment leave no socket behind."""
    before = open_sockets(hasty)
    head = request_head(hasty, "Content-Length: 50")
    large = request_head(hasty, "Content-Length: 900000")
    whole = request_head(hasty, "Content-Length: 12") + b'{"text":"a"}'
    for data in (b"", head[:20], head, head + b"{", large + b"{", whole, whole + head[:9]):
        with opened(hasty, *[data] * 10) as socks:
            for sock in socks[::2]:  # half of them with a reset instead of an end
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: open_sockets(hasty) <= before)


@pytest.mark.long
def test_idle_connections_make_room(tmp_path: Path) -> None:
    """When all places are taken, the connection that is idle longest gives up its place."""
    few = {"worker_connections": 20} | IMPATIENT
    with (
        running(tmp_path, few, GATEWAY_WORKERS="1", GATEWAY_THREADS="4") as server,
        opened(server, *[b""] * 60),
        server.client() as client,
    ):
        assert [client.post(PATH, json={"text": "hello"}).status_code for _ in range(5)] == [201] * 5


@pytest.mark.long
def test_sigterm_with_idle_connections(tmp_path: Path) -> None:
    """Connections without a request do not hold up the end."""
    with running(tmp_path) as server, server.client() as client, opened(server, b"", b""):
        assert client.post(PATH, json={"text": "hello"}).status_code == 201
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(timeout=20) == 0


def test_sigterm_lets_a_small_body_arrive(tmp_path: Path) -> None:
    """A request of which the half has come before SIGTERM is read to its end and answered."""
    body = json.dumps({"text": "half of it"}).encode()
    with running(tmp_path, GATEWAY_WORKERS="1") as server:
        before = open_sockets(server)
        with connection(server) as (sock, stream):
            sock.sendall(request_head(server, f"Content-Length: {len(body)}") + body[:5])
            until(lambda: open_sockets(server) > before)
            server.process.send_signal(signal.SIGTERM)
            until(lambda: refused(server))
            sock.sendall(body[5:])
            status, headers, _ = response_of(stream)

            assert (status, headers["connection"]) == (201, "close")
        assert server.process.wait(timeout=20) == 0


@pytest.mark.long
@pytest.mark.parametrize("idle", [0, FEW])
def test_sigterm_answers_who_waits_in_the_backlog(tmp_path: Path, idle: int) -> None:
    """Connections that the kernel has taken and the worker has not yet are answered before the end.

    Also those for which there is no place yet, and when clients who ask nothing have all places.
    """
    few = {"gateway.server.gunicorn_app.CONNECTIONS": FEW} | IMPATIENT
    with running(tmp_path, few, GATEWAY_WORKERS="1", GATEWAY_THREADS="1") as server, ExitStack() as stack:
        body = b'{"text":"a"}'
        request = request_head(server, f"Content-Length: {len(body)}") + body
        for sock in stack.enter_context(opened(server, *[request] * idle)):
            assert answer_of(sock)[0] == 201
        (worker,) = until(lambda: workers(server))
        os.kill(worker, signal.SIGSTOP)
        until(lambda: stopped(worker))  # else SIGTERM, the lower number, may be heard before
        with opened(server, *[request] * 30) as socks:
            server.process.send_signal(signal.SIGTERM)
            until(lambda: pending(worker) & 1 << signal.SIGTERM - 1)
            os.kill(worker, signal.SIGCONT)
            answers = [answer_of(sock) for sock in socks]
        assert {(status, headers["connection"]) for status, headers, _ in answers} == {(201, "close")}
        assert server.process.wait(timeout=20) == 0


def stopped(pid: int) -> bool:
    """Whether every thread of a process has stopped."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return all((path / "stat").read_text().rpartition(")")[2].split()[0] == "T" for path in threads)


def pending(pid: int) -> int:
    """The signals that a process has not heard yet, as bits."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("ShdPnd:")[2].split()[0], 16)


def refused(server: Server) -> bool:
    url = httpx.URL(server.url)
    try:
        socket.create_connection((url.host, url.port or 80), timeout=5).close()
    except OSError:
        return True
    return False


BUSY = {"gateway.server.admission.CROWDED": 0.0, "gateway.server.gevent_worker.PATIENCE": 60.0}
NO_TURNS = {
    "gateway.server.gevent_worker.DELIVERIES": 0,
    "gateway.server.gevent_worker.PATIENCE": 10.0,
}  # as when the disk takes nothing


@contextmanager
def held(server: Server) -> Iterator[socket.socket]:
    """A request that keeps the only thread busy until its body is sent."""
    head = request_head(server, "Transfer-Encoding: chunked", "Expect: 100-continue")
    with opened(server, head) as (sock,):
        with sock.makefile("rb", buffering=0) as stream:
            assert stream.readline().startswith(b"HTTP/1.1 100")
            assert stream.readline() == b"\r\n"
        yield sock


def release(sock: socket.socket) -> None:
    sock.sendall(b'c\r\n{"text":"a"}\r\n0\r\n\r\n')
    assert answer_of(sock)[0] == 201


def test_crowded(tmp_path: Path) -> None:
    """When requests wait long, newcomers are told in their dialect, at once, and may stay connected."""
    with (
        running(tmp_path, BUSY | NO_TURNS, GATEWAY_WORKERS="1", GATEWAY_THREADS="1") as server,
        held(server) as holder,
        opened(server, b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n") as (first,),
        opened(server, b"POST /v2/feedback HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{}"),
    ):
        health = b"HEAD /healthz HTTP/1.1\r\nHost: g\r\n\r\n"
        with opened(server, b"") as (other,):
            other.sendall(health)
            assert other.recv(100).startswith(b"HTTP/1.1 503 ")
        for path, dialect in DOORS.items():
            head = f"POST {path} HTTP/1.1\r\nHost: g\r\nOrigin: https://a.test\r\nContent-Length: 12\r\n\r\n"
            request = head.encode() + b'{"text":"a"}'
            with opened(server, request * 2) as (sock,), sock.makefile("rb", buffering=0) as stream:
                for _ in range(2):
                    status, headers, told = response_of(stream)
                    assert (status, headers["retry-after"], headers["connection"]) == (503, "2", "keep-alive")
                    assert headers["access-control-allow-origin"] == "*"
                    if dialect != "github":
                        check_dialect(dialect, json.loads(told), 503)
        release(holder)
        assert answer_of(first)[0] == 200
        ledger = server_outcomes(server)
        os.killpg(server.process.pid, signal.SIGKILL)  # it would wait for the request that gets no turn

    assert ledger["overloaded"] == 2 * len(DOORS)
    assert ledger["accepted"] == 1


def server_outcomes(server: Server) -> dict[str, int]:
    """The ledger's sums, once all is written that was counted so far."""
    sums: dict[str, int] = {}

    def written() -> bool:
        with server.client() as client:
            answer = client.get("/gateway/v1/outcomes", params={"by": "outcome"}).json()
        sums.update({row["outcome"]: row["requests"] for row in answer["data"]})
        return "overloaded" in sums

    until(written)
    return sums


@pytest.mark.long
def test_patience(tmp_path: Path) -> None:
    """Who waits too long for a turn or a thread is told 503, though no thread is free to say it."""
    hurried = {**BUSY, **NO_TURNS, "gateway.server.admission.CROWDED": 60.0}
    hurried["gateway.server.gevent_worker.PATIENCE"] = 0.5
    hurried["gateway.server.gevent_worker.STREAM_PATIENCE"] = 0.5
    whole = b"POST /v2/feedback HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{}"
    large = b"POST /v2/feedback HTTP/1.1\r\nHost: g\r\nContent-Length: 900000\r\n\r\n"
    with (
        running(tmp_path, hurried, GATEWAY_WORKERS="1", GATEWAY_THREADS="1") as server,
        held(server) as holder,
        opened(server, whole, large) as socks,
    ):
        for sock in socks:
            status, headers, body = answer_of(sock)
            assert (status, headers["retry-after"]) == (503, "2")
            check_dialect("orq", body, 503)
        release(holder)
        socks[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n")
        assert answer_of(socks[0])[0] == 200


@pytest.mark.parametrize("path", [path for path in DOORS if "hooks" not in path])
@pytest.mark.parametrize("query", [b"", b"?" + b"a" * 900, b"?" + b"a" * 3_000], ids=len)
def test_malformed_heads_are_told_in_the_paths_dialect(server: Server, path: str, query: bytes) -> None:
    """However long the line is that names it."""
    sent = b"POST " + path.encode() + query + b" HTTP/1.1\r\nHost: g\r\nno colon\r\n\r\n"
    with opened(server, sent) as (sock,):
        status, headers, body = answer_of(sock)
    assert (status, headers["connection"]) == (400, "close")
    check_dialect(DOORS[path], body, 400)


@pytest.mark.parametrize("flood", ["empty lines", "tiny chunks", "after the last answer"])
@pytest.mark.long
def test_who_always_sends_more_holds_up_nobody(tmp_path: Path, flood: str) -> None:
    """A client whose bytes are always there already leaves the others their turns."""
    chunks = b"1\r\nX\r\n" * 10_000
    head = b"POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
    beginning, more = {
        "empty lines": (b"", b"\r\n" * 30_000),
        "tiny chunks": (head, chunks),
        "after the last answer": (b"nonsense\r\n\r\n", b"x" * 60_000),
    }[flood]
    lingering = {"gateway.server.connection.LINGER": 60.0}
    with running(tmp_path, lingering, GATEWAY_WORKERS="1") as server, server.client() as client:
        assert client.get("/healthz").status_code == 200
        stop = threading.Event()
        with opened(server, beginning) as (sock,):
            sender = threading.Thread(target=send_on, args=(sock, more, stop))
            sender.start()
            answers = [client.post(PATH, json={"text": "in turn"}).status_code for _ in range(20)]
            stop.set()
            sock.shutdown(socket.SHUT_RDWR)
            sender.join()
    assert answers == [201] * 20


def send_on(sock: socket.socket, data: bytes, stop: threading.Event) -> None:
    with suppress(OSError):
        while not stop.is_set():
            sock.sendall(data)


def test_who_leaves_during_a_stream_leaves_no_traceback(server: Server) -> None:
    """And no slot: as many as there are threads leave, and the next one is answered."""
    with server.client() as client:
        lines = "\n".join(json.dumps({"text": f"line {n} " + "x" * 3_000}) for n in range(1_000))
        assert client.post(f"{PATH}/batch", content=lines).status_code == 200
        head = (
            f"GET /gateway/v1/export HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {server.tenant.key}\r\n\r\n"
        )
        before = len(server.lines)
        for _ in range(20):
            with opened(server, head.encode()) as (sock,):
                assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert client.get("/gateway/v1/export").text.count("line 999 ") == 1
    assert not [line for line in server.lines[before:] if "Traceback" in line]


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        (PATH, 10, 401),
        (f"{PATH}/batch", 10, 401),
        ("/v1/feedback", 10, 401),
        ("/api/v1/projects", 10, 401),
        (PATH, 99_000_000, 401),
        ("/hooks/github/abc", 99_000_000, 413),
        ("/nowhere", 10, 404),
    ],
)
def test_who_is_refused_keeps_the_body(server: Server, path: str, size: int, status: int) -> None:
    """A client that asks first hears that its key is not known, and not to send the body."""
    head = f"POST {path} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer no\r\nContent-Length: {size}\r\n"
    with connection(server) as (sock, stream):
        sock.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        told, headers, _ = response_of(stream)
        ended = stream.read()

    assert (told, headers["connection"], ended) == (status, "close", b"")


@pytest.mark.long
def test_descriptors_are_used_up(tmp_path: Path) -> None:
    """Idle connections make room for those who post, without a flood of lines, and all is well afterwards."""
    with running(tmp_path, GATEWAY_WORKERS="2") as server, ExitStack() as stack:
        url = httpx.URL(server.url)
        for number in range(40):  # each on a connection of its own: both workers have opened what they need
            httpx.post(server.url + PATH, json={"text": f"before {number}"}, headers=server.headers)
        for worker in until(lambda: children(server.process.pid)):
            used = len(os.listdir(f"/proc/{worker}/fd")) + 10
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (used, used))
        for _ in range(60):
            stack.enter_context(socket.create_connection((url.host, url.port or 80)))
        ids, statuses = set(), set()
        while len(ids) < 20:
            answer = httpx.post(server.url + PATH, json={"text": f"{len(ids)}"}, headers=server.headers)
            statuses.add(answer.status_code)
            if answer.status_code == 201:
                ids.add(answer.json()["id"])
        assert statuses <= {201, 503}
        stack.close()
        with server.client() as client:
            until(lambda: client.post(PATH, json={"text": "after"}).status_code == 201)
            assert {row["id"] for row in client.get(f"{PATH}?limit=200").json()["data"]} > ids
    told = [line for line in server.lines if "listens" not in line]

    assert 1 <= sum("no connection can be accepted" in line for line in told) <= 2
    assert "Traceback" not in "".join(told)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    stats = {int(path.parent.name): path for path in Path("/proc").glob("[0-9]*/stat")}
    found = []
    for number, path in stats.items():
        with suppress(OSError):
            if path.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append(number)
    return found
