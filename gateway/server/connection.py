"""One client's connection: how long each part of a request may take, how much of it is kept, and its end.

gunicorn reads requests from it and writes answers to it. Whatever is wrong with a request's framing ends
the connection, and so does an answer that begins before its request was read: nothing is sent after it.
"""

from __future__ import annotations

import errno
import re
import time
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import gevent
from gevent import socket
from gunicorn.http.errors import InvalidRequestLine, LimitRequestHeaders, ParseException

from gateway.http.request import path_of
from gateway.server.early_errors import Asked
from gateway.server.streamed_body import CHUNK, FRAMING, MAX_AHEAD, Body, EndedEarly

if TYPE_CHECKING:
    from gateway.server.gevent_worker import Worker

MAX_HEAD = 16_384  # bytes of a head
MAX_TRAILERS = 8_190  # bytes of the trailers behind a chunked body
MAX_LINE = 1_024  # bytes of a head that are looked at when the rest does not come or is no HTTP
LOOKED = 8_192  # bytes that gunicorn asks for when it looks for a chunk's size
ANSWER_BUFFER = 131_072  # bytes of an answer that the system takes; Linux doubles it

# Seconds.
ARRIVE = 10.0  # from the first byte of a request to the last of its head and small body
STALLED = 10.0  # without a byte of an answer being taken
LINGER = 2.0  # for a client to read its last answer and close

_BEGINNING = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]")  # of a method
_TOKENS = re.compile(r"[^\s,]+")
_LINE = re.compile(rb"([!-~]{1,20}) (/[^\s?]*)[\s?]")
_ORIGIN = re.compile(rb"\norigin:[ \t]*([^\r\n]*)", re.I)


class TooSlow(ParseException):  # type: ignore[misc]  # gunicorn has no types
    """A head or a small body that took too long, or had to make room for another."""


