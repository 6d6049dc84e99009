"""The running gateway: start, drain, kill, and bodies as they really arrive on a socket."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import brotli
import httpx
import pytest

from gateway.server.gevent_worker import Worker
from gateway.server.gunicorn_app import _Arbiter
from tests.conftest import ROOT, Server, environ_of, running

PATH = "/gateway/v1/feedback"
POSTS = [pytest.param(count, marks=pytest.mark.long) for count in (300, 2_000)]


def test_numbers_of_all_workers(server: Server) -> None:
    """What any worker has counted is told by whichever is asked, each request once."""

    def counted() -> float:
        text = httpx.get(f"{server.url}/metrics").text
        assert "gateway_limits_fallbacks_total 0.0" in text
        name = 'gateway_requests_total{outcome="accepted",source="native"} '
        return next((float(line.removeprefix(name)) for line in text.splitlines() if name in line), 0.0)

    before = counted()
    for number in range(20):  # each on a connection of its own, so that every worker gets some
        sent = {"text": f"Count {number}"}
        answer = httpx.post(f"{server.url}{PATH}", json=sent, headers=server.headers)
        assert answer.status_code == 201
    assert counted() == before + 20


def test_says_where_it_listens_and_is_ready(server: Server) -> None:
    """serve prints its address once it listens, and is alive and ready from then on."""
    ready = httpx.get(f"{server.url}/readyz")

    assert sum("listens on" in line for line in server.lines) == 1
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "ok"}
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")


def test_bad_setting_stops_the_start(tmp_path: Path) -> None:
    """A bad setting ends the start with one clear line."""
    environ = environ_of(tmp_path, GATEWAY_WORKERS="none")
    command = [sys.executable, "-m", "gateway.cli", "serve"]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.strip() == "Error: GATEWAY_WORKERS: must be a whole number"


@pytest.mark.parametrize("posts", POSTS)
def test_killed_in_the_middle_of_many_posts(tmp_path: Path, posts: int) -> None:
    """After SIGKILL every acknowledged record is there, once; sending all again makes each of them once."""
    acknowledged: dict[int, str] = {}
    killed = threading.Event()

    def report(post: Callable[..., httpx.Response], n: int) -> None:
        body = {"text": f"Report {n} does not load", "external_id": str(n)}
        with contextlib.suppress(httpx.TransportError):
            answer = post(PATH, json=body, headers={"Idempotency-Key": f"k{n}"})
            assert answer.status_code == 201
            acknowledged[n] = answer.json()["id"]
            if len(acknowledged) >= posts // 3 and not killed.is_set():
                killed.set()
                os.killpg(server.process.pid, signal.SIGKILL)

    with running(tmp_path) as server, server.posting() as post, ThreadPoolExecutor(16) as pool:
        sent = [pool.submit(report, post, n) for n in range(posts)]
        for done in sent:
            done.result()
        server.process.wait()
    assert posts // 3 <= len(acknowledged) < posts
    first = dict(acknowledged)

    with running(tmp_path) as server, server.posting() as post, ThreadPoolExecutor(16) as pool:
        stored = rows(tmp_path)
        assert {n: stored[str(n)] for n in first} == {n: [record_id] for n, record_id in first.items()}
        for done in [pool.submit(report, post, n) for n in range(posts)]:
            done.result()
        with server.client() as client:
            listed = listed_ids(client)

    assert {n: acknowledged[n] for n in first} == first
    assert len(acknowledged) == posts
    assert sorted(acknowledged.values()) == sorted(listed)
    assert all(len(ids) == 1 for ids in rows(tmp_path).values())


def rows(directory: Path) -> dict[str, list[str]]:
    """The ids stored for each external id."""
    found: dict[str, list[str]] = {}
    with contextlib.closing(sqlite3.connect(directory / "gateway.db")) as database:
        for external_id, record_id in database.execute("SELECT external_id, id FROM feedback"):
            found.setdefault(external_id, []).append(record_id)
    return found


def listed_ids(client: httpx.Client) -> list[str]:
    """Every id in the list, page by page."""
    ids: list[str] = []
    cursor = None
    while True:
        page = client.get(PATH, params={"limit": 200} | ({"cursor": cursor} if cursor else {})).json()
        ids += [record["id"] for record in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return ids


def test_sigterm_drains(tmp_path: Path) -> None:
    """SIGTERM lets a request that has begun finish, stored and answered, and then the process ends with 0."""
    body = json.dumps({"text": "Half of this arrives after the signal"}).encode()
    with running(tmp_path) as server:
        with connection(server) as (sock, stream):
            head = request_head(server, f"Content-Length: {len(body)}", "Expect: 100-continue")
            sock.sendall(head + body[:10])
            assert stream.readline().startswith(b"HTTP/1.1 100")
            assert stream.readline() == b"\r\n"
            server.process.send_signal(signal.SIGTERM)
            sock.sendall(body[10:])
            status, _, answer = response_of(stream)
        code = server.process.wait(timeout=60)

    assert (status, code) == (201, 0), server.lines
    assert list(rows(tmp_path).values()) == [[json.loads(answer)["id"]]]


@pytest.mark.long
def test_sigterm_as_soon_as_it_listens(tmp_path: Path) -> None:
    """Workers that are still starting hear it, too."""
    for _ in range(3):
        with running(tmp_path, GATEWAY_WORKERS="3") as server:
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(timeout=20) == 0


def test_a_signal_waits_for_the_workers_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between fork and handlers of its own a worker would take it for its master's."""
    held: list[set[int]] = []
    monkeypatch.setattr(
        "gunicorn.arbiter.Arbiter.spawn_worker",
        lambda arbiter: held.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    _Arbiter.spawn_worker(object.__new__(_Arbiter))
    assert signal.SIGTERM in held[0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        monkeypatch.setattr("gunicorn.workers.ggevent.GeventWorker.init_signals", lambda worker: None)
        Worker.init_signals(object.__new__(Worker))
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_chunked_body(server: Server) -> None:
    """A chunked body without Content-Length is read whole."""
    body = json.dumps({"text": "chunk " * 1000}).encode()
    parts = [body[at : at + 700] for at in range(0, len(body), 700)]
    with server.client() as client:
        answer = client.post(PATH, content=iter(parts))

    assert answer.status_code == 201
    assert answer.json()["text"] == "chunk " * 1000


@pytest.mark.parametrize("path", [PATH, "/api/v1/feedback", "/v2/feedback", "/v1/feedback"])
def test_chunked_body_over_the_limit(server: Server, path: str) -> None:
    """A chunked body over the limit is refused, not silently cut to what fits."""

    def endless() -> Iterator[bytes]:
        yield b'{"text":"'
        for _ in range(40):
            yield b"x" * 50_000
        yield b'"}'

    with server.client() as client:
        answer = client.post(path, content=endless())

    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("application/")
    assert "1048576" in answer.text


@pytest.mark.parametrize(("name", "code"), [("gzip", gzip.compress), ("br", brotli.compress)])
def test_coded_body(server: Server, name: str, code: type) -> None:
    """gzip and br bodies are decoded."""
    body = code(json.dumps({"text": "packed words"}).encode())
    with server.client() as client:
        answer = client.post(PATH, content=body, headers={"Content-Encoding": name})

    assert answer.json()["text"] == "packed words"


def test_connection_after_refusals(server: Server) -> None:
    """One connection serves request after request, refused ones included."""
    statuses = []
    with server.client(limits=httpx.Limits(max_connections=1)) as client:
        for body in (b"{}", b'{"text":"a"}', b"x" * 1_100_000, b"{", b'{"text":"b"}', b""):
            statuses.append(client.post(PATH, content=body).status_code)

    assert statuses == [400, 201, 413, 400, 201, 400]


def test_refusal_of_an_unread_body_ends_the_connection(server: Server) -> None:
    """A 413 says that the connection ends, since the rest of the body was not read."""
    with server.client() as client:
        answer = client.post(PATH, content=b"x" * 5_000_000)

    assert (answer.status_code, answer.headers["connection"]) == (413, "close")


NO_HTTP = {
    b"NONSENSE\r\n\r\n": 400,
    b"GET / HTTP/9.9\r\n\r\n": 400,
    b"POST /v2/feedback HTTP/1.1\r\nHost: g\r\nContent-Length: many\r\n\r\n": 400,
    b"POST /v2/feedback HTTP/1.1\r\nHost: g\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
    b"POST /v2/feedback HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: zip\r\n\r\n": 400,
    b"POST /v2/feedback HTTP/1.1\r\nHost: g\r\nBad Header: 1\r\n\r\n": 400,
    b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: g\r\n\r\n": 414,
    b"GET / HTTP/1.1\r\nHost: g\r\nX: " + b"a" * 50_000 + b"\r\n\r\n": 431,
    b"GET / HTTP/1.1\r\nHost: g\r\nExpect: magic\r\n\r\n": 417,
    b"POST /v2/feedback HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": 400,
    b"POST /v2/feedback HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}xxx\r\n": 400,
}


@pytest.mark.parametrize(("sent", "status"), NO_HTTP.items(), ids=lambda value: repr(value)[:60])
def test_what_is_no_http(server: Server, sent: bytes, status: int) -> None:
    """What is not valid HTTP is refused with JSON and a request id, never with HTML."""
    with connection(server) as (sock, stream):
        sock.sendall(sent)
        got, headers, body = response_of(stream)

    assert got == status
    assert headers["content-type"] in ("application/json", "application/problem+json")
    assert headers["request-id"].startswith("req_")
    assert json.loads(body)


@pytest.mark.long
def test_disconnect_in_the_middle_stores_nothing(server: Server) -> None:
    """A sender that vanishes before its body is complete leaves no record and does not disturb others."""
    with server.client() as client:
        before = listed_ids(client)
        with connection(server) as (sock, _):
            sock.sendall(request_head(server, "Content-Length: 500") + b'{"text":"cut')
        after = client.post(PATH, json={"text": "still here"})

        assert after.status_code == 201
        assert listed_ids(client) == [after.json()["id"], *before]


@contextlib.contextmanager
def connection(server: Server) -> Iterator[tuple[socket.socket, socket.SocketIO]]:
    url = httpx.URL(server.url)
    address = (url.host, url.port or 80)
    with (
        socket.create_connection(address, timeout=60) as sock,
        sock.makefile("rb", buffering=0) as stream,
    ):
        yield sock, stream


def request_head(server: Server, *headers: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {server.tenant.key}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def response_of(stream: socket.SocketIO) -> tuple[int, dict[str, str], bytes]:
    status = int(stream.readline().split()[1])
    headers: dict[str, str] = {}
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = b""
    while len(body) < int(headers["content-length"]):
        body += stream.read(int(headers["content-length"]) - len(body))
    return status, headers, body
