"""What has arrived on a connection: whether a thread can take it, and how a thread reads what has not.

Heads and small bodies are read ahead without a thread (gateway.worker), so that a slow client
holds none. Only scheduling is decided here: where a request begins and ends, and whether it is
HTTP at all, is said by gunicorn's parser.
"""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from io import BufferedReader, BytesIO, RawIOBase
from typing import Any

from gunicorn.http.body import LengthReader
from gunicorn.http.errors import InvalidRequestLine, ParseException
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader

from gateway.lane import Socket

MAX_HEAD = 65_536  # bytes of a head; the parser refuses most long ones earlier
MAX_LINE = 8_192  # bytes that are looked at for a method and a path
MAX_AHEAD = 65_536  # bytes of a body that is read ahead; a thread reads larger and chunked ones
CHUNK = 65_536  # bytes read at once

# A thread waits for a body as long as it keeps up this pace, and never longer than the whole.
BODY_GRACE = 10.0  # seconds before the pace counts
BODY_PACE = 16_384  # bytes a second
BODY_SECONDS = 300.0

_HEAD_END = re.compile(rb"\n\r?\n")
_FRAMING = re.compile(rb"\n(content-length|transfer-encoding|expect):[ \t]*([^\r\n]*)", re.I)
_ORIGIN = re.compile(rb"\norigin:[ \t]*([^\r\n]*)", re.I)
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the refusal of a request depends on."""

    method: str = ""
    path: str = "/"
    origin: str = ""

    @classmethod
    def of(cls, request: Any) -> Asked:
        """What a request of gunicorn's asks, which may be none or only begun."""
        headers = dict(getattr(request, "headers", None) or ())
        method, path = getattr(request, "method", None), getattr(request, "path", None)
        return cls(method or "", path or "/", headers.get("ORIGIN", ""))


class Connection:
    """One client's connection: what it has sent of its next request, and how long that may take.

    `streamed` means that a thread has to read the rest, `malformed` that waiting would not help.
    """

    __slots__ = (
        "_searched",
        "ahead",
        "callback",
        "client",
        "deadline",
        "malformed",
        "parser",
        "place",
        "received",
        "server",
        "size",
        "sock",
        "streamed",
        "watched",
    )

    def __init__(self, cfg: Any, sock: Socket, client: Any, server: Any) -> None:
        self.sock = sock
        self.client = client
        self.server = server
        self.parser = Parser(cfg, sock, client)
        self.callback: Any = None
        self.deadline = 0.0  # of where it is now, monotonic seconds
        self.place: dict[Connection, None] | None = None
        self.watched = False
        self.ahead = 0  # how many, with it, waited for a thread when it came
        self.begin(b"")

    def begin(self, received: bytes) -> None:
        """Starts the next request with what was sent behind the last one."""
        self.received = bytearray(received)
        self.size = 0  # of the request, as far as it is read ahead; 0 while its head is incomplete
        self.streamed = self.malformed = False
        self._searched = 0

    def ready(self) -> bool:
        """Whether there is nothing left to wait for without a thread."""
        if not self.received:
            return False
        if not self.size:
            self._look()
        return self.malformed or (0 < self.size <= len(self.received))

    def _look(self) -> None:
        received = self.received
        if received[0] in b"\r\n":  # an empty line may stand before a request (RFC 9112 2.2)
            del received[: len(received) - len(received.lstrip(b"\r\n"))]
        end = _HEAD_END.search(received, max(0, self._searched - 2))
        if end is None:
            self._searched = len(received)
            self.malformed = bool(received) and (received[0] not in _TOKEN or len(received) > MAX_HEAD)
            return
        self.size = end.end()
        for name, value in _FRAMING.findall(received, 0, self.size):
            if name[:1] in b"cC" and value.isdigit() and len(value) < 10 and int(value) <= MAX_AHEAD:
                self.size = end.end() + int(value)
            else:
                self.streamed = True
        if self.streamed:
            self.size = end.end()

    def hand_over(self) -> None:
        """Gives what was read ahead to the parser, for the thread that takes the request."""
        self.parser.unreader.buf = BytesIO(self.received)
        self.parser.unreader.open(self.streamed)
        self.received = bytearray()

    def skip(self) -> bool:
        """Passes over a request that is here; whether it is whole and another one may follow it."""
        self.hand_over()
        try:
            request = next(self.parser)
        except (StopIteration, OSError, ParseException):
            return False
        return isinstance(request.body, BytesIO) and not request.should_close()

    @property
    def asked(self) -> Asked:
        """What is asked, as far as it can be told yet."""
        words = bytes(self.received[:MAX_LINE]).split(maxsplit=2)
        if len(words) < 3:
            return Asked()
        origin = _ORIGIN.search(self.received, 0, self.size)
        path = words[1].partition(b"?")[0]
        return Asked(*(word.decode("latin-1") for word in (words[0], path, origin[1] if origin else b"")))


