"""What is answered without gunicorn's and Flask's own ways: the same request, and an answer in one piece."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from gunicorn.config import Config as Settings_
from gunicorn.http import wsgi
from gunicorn.http.errors import InvalidHeader

from gateway.exchange import Exchange, Settings, _received
from gateway.http import Whole
from gateway.lane import Socket
from gateway.received import Received, received_of
from gateway.wire import Connection

CLIENT, SERVER = ("192.0.2.7", 4711), ("127.0.0.1", 8080)
Ask = Callable[[bytes], tuple[Any, Connection]]

REQUESTS = {
    "plain": (
        b"POST /v1/feedback HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    ),
    "a query": b"POST /v1/feedback?a=1&a=%F0%9F%90%9B&b= HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{}",
    "bytes in the query": b"POST /v1/feedback?a=\xc3\xa9 HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{}",
    "headers twice": (
        b"POST /v1/feedback HTTP/1.1\r\nHost: g\r\nX-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    ),
    "empty headers": (
        b"POST /v1/feedback HTTP/1.1\r\nHost: g\r\nContent-Type:\r\nX-Empty:\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "bytes in a header": (
        b"POST /v1/feedback HTTP/1.1\r\nHost: g\r\nX-Name: caf\xc3\xa9\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "an old client": b"POST /v1/feedback HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
    "no host": b"POST /v1/feedback HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
}


class App:
    """An application that has one route past it, and answers everything alike."""

    def __init__(self, whole: Whole) -> None:
        self.whole = whole
        self.asked: list[Received] = []
        self.environs: list[dict[str, Any]] = []
        self.straight = {"POST /v1/feedback": self._route}

    def _route(self, received: Received) -> Whole:
        self.asked.append(received)
        return self.whole

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.environs.append(environ)
        start_response(self.whole.status, self.whole.headers)
        return self.whole.parts


@pytest.fixture(name="ask")
def _ask() -> Iterator[Ask]:
    """A request as gunicorn's parser gives it, and the connection it came on."""
    ours, theirs = socket.socketpair()
    sock = Socket(ours.family, ours.type, ours.proto, ours.detach())

    def ask(sent: bytes) -> tuple[Any, Connection]:
        conn = Connection(Settings(Settings_()), sock, CLIENT, SERVER)
        conn.begin(sent)
        assert conn.ready()
        conn.hand_over()
        return next(conn.parser), conn

    with sock, theirs:
        yield ask


def answer(
    app: App, asked: tuple[Any, Connection], *, lasting: bool = True
) -> tuple[str, list[str], bytes, bool]:
    """Status line, header lines, body, and whether the connection lasts."""
    data, lasts = Exchange(app, Settings_()).answer(*asked, lasting)
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return status, lines, body, lasts


@pytest.mark.parametrize("name", REQUESTS)
def test_both_ways_bring_the_same_request(name: str, ask: Ask) -> None:
    """Straight from the worker a request is what it is by way of an environment."""
    request, conn = ask(REQUESTS[name])
    straight = _received(request, conn)
    through = received_of(Exchange(App(Whole("200 OK", [], [])), Settings_())._environ(request, conn))
    for one in ("method", "path", "headers", "query_string", "remote"):
        assert getattr(straight, one) == getattr(through, one), one
    assert straight.stream.read(10) == (b"" if name == "no host" else b"{}")
    assert straight.id != through.id


@pytest.mark.parametrize("name", REQUESTS)
def test_the_environment_is_gunicorns(name: str, ask: Ask) -> None:
    """An application sees the keys and values that gunicorn would give it."""
    request, conn = ask(REQUESTS[name])
    ours = Exchange(App(Whole("200 OK", [], [])), Settings_())._environ(request, conn)
    _, theirs = wsgi.create(request, conn.sock, CLIENT, SERVER, Settings_())
    theirs["wsgi.multithread"] = True  # as its thread worker says
    for missing in ("gunicorn.socket", "wsgi.early_hints"):
        del theirs[missing]
    assert type(ours.pop("wsgi.errors")) is type(theirs.pop("wsgi.errors"))
    assert ours == theirs


