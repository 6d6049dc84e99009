"""A worker's answers on the wire: in one piece, never split, never late, and nothing behind the last one."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.config import Config
from gunicorn.glogging import Logger

from gateway.core import cooperative
from gateway.server import connection
from gateway.server.admission import Admission
from gateway.server.gevent_worker import Worker, _Server

DOOR = b"POST /v1/feedback HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{}"
PAGE = b"GET /page HTTP/1.1\r\nHost: g\r\n\r\n"
STREAMED = b"POST /page HTTP/1.1\r\nHost: g\r\nContent-Length: 900000\r\n\r\n"
CLIENT = ("192.0.2.7", 4711)


class Counted(socket.socket):  # type: ignore[misc]  # gevent has no types
    """A socket that notes what is sent at once."""

    sent: list[bytes]

    def send(self, data: Any, *args: Any) -> int:
        self.sent.append(bytes(data))
        return int(super().send(data, *args))


class Served:
    """A worker with an application of the test's, and a connection to it."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.environs: list[dict[str, Any]] = []
        self.answer: Any = ("200 OK", [("Content-Length", "2")], [b"ok"])
        ours, self.sock = socket.socketpair()
        self.ours = Counted(ours.family, ours.type, ours.proto, fileno=ours.detach())
        self.ours.sent = []
        self.sock.settimeout(20)
        self.serving: Any = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.environs.append(environ)
        told = self.answer(environ) if callable(self.answer) else self.answer
        start_response(*told[:2])
        return told[2]

    def send(self, data: bytes) -> None:
        if self.serving is None:
            listener = SimpleNamespace(getsockname=lambda: ("127.0.0.1", 8080))
            self.serving = gevent.spawn(self.worker.handle, listener, self.ours, CLIENT)
        self.sock.sendall(data)

    def read(self, until: bytes) -> bytes:
        """What is answered up to the first of these bytes, or all when the connection ends before."""
        data = b""
        while until not in data and (more := self.sock.recv(65_536)):
            data += more
        return data

    def rest(self) -> bytes:
        """All that is answered until the connection ends."""
        self.sock.shutdown(socket.SHUT_WR)
        return self.read(b"\0never\0")

    def ask(self, data: bytes) -> bytes:
        self.send(data)
        return self.rest()


@pytest.fixture(name="served")
def _served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr("gateway.server.early_errors.outcomes.count", lambda *told: None)
    monkeypatch.setattr("gateway.server.gevent_worker.active_model.watch", lambda leaving: None)
    monkeypatch.setattr(connection, "LINGER", 0.2)
    cfg = Config()
    cfg.set("keepalive", 75)
    cfg.set("http_parser", "fast")
    app = SimpleNamespace(config=SimpleNamespace(cors_origins=""))
    worker = Worker(1, os.getppid(), [], app, 30, cfg, Logger(cfg))
    served = Served(worker)
    app.wsgi = lambda: served
    worker.load_wsgi()
    worker.connections = Pool(10)
    try:
        yield served
        served.sock.close()
        if served.serving is None:
            served.ours.close()
        else:
            served.serving.join(timeout=20)
            assert served.serving.ready()
    finally:
        cooperative.end()
        worker.tmp.close()


@pytest.mark.parametrize("request_", [DOOR, PAGE], ids=["door", "page"])
def test_an_answer_goes_out_in_one_piece(served: Served, request_: bytes) -> None:
    served.answer = ("201 CREATED", [("Content-Length", "4"), ("X-A", "b")], [b"{}\r\n"])
    heard = served.ask(request_)
    assert served.ours.sent == [heard]
    head, _, body = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 201 CREATED\r\n")
    assert b"\r\nConnection: keep-alive\r\n" in head
    assert (b"X-A: b" in head, body) == (True, b"{}\r\n")


@pytest.mark.parametrize("request_", [DOOR, PAGE], ids=["door", "page"])
@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b", "a\x7fb", "\u20ac"])
@pytest.mark.parametrize("place", ["name", "value"])
def test_no_answer_is_split(served: Served, request_: bytes, value: str, place: str) -> None:
    """A header that would end early, or that no header can hold, is never sent; the sender hears 500."""
    header = (value, "a") if place == "name" else ("X-A", value)
    served.answer = ("200 OK", [("Content-Length", "2"), header], [b"ok"])
    head, _, body = served.ask(request_).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 ")
    assert b"\r\nConnection: close" in head
    assert b"Set-Cookie" not in head
    assert json.loads(body)


