"""The guarded sender against other sides that mean ill: real sockets, real TLS, a resolver that lies."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from gateway.core import outbound, outbound_connection
from gateway.core.config import Config
from gateway.core.outbound import Forbidden, Refused, TooLarge, Unreachable
from gateway.core.outbound_rules import Rules
from tests.receivers import Act, Authority, answering, listening, resolving, trusted

HERE = "127.0.0.1"


@pytest.fixture(autouse=True)
def _allowed() -> Iterator[None]:
    """What is sent to 127.0.0.1, and to nothing else of this machine."""
    outbound.connect(Config(outbound_allow=HERE))
    yield
    outbound.connect(Config())


@pytest.fixture(name="authority")
def _authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    with trusted(tmp_path, monkeypatch) as made:
        yield made


def test_a_name_is_resolved_once(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose second answer is another address is connected to at its first; that one was checked."""
    asked, other = [], []
    tls = authority.serving("hooks.example")
    monkeypatch.setattr(socket, "getaddrinfo", resolving(hooks_example=[HERE, "127.0.0.2", HERE]))
    with (
        listening(answering("200 OK", body=b"yes", seen=asked), tls) as port,
        listening(answering("200 OK", seen=other), tls, "127.0.0.2", port),
    ):
        answer = outbound.request("POST", f"https://hooks.example:{port}/a?b=c", {"X-A": "1"}, b"words")
        with pytest.raises(Forbidden, match=r"hooks\.example leads to"):
            outbound.request("POST", f"https://hooks.example:{port}/", {}, b"words")

    assert (answer.status, answer.body, answer.headers) == (200, b"yes", {"content-length": "3"})
    head, _, body = asked[0].decode().partition("\r\n\r\n")
    assert head.startswith("POST /a?b=c HTTP/1.1\r\n") and body == "words"
    assert {f"Host: hooks.example:{port}", "X-A: 1"} <= {*head.split("\r\n")}
    assert len(asked) == 1 and other == []


def test_every_address_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads to a forbidden address beside an allowed one is sent nothing."""
    seen: list[bytes] = []
    monkeypatch.setattr(socket, "getaddrinfo", resolving(two_example=[f"{HERE} 169.254.169.254"] * 2))
    with listening(answering("200 OK", seen=seen)) as port:
        with pytest.raises(Forbidden):
            outbound.request("POST", f"https://two.example:{port}/", {}, b"")
        with pytest.raises(Forbidden):
            outbound.check(f"https://two.example:{port}/")
    assert seen == []


def test_the_next_address_is_tried(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens at the first address of a name, the second one is asked, still as that name."""
    outbound.connect(Config(outbound_allow="two.example"))
    monkeypatch.setattr(socket, "getaddrinfo", resolving(two_example=[f"127.0.0.3 {HERE}"]))
    with listening(answering("204 No Content"), authority.serving("two.example")) as port:
        assert outbound.request("POST", f"https://two.example:{port}/", {}, b"").status == 204


@pytest.mark.parametrize("served", ["other.example", "127.0.0.1"])
def test_the_certificate_is_the_names(authority: Authority, served: str) -> None:
    """A server that proves to be another one is told nothing, though the address is the right one."""
    seen: list[bytes] = []
    outbound.connect(Config(outbound_allow="localhost"))
    with (
        listening(answering("200 OK", seen=seen), authority.serving(served)) as port,
        pytest.raises(Unreachable, match="certificate"),
    ):
        outbound.request("POST", f"https://localhost:{port}/", {"Authorization": "secret"}, b"secret")
    assert seen == []