def test_an_answer_goes_out_in_one_piece(ask: Ask) -> None:
    app = App(
        Whole(
            "201 CREATED", [("Content-Type", "application/json"), ("Content-Length", "4")], [b"{", b"}\r\n"]
        )
    )
    status, lines, body, lasts = answer(app, ask(REQUESTS["plain"]))
    assert status == "HTTP/1.1 201 CREATED"
    assert lines[0].startswith("Server: gunicorn")
    assert parsedate_to_datetime(lines[1].removeprefix("Date: ")).tzinfo is not None
    assert lines[2:] == ["Connection: keep-alive", "Content-Type: application/json", "Content-Length: 4"]
    assert (body, lasts) == (b"{}\r\n", True)
    assert len(app.asked) == 1
    assert app.environs == []


def test_other_paths_go_through_the_application(ask: Ask) -> None:
    """Also those that are written in another way than the route is."""
    for path in (b"/v1/other", b"/v1/feedback/", b"/v1/%66eedback"):
        app = App(Whole("404 NOT FOUND", [("X-A", "b")], [b"no"]))
        status, lines, body, _ = answer(app, ask(REQUESTS["plain"].replace(b"/v1/feedback", path)))
        assert (status, body) == ("HTTP/1.1 404 NOT FOUND", b"no")
        assert lines[3:] == ["X-A: b", "Content-Length: 2"]
        assert app.asked == []
    assert app.environs[0]["PATH_INFO"] == "/v1/feedback"


def test_bodies_that_must_not_be(ask: Ask) -> None:
    """An answer without a body says nothing of its length."""
    _, lines, body, _ = answer(App(Whole("204 NO CONTENT", [], [b""])), ask(REQUESTS["plain"]))
    assert (len(lines), body) == (3, b"")


def test_the_end_of_a_connection(ask: Ask) -> None:
    """The worker or the application may end it, and says so once; an old client hears its own version."""
    plain = Whole("200 OK", [], [b""])
    status, lines, _, lasts = answer(App(plain), ask(REQUESTS["an old client"]), lasting=False)
    assert (status, lines[2], lasts) == ("HTTP/1.0 200 OK", "Connection: close", False)
    closing = Whole("200 OK", [("Connection", "close"), ("X-A", "b")], [b""])
    _, lines, _, lasts = answer(App(closing), ask(REQUESTS["plain"]))
    assert (lines[2:4], lasts) == (["Connection: close", "X-A: b"], False)


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b", "a\x7fb", "\u20ac"])
def test_no_answer_is_split(value: str, ask: Ask) -> None:
    """A header that would end early, or that no header can hold, is never sent."""
    with pytest.raises(InvalidHeader):
        answer(App(Whole("200 OK", [("X-A", value)], [b""])), ask(REQUESTS["plain"]))
    with pytest.raises(InvalidHeader):
        answer(App(Whole("200 OK", [(value, "a")], [b""])), ask(REQUESTS["plain"]))


@pytest.mark.parametrize("value", ["", "plain", "tab\there", "caf\u00e9", 'quotes "and" more; q=1'])
def test_what_a_header_may_hold(value: str, ask: Ask) -> None:
    _, lines, _, _ = answer(App(Whole("200 OK", [("X-A", value)], [b""])), ask(REQUESTS["plain"]))
    assert f"X-A: {value}" in lines


def test_what_is_left_to_gunicorn(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the application is mounted, and what has no addresses."""
    app = App(Whole("200 OK", [], [b""]))
    plain, conn = ask(REQUESTS["plain"])
    assert Exchange(app, Settings_()).takes(plain, conn)
    request, conn = ask(REQUESTS["plain"])
    request.headers.append(("SCRIPT_NAME", "/mounted"))
    assert not Exchange(app, Settings_()).takes(request, conn)
    for one in ("client", "server"):
        request, conn = ask(REQUESTS["plain"])
        setattr(conn, one, "/run/gateway.sock")
        assert not Exchange(app, Settings_()).takes(request, conn)
    monkeypatch.setenv("SCRIPT_NAME", "/mounted")
    assert not Exchange(app, Settings_()).takes(plain, conn)


def test_settings_are_gunicorns() -> None:
    theirs = Settings_()
    theirs.set("forwarded_allow_ips", "192.0.2.0/24")
    ours = Settings(theirs)
    for name in theirs.settings:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert [str(one) for one in ours.forwarded_allow_networks()] == ["192.0.2.0/24"]
    with pytest.raises(AttributeError):
        _ = ours.nonsense