@pytest.mark.parametrize(
    ("method", "status"), [("POST", "204 NO CONTENT"), ("GET", "304 NOT MODIFIED"), ("HEAD", "200 OK")]
)
def test_bodies_that_must_not_be(served: Served, method: str, status: str) -> None:
    """Nothing stands behind such a head but the next answer."""
    served.answer = (status, [("X-A", "b")], [])
    request = f"{method} /page HTTP/1.1\r\nHost: g\r\n\r\n".encode()
    heads = served.ask(request * 2).split(b"\r\n\r\n")
    assert [head.partition(b"\r\n")[0] for head in heads] == [f"HTTP/1.1 {status}".encode()] * 2 + [b""]
    assert b"chunked" not in heads[0].lower()


@pytest.mark.parametrize(
    "why", ["application", "old client", "client", "client's list", "worker", "unread body"]
)
def test_the_end_of_a_connection(served: Served, why: str) -> None:
    """Whoever ends it, the answer says so, and nothing that comes behind it is answered."""
    request = DOOR
    if why == "application":
        served.answer = ("200 OK", [("Connection", "close"), ("Content-Length", "2")], [b"ok"])
    elif why == "old client":
        request = DOOR.replace(b"HTTP/1.1", b"HTTP/1.0")
    elif why == "client":
        request = DOOR.replace(b"Host: g", b"Host: g\r\nConnection: close")
    elif why == "client's list":
        request = DOOR.replace(b"Host: g", b"Host: g\r\nConnection: foo\r\nconnection: keep-alive, Close")
    elif why == "worker":
        served.worker.alive = False
    else:
        request = STREAMED + b"x" * 70_000
    heard = served.ask(request + DOOR)
    assert heard.count(b"HTTP/1.") == 1
    assert b"\r\nConnection: close\r\n" in heard


def test_a_malformed_body_has_one_answer(served: Served) -> None:
    """Also when the answer had been given before the body was read that far."""
    served.answer = lambda environ: ("200 OK", [("Content-Length", "2")], [b"ok"])
    large = b"%x\r\n%s\r\n" % (70_000, b"x" * 70_000)
    head = b"POST /page HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
    heard = served.ask(head + large + b"zz\r\n" + DOOR)
    assert (heard.count(b"HTTP/1.1 "), heard.count(b"Connection: close")) == (1, 1)


@pytest.mark.parametrize(
    ("path", "body", "shared"),
    [
        (b"/v1/feedback", b'{"text":"' + b"x" * 60_000 + b'"}', True),
        (b"/hooks/alertmanager/hk_1", json.dumps({"alerts": [{}] * 100}).encode(), True),
        (b"/hooks/alertmanager/hk_1", json.dumps({"alerts": [{}] * 1400}).encode(), False),
        (b"/hooks/generic/hk_1", b"{}", True),
    ],
)
def test_where_a_delivery_is_answered(served: Served, path: bytes, body: bytes, shared: bool) -> None:
    """What may become many records holds up no others."""
    seen = []

    def answer(environ: dict[str, Any]) -> Any:
        seen.append(cooperative.shares_thread())
        return "200 OK", [("Content-Length", "2")], [b"ok"]

    served.answer = answer
    served.ask(b"POST %b HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n%b" % (path, len(body), body))

    assert seen == [shared]


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"zz\r\n", b""], ids=["whole", "malformed", "early end"])
def test_a_streamed_body(served: Served, end: bytes) -> None:
    """It is read in a thread; what is wrong with it is told, whatever has been read of it."""

    def answer(environ: dict[str, Any]) -> Any:
        seen.append(environ["wsgi.input"].read())
        return ("200 OK", [("Content-Length", "2")], [b"ok"])

    seen: list[bytes] = []
    served.answer = answer
    large = b"%x\r\n%s\r\n" % (70_000, b"x" * 70_000)
    head = b"POST /page HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
    heard = served.ask(head + large * 2 + end)
    assert seen == ([b"x" * 140_000] if end == b"0\r\n\r\n" else [])
    assert heard.startswith(b"HTTP/1.1 200 " if seen else b"HTTP/1.1 500 ")  # the application tells 400
    assert (b"Connection: close" in heard) is not bool(seen)