class Unreader(SocketUnreader):  # type: ignore[misc]  # gunicorn has no types
    """Reads from the socket in a thread, only what is streamed and only while it keeps its pace."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, CHUNK)
        self.trusted: bool | None = None
        self.open(False)

    def open(self, streamed: bool) -> None:
        """Starts a request, whose body a thread may wait for when it is `streamed`."""
        self.streamed = streamed
        self.began = 0.0
        self.read_bytes = 0

    def chunk(self) -> bytes:
        """The next bytes. Raises TimeoutError when the sender is too slow."""
        if not self.streamed:  # all of it is here, unless the parser sees something else in it than we
            raise InvalidRequestLine("incomplete")
        now = time.monotonic()
        self.began = self.began or now
        patience = min(BODY_GRACE + self.read_bytes / BODY_PACE, BODY_SECONDS)
        remaining = self.began + patience - now
        if remaining <= 0:
            raise TimeoutError("the body came too slowly")
        asked = self.sock.gettimeout()
        self.sock.settimeout(remaining if asked is None else min(asked, remaining))
        try:
            data: bytes = self.sock.recv(self.mxchunk)
        finally:
            self.sock.settimeout(asked)
        self.read_bytes += len(data)
        return data


class _Streamed(RawIOBase):
    """A body that comes while it is read, in pieces larger than the kilobytes of gunicorn's own layers."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer. Raises ConnectionError when the body ends before its Content-Length."""
        expected = min(len(buffer), getattr(self._reader, "length", 0))
        data = self._reader.read(len(buffer))
        if len(data) < expected:
            raise ConnectionResetError("the body ended early")
        buffer[: len(data)] = data
        return len(data)


class _Request(Request):  # type: ignore[misc]
    """gunicorn's request, which asks once a connection whether its other end is a proxy to believe."""

    def _peer_is_trusted_proxy(self) -> bool:
        if self.unreader.trusted is None:
            self.unreader.trusted = bool(super()._peer_is_trusted_proxy())
        return bool(self.unreader.trusted)


class Parser(RequestParser):  # type: ignore[misc]
    """gunicorn's parser, which gives bodies without its layers of readers."""

    mesg_class = _Request

    def __init__(self, cfg: Any, sock: socket.socket, client: Any) -> None:
        super().__init__(cfg, sock, client)
        self.unreader = Unreader(sock)

    def __next__(self) -> Any:
        request = super().__next__()
        reader = request.body.reader
        if isinstance(reader, LengthReader):
            data = self.unreader.take_buffered()
            if len(data) >= reader.length:
                request.body = BytesIO(data[: reader.length])
                if len(data) > reader.length:
                    self.unreader.unread(data[reader.length :])
                return request
            self.unreader.unread(data)
        request.body = BufferedReader(_Streamed(reader), CHUNK)
        return request

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        """Reads what the application left of a body. A body that is here leaves nothing on the socket."""
        if self.mesg and isinstance(self.mesg.body, BytesIO):
            return True
        return bool(super().finish_body(deadline, max_bytes))


def closing(app: Any, worker: Any) -> Any:
    """The application, with its `Connection: close` heard: gunicorn drops that header.

    Without it a client would send its next request on a connection that is about to end, because
    the rest of a body was not read. The same is said when the worker ends before the answer begins.
    """

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if not worker.alive or ("Connection", "close") in headers:
                start_response.__self__.force_close()
            return start_response(status, headers, exc_info)

        return app(environ, start)

    return call