def test_an_authority_that_nobody_knows(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate of an unknown authority is none."""
    outbound.connect(Config(outbound_allow="localhost"))
    with (
        monkeypatch.context() as patched,  # which ends before the authority's own does: nothing is left of it
        listening(answering("200 OK"), authority.serving("localhost")) as port,
        pytest.raises(Unreachable, match="certificate"),
    ):
        patched.delenv("SSL_CERT_FILE")
        outbound_connection.tls.cache_clear()
        outbound.request("GET", f"https://localhost:{port}/", {})


def test_a_handshake_that_never_ends() -> None:
    """Who takes a connection and says nothing is not waited for."""
    with listening(answering("200 OK")) as port, pytest.raises(Unreachable, match="did not answer in time"):
        outbound.request("GET", f"https://{HERE}:{port}/", {}, connect=0.2)


def test_redirects_are_answers() -> None:
    """A redirect, to the cloud's credentials or anywhere, is an answer like another; it brings no file."""
    seen: list[bytes] = []
    moved = answering("307 Moved", "Location: http://169.254.169.254/latest", "Set-Cookie: a=b", seen=seen)
    with listening(moved) as port:
        assert outbound.request("POST", f"http://{HERE}:{port}/", {}, b"x").status == 307
        with (
            pytest.raises(Refused, match="307, and is not followed"),
            outbound.fetch(f"http://{HERE}:{port}/", 9),
        ):
            pass
    assert len(seen) == 2 and b"cookie" not in seen[1].lower()


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name itself: nothing is sent to the one that the environment names."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with listening(answering("200 OK")) as port:
        assert outbound.request("GET", f"http://{HERE}:{port}/", {}).status == 200


def dripping(first: bytes, drop: bytes) -> Act:
    """Sends a byte or a line again and again until the other side goes."""
    gone = threading.Event()

    def act(sock: socket.socket, request: bytes) -> None:
        sock.sendall(first)
        while not gone.wait(0.01):
            sock.sendall(drop)

    return act


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: a\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"H", b""),
    ],
    ids=["a header", "headers", "interim answers", "silence"],
)
def test_a_head_that_never_ends(first: bytes, drop: bytes) -> None:
    """Whatever drips in place of an answer, the request ends with its time, or with too much of it."""
    with listening(dripping(first, drop)) as port, pytest.raises(Unreachable, match="did not answer"):
        outbound.request("GET", f"http://{HERE}:{port}/", {}, timeout=0.4)


@pytest.mark.parametrize("tls", [False, True])
def test_a_body_that_never_ends(authority: Authority, tls: bool) -> None:
    """Of a body that drips, what came in time is the answer's; a file is none."""
    outbound.connect(Config(outbound_allow="localhost"))
    act = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"a")
    with listening(act, authority.serving("localhost") if tls else None) as port:
        url = f"{'https' if tls else 'http'}://localhost:{port}/"
        answer = outbound.request("GET", url, {}, timeout=0.4)
        assert answer.status == 200 and set(answer.body) == {ord("a")}
        with (
            pytest.raises(Unreachable, match=r"in 0\.4 seconds"),
            outbound.fetch(url, 1_000_000, timeout=0.4) as chunks,
        ):
            b"".join(chunks)


def endless(sock: socket.socket, request: bytes) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(16_384):
        sock.sendall(bytes(65_536))


def test_a_large_answer() -> None:
    """Of a gigabyte the beginning is read."""
    with listening(endless) as port:
        answer = outbound.request("GET", f"http://{HERE}:{port}/", {}, most=1_000)
        assert answer.body == bytes(1_000)
        with pytest.raises(TooLarge, match="1073741824"), outbound.fetch(f"http://{HERE}:{port}/", 10**6):
            pass


def test_a_file_larger_than_it_says() -> None:
    """Without a length the file ends with the chunk that is too much; nothing is decompressed."""

    def act(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n")
        for _ in count():
            sock.sendall(b"10000\r\n" + bytes(65_536) + b"\r\n")

    with (
        listening(act) as port,
        pytest.raises(TooLarge, match="more than 1000000"),
        outbound.fetch(f"http://{HERE}:{port}/", 1_000_000) as chunks,
    ):
        assert sum(len(chunk) for chunk in chunks) <= 1_000_000


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 2",
        b"220 smtp.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: a\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "a part", "no HTTP", "many headers", "a long header"],
)
def test_what_is_no_answer(answer: bytes) -> None:
    """A connection that ends, or says what no answer begins with, is no answer."""
    with (
        listening(lambda sock, request: sock.sendall(answer)) as port,
        pytest.raises(Unreachable),
    ):
        outbound.request("GET", f"http://{HERE}:{port}/", {})