def test_no_piece_is_late(served: Served) -> None:
    """A stream's piece is with the client before the next one is made."""
    heard_first = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"first"
        assert heard_first.wait(20)
        yield b"second"

    served.answer = ("200 OK", [], pieces())
    served.send(PAGE)
    heard = served.read(b"first\r\n")
    assert b"second" not in heard
    heard_first.set()
    assert served.read(b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"


@pytest.mark.parametrize("good", [0, 1])
def test_a_stream_that_fails(served: Served, good: int) -> None:
    """Before its first piece the sender hears 500; after that the answer breaks off, and seems not whole."""

    def pieces() -> Iterator[bytes]:
        yield from [b"good"] * good
        raise ValueError("no more")

    served.answer = ("200 OK", [], pieces())
    heard = served.ask(PAGE)
    assert heard.startswith(b"HTTP/1.1 200 " if good else b"HTTP/1.1 500 ")
    assert heard.count(b"HTTP/1.1 ") == 1
    assert not heard.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("fails", ["at once", "later", "its head", "never"])
def test_a_stream_is_closed(served: Served, fails: str) -> None:
    """Once, however it ends."""
    closed: list[bool] = []

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            if fails == "at once":
                raise ValueError
            yield b"first"
            if fails == "later":
                raise ValueError

        def close(self) -> None:
            closed.append(threading.current_thread() is threading.main_thread())

    served.answer = ("200 OK", [("X-A", "a\nb" if fails == "its head" else "b")], Pieces())
    served.ask(PAGE)
    assert closed == [False]


class Younger:
    """A connection that has not waited long."""

    def end(self) -> None:
        pytest.fail("made room")


def test_who_arrives_longest_makes_room(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it sends a byte now and then: what counts is when its request began."""
    monkeypatch.setattr("gateway.server.gevent_worker.SETTLED", 0.0)
    served.send(b"GET / HT")
    while not served.worker.arriving:
        gevent.sleep(0.001)
    (slow,) = served.worker.arriving
    other: Any = Younger()
    served.worker.arriving[other] = served.worker.arriving[slow] + 1
    began = served.worker.arriving.pop(slow)
    served.worker.arriving[slow] = began  # behind the other one, as after its next byte
    served.worker.connections = Pool(0)
    served.worker._make_room()
    del served.worker.arriving[other]
    assert served.read(b"\r\n\r\n").startswith(b"HTTP/1.1 408 ")


def test_who_makes_room_between_two_reads(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is told to end while some of the head is on its way hears 408 as well: it is not to blame."""
    wait = connection.Connection._wait

    def ending(conn: connection.Connection, size: int, seconds: float) -> bytes:
        if conn in served.worker.arriving:
            conn.end()
        return wait(conn, size, seconds)

    monkeypatch.setattr(connection.Connection, "_wait", ending)
    assert served.ask(b"GET / HT").startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "path", ["/v1/feedback", "/v1/feedb%61ck", "/%761/feedback", "/%2Fv1/feedback", "//v1/feedback"]
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_door_by_any_name(served: Served, monkeypatch: pytest.MonkeyPatch, path: str, whole: bool) -> None:
    """What is refused early at a door is counted and told in its dialect, however its path is written."""
    counted: list[str] = []
    monkeypatch.setattr(
        "gateway.server.early_errors.outcomes.count", lambda adapter, *told: counted.append(adapter.name)
    )
    served.worker.threads = served.worker.deliveries = Admission(0, 0.0, 0)
    head = f"POST {path} HTTP/1.1\r\nHost: g\r\n".encode()
    told = served.ask(head + (b"Content-Length: 2\r\n\r\n{}" if whole else b"no colon\r\n\r\n"))

    assert told.startswith(b"HTTP/1.1 503 " if whole else b"HTTP/1.1 400 ")
    assert b'{"error":{"code":' in told
    assert counted == ["fluister"]


def test_an_answer_that_nobody_takes(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection ends, however much is left of it."""
    monkeypatch.setattr(connection, "STALLED", 0.05)
    size = 50_000_000
    served.answer = ("200 OK", [("Content-Length", str(size))], [b"x" * size])
    served.send(PAGE)
    served.serving.join(timeout=20)
    assert served.serving.ready()
    assert len(served.rest()) < size


def test_a_slow_reader_is_not_taken_for_one_who_left(served: Served) -> None:
    """A socket can be written to again when a third of its buffer is free: in time at 9 kB a second."""
    served.ask(PAGE)
    assert connection.ANSWER_BUFFER * 2 / 3 / connection.STALLED < 9_000
    with socket.socket() as sock:
        connection.Connection(sock, served.worker)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= connection.ANSWER_BUFFER * 2


def test_a_stream_waits_for_its_reader_in_no_thread(served: Served) -> None:
    """Between two pieces the threads are free for others, and its end is made in one as well."""
    made: list[bool] = []

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(3):
                made.append(threading.current_thread() is threading.main_thread())
                yield b"x" * 3_000_000

        def close(self) -> None:
            made.append(threading.current_thread() is threading.main_thread())

    served.answer = ("200 OK", [], Pieces())
    served.send(PAGE)
    while not served.worker.sending:
        gevent.sleep(0.001)
    assert served.worker.threads.crowded() is False
    assert served.worker.threads._free.counter == served.worker.cfg.threads
    assert served.read(b"0\r\n\r\n").endswith(b"\r\n0\r\n\r\n")
    while len(made) < 4:  # the end is made when the last piece has gone
        gevent.sleep(0.001)
    assert made == [False] * 4


def test_who_does_not_read_makes_room(served: Served) -> None:
    served.answer = ("200 OK", [("Content-Length", "9000000")], [b"x" * 9_000_000])
    served.send(PAGE)
    while not served.worker.sending:
        gevent.sleep(0.001)
    (conn,) = served.worker.sending
    conn.end()
    served.serving.join(timeout=20)
    assert served.serving.ready()


def test_each_request_has_a_context_of_its_own(served: Served) -> None:
    from contextvars import ContextVar

    seen: list[str] = []
    name = ContextVar[str]("name", default="nobody")

    def answer(environ: dict[str, Any]) -> Any:
        seen.append(name.get())
        name.set("somebody")
        return ("200 OK", [("Content-Length", "2")], [b"ok"])

    served.answer = answer
    served.ask(DOOR * 2 + PAGE * 2)
    assert seen == ["nobody"] * 4


def test_where_requests_are_answered(served: Served) -> None:
    """Small deliveries in the worker's own thread, everything else in others."""
    threads: list[bool] = []

    def answer(environ: dict[str, Any]) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return ("200 OK", [("Content-Length", "2")], [b"ok"])

    served.answer = answer
    batch = DOOR.replace(b"/v1/feedback", b"/gateway/v1/feedback/batch")
    spelled = DOOR.replace(b"/v1/feedback", b"/fluister/v1/%66eedback/")
    served.ask(DOOR + spelled + batch + DOOR.replace(b"POST", b"GET") + PAGE)
    assert threads == [True, True, False, False, False]


def test_no_descriptor_for_a_connection(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is idle longest makes room, tries become rarer, and the log has one line about all of them."""
    left, pauses, taken, ended = [5], [], [], []

    def accept(server: Any) -> Any:
        pauses.append(server.delay)
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(server)

    real = StreamServer.do_read
    monkeypatch.setattr(StreamServer, "do_read", accept)
    monkeypatch.setattr(served.worker, "_end_one", lambda: ended.append(True))
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)  # it is the standard library's, which would wait for a second client
        server = _Server(listener, lambda *client: taken.append(client))
        server.without_descriptors = served.worker._without_descriptors
        server.start()
        with closing(socket.create_connection(listener.getsockname())):
            while not taken:
                gevent.sleep(0.001)
        server.stop()
    taken[0][0].close()
    told = [record.getMessage() for record in caplog.records]

    assert told == ["no connection can be accepted"]
    assert len(ended) == 5
    assert pauses[:6] == sorted(set(pauses[:6]))


def test_call_budget(served: Served) -> None:
    """Between connection and application a delivery calls so many functions of Python, and no more."""
    called: list[str] = []

    def note(frame: Any, event: str, arg: Any) -> None:
        if event == "call":
            called.append(frame.f_code.co_qualname)

    sys.setprofile(note)  # before there is a greenlet for the connection
    try:
        served.send(DOOR)
        served.read(b"ok")
        while not served.worker.idle:
            gevent.sleep()
        called.clear()
        served.send(DOOR)
        served.read(b"ok")
        calls = len(called)
    finally:
        sys.setprofile(None)
    served.rest()

    assert calls <= 145, sorted(called[:calls])