class Connection:
    """A client's socket, as gunicorn reads from it and writes to it."""

    request: Any = None  # gunicorn's, while it is answered
    came = 0  # bytes of its body, but for what chunks have after their first LOOKED
    body: Body | None = None  # of that, when it is streamed

    def __init__(self, sock: Any, worker: Worker) -> None:
        self._sock, self._worker = sock, worker
        self.gettimeout, self.settimeout = sock.gettimeout, sock.settimeout
        self.setblocking, self.shutdown = sock.setblocking, sock.shutdown
        # A socket can be written to again when a third of this is free, which must not take STALLED seconds.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ANSWER_BUFFER)
        self.rest()

    def rest(self) -> None:
        """Begins to wait for the next request, of which some may have come behind the last one."""
        self._ahead: bytes = self.request.unreader.take_buffered() if self.request else b""
        self.request = self.body = None
        self._began = 0.0  # monotonic seconds; 0 between requests
        self._more = False  # seems to be there already
        self._head, self._room = b"", MAX_HEAD
        self.lines = 0  # of the head
        self._told_to_end = False
        self._held: bytes | None = b""  # the head of an answer
        self._answering = False

    def recv(self, size: int, flags: int = 0) -> bytes:
        """What has come of a request; nothing when the connection ends between two.

        Raises ParseException before the answer, TimeoutError for a streamed body, and other OSErrors.
        """
        if self.body:
            return self._wait(size, self.body.patience())
        size = size if self.request else min(size, self._room)
        if size <= 0:
            raise LimitRequestHeaders("the whole head")
        data = self._arrive(size) if self._began else self._begin(size)
        if self.request:
            if self.came > (FRAMING + 1) * MAX_AHEAD:
                raise ParseException("chunks of a few bytes")
        else:
            self._room -= len(data)
            self._head = (self._head + data[:MAX_LINE])[:MAX_LINE]
            self.lines += data.partition(b"\r\n\r\n")[0].count(b"\n")
        return data

    def _begin(self, size: int) -> bytes:
        """The first bytes of a request. Empty lines may stand before them (RFC 9112 2.2)."""
        self._worker.idle[self] = time.monotonic()  # the worker ends it: a timer here is nine calls a post
        data = b""
        try:
            while not data and self._room > 0 and (received := self._wait(min(size, self._room), None)):
                data = received.lstrip(b"\r\n")
                self._room -= len(received) - len(data)
        except OSError:  # gone
            pass
        finally:
            del self._worker.idle[self]
        self._began = time.monotonic()
        if data and not _BEGINNING.match(data):  # such as TLS: no end of a line may come
            raise InvalidRequestLine("no method")
        return data

    def _arrive(self, size: int) -> bytes:
        """More of a head or small body."""
        self._worker.arriving[self] = self._began
        try:
            data = self._wait(size, self._began + ARRIVE - time.monotonic())
        except OSError as error:
            if error.errno == errno.ECONNRESET:
                raise
            raise TooSlow from None
        finally:
            del self._worker.arriving[self]
        if not data:
            raise TooSlow if self._told_to_end else EndedEarly
        return data

    def _wait(self, size: int, seconds: float | None) -> bytes:
        """What has been read already, or comes, within so many seconds if any are said. Raises OSError."""
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        if not data:
            if self._more:  # whoever always has more to send waits until the others' sockets were looked at
                gevent.sleep(1e-5)
            if seconds is not None and seconds <= 0:  # also when there is more
                raise TimeoutError
            self._sock.settimeout(seconds)
            data = self._sock.recv(size)
            self._more = len(data) == size
        if size <= LOOKED:  # more is asked for only within a chunk
            self.came += len(data)
        return data

    def take(self, request: Any) -> None:
        """Gets ready to answer a request of gunicorn's: reads a small body, has others streamed.

        Raises what `recv` raises.
        """
        self.request, self.came = request, 0
        request.version = min(request.version, (1, 1))  # what is answered
        headers = dict(request.headers)
        if any(
            "close" in _TOKENS.findall(value.lower())
            for name, value in request.headers
            if name == "CONNECTION"
        ):
            request.force_close()  # gunicorn looks only at the whole value of the first
        length = None if "TRANSFER-ENCODING" in headers else int(headers.get("CONTENT-LENGTH", 0))
        reader, ahead = request.body.reader, b""
        reader.limit_trailer_section = MAX_TRAILERS
        if "EXPECT" not in headers and (length is None or length <= MAX_AHEAD):
            ahead = reader.read(MAX_AHEAD + 1) if length != 0 else b""
            if len(ahead) <= MAX_AHEAD:
                request.body = BytesIO(ahead)
                return
        go_on = None
        if request._expected_100_continue:  # said when somebody wants the body: who is refused keeps it
            request._expected_100_continue = False
            go_on = self._go_on
        request.body = self.body = Body(reader, length, ahead, lambda: self.came, go_on)

    def _go_on(self) -> None:
        """Tells a client that asked first to send its body."""
        if not self._answering:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Sends a part of an answer, its head together with what comes next.

        Raises ConnectionResetError when the client takes nothing of it for a while, and other OSErrors.
        """
        if self._held == b"":
            self._held = data
            return
        data, self._held = (self._held or b"") + data, None
        self._answering = True
        self.send(data)

    def send(self, data: bytes) -> int:
        """Sends all of it now, as `sendall` does in the end."""
        view = memoryview(data)
        self._sock.settimeout(STALLED)
        self._worker.sending[self] = time.monotonic()
        try:
            while view:
                view = view[self._sock.send(view) :]
        except OSError as error:
            raise ConnectionResetError(errno.ECONNRESET, "the answer was not taken") from error
        finally:
            del self._worker.sending[self]
        return len(data)

    def flush(self) -> None:
        """Sends the head of an answer that has no body."""
        if self._held:
            self.sendall(b"")

    def refuse(self, answer: bytes) -> None:
        """Sends an answer, unless another one to this request has begun."""
        if not self._answering:
            self._held = None
            with suppress(OSError):
                self.sendall(answer)

    def close(self) -> None:
        """Ends the connection so that the client can still read the last answer (RFC 9112 9.6)."""
        self._held = None
        self._worker.lingering[self] = now = time.monotonic()
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            while (left := now + LINGER - time.monotonic()) > 0 and self._wait(CHUNK, left):
                pass
        del self._worker.lingering[self]
        self._sock.close()

    def end(self) -> None:
        """Has it end while it waits for its client: a request that is arriving hears 408. Raises OSError."""
        self._told_to_end = True
        self._sock.shutdown(socket.SHUT_RDWR if self in self._worker.sending else socket.SHUT_RD)

    @property
    def asked(self) -> Asked:
        """What is asked, as far as it can be told."""
        if self.request:
            origin = dict(self.request.headers).get("ORIGIN", "")
            return Asked(self.request.method, _path(self.request.path), origin)
        line, begun = _LINE.match(self._head), _ORIGIN.search(self._head)
        method, path = (word.decode("latin-1") for word in (line.groups() if line else (b"", b"/")))
        return Asked(method, _path(path), begun[1].decode("latin-1") if begun else "")


def _path(raw: str) -> str:
    """A path of a request line as the application knows it: no longer percent-encoded."""
    return path_of({"PATH_INFO": unquote_to_bytes(raw).decode("latin-1")})