def test_a_file_that_breaks_off() -> None:
    """A file that is shorter than was said, and one whose connection is reset, are not taken for whole."""

    def reset(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def short(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    def chunked(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\na")

    for act in (reset, short, chunked):
        with (
            listening(act) as port,
            pytest.raises(Unreachable),
            outbound.fetch(f"http://{HERE}:{port}/", 100) as chunks,
        ):
            b"".join(chunks)


def test_a_file() -> None:
    """A file comes whole, with the headers that were asked for; one that is not there is refused."""
    seen: list[bytes] = []
    with listening(answering("200 OK", body=b"a" * 100_000, seen=seen)) as port:
        with outbound.fetch(f"http://{HERE}:{port}/f", 100_000, {"Authorization": "Bearer b"}) as chunks:
            assert b"".join(chunks) == b"a" * 100_000
        assert b"\r\nAuthorization: Bearer b\r\n" in seen[0]
    with (
        listening(answering("404 Not Found")) as port,
        pytest.raises(Refused, match="answered 404") as refused,
        outbound.fetch(f"http://{HERE}:{port}/f", 9),
    ):
        pass
    assert refused.value.status == 404


def test_names_that_are_not_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that answers nothing, or never, leaves a name unreachable; it is no reason to refuse one."""
    with pytest.raises(Unreachable, match="cannot be resolved"):
        outbound.request("GET", "https://nobody.invalid/", {})
    outbound.check("https://nobody.invalid/")

    told = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: told.wait(60) and [])
    with pytest.raises(Unreachable, match="resolved in time"):
        outbound.request("GET", "https://slow.example/", {}, connect=0.05)
    told.set()


def test_resolvers_that_hang_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """While as many names as may be are being resolved, no other thread is begun for one."""
    told, begun = threading.Event(), []

    def hangs(*args: object, **more: object) -> list[object]:
        begun.append(args)
        told.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    for _ in range(outbound_connection.RESOLVING + 3):
        with pytest.raises(Unreachable, match="resolved in time"):
            outbound.request("GET", "https://slow.example/", {}, connect=0.01)
    told.set()
    assert len(begun) == outbound_connection.RESOLVING


def test_checks_wait_for_few_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are never resolved hold up few requests; addresses are refused meanwhile."""
    told, asked = threading.Event(), threading.Semaphore(0)
    real, names = socket.getaddrinfo, []

    def hangs(host: str, *args: object, **more: object) -> object:
        if more.get("flags"):
            return real(host, *args, **more)  # type: ignore[arg-type]
        names.append(host)
        asked.release()
        told.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    monkeypatch.setattr(outbound, "CONNECT", 60)
    waiting = [
        threading.Thread(target=outbound.check, args=(f"https://slow{number}.example/",))
        for number in range(outbound.CHECKED)
    ]
    for thread in waiting:
        thread.start()
        asked.acquire()
    outbound.check("https://third.example/")
    for host in ("127.0.0.2", "2130706434", "[::1]"):
        with pytest.raises(Forbidden):
            outbound.check(f"https://{host}/")
    told.set()
    for thread in waiting:
        thread.join()
    outbound.check("https://fourth.example/")
    assert names == ["slow0.example", "slow1.example", "fourth.example"]


def test_nobody_listens() -> None:
    with socket.create_server((HERE, 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable, match="takes no connections"):
        outbound.request("GET", f"http://{HERE}:{port}/", {})


def test_settings_are_the_rules() -> None:
    """What was connected last holds."""
    with pytest.raises(Forbidden):
        outbound.check("https://127.0.0.2/")
    outbound.connect(Config(outbound_allow="127.0.0.0/8"))
    outbound.check("https://127.0.0.2/")
    assert Rules.parse("127.0.0.0/8") == outbound._rules
