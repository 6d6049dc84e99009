"""gunicorn's gevent worker, in which slow clients hold no thread and an overload is refused early.

Each connection is a greenlet of the main thread, which reads heads and small bodies and writes answers.
Small deliveries of few records are answered there, by turns (gateway.core.cooperative); all else in threads.
Whatever is refused here is told in the dialect of its path, never in HTML.
"""

from __future__ import annotations

import errno
import math
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from contextvars import Context, copy_context
from functools import partial
from http import HTTPStatus
from io import BufferedReader
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

import gevent
from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.threadpool import ThreadPool
from gunicorn.workers.ggevent import GeventWorker

from gateway.core import cooperative, log
from gateway.http.cors import allowed_origins
from gateway.server.admission import Admission, Overloaded
from gateway.server.connection import Connection, TooSlow
from gateway.server.early_errors import door_at, refusal, status_of
from gateway.server.streamed_body import CHUNK
from gateway.triage import active_model
from models.intake import commit

# Seconds.
PATIENCE = 2.0  # the wait for a turn or a thread after which a request is refused
STREAM_PATIENCE = 10.0  # the same, for a request whose body a thread has to read
SETTLED = 1.0  # waiting for its client, before a connection may have to make room for another
PARTING = 0.25  # for the next request on an idle connection, when the worker ends
TICK = 0.25  # between looks at all connections
TELL = 60.0  # between two lines in the log about connections that cannot be accepted

SPARE = 32  # file descriptors that connections leave to the database and others
AT_HAND = 1 << 20  # bytes of an answer that a process holds as a whole; a longer one it sends in pieces
MANY = 500  # commas of a body, each of which may part two records
NO_LIMIT = nullcontext()
DELIVERIES = 256  # answered at once; they wait for the disk


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """The worker class of `feedback-gateway serve`."""

    alive: bool
    sockets: list[Any]
    wsgi: Any
    told = -math.inf  # monotonic seconds, when it was last said that no connection can be accepted

    def patch(self) -> None:
        """Has listening sockets wait in greenlets, and nothing else."""
        self.sockets = [
            socket.socket(one.FAMILY, socket.SOCK_STREAM, fileno=one.sock.detach()) for one in self.sockets
        ]

    def init_signals(self) -> None:
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what was held back since the fork is heard now

    def load_wsgi(self) -> None:
        super().load_wsgi()
        # gunicorn asks for 23 settings a request, each with two calls unless the attribute is there.
        self.cfg.__dict__.update({name: one.get() for name, one in self.cfg.settings.items()})
        self.application, self.wsgi = self.wsgi, self._answer
        self.origins = allowed_origins(self.app.config.cors_origins)
        # Connections that wait for their clients, and since when; they make room in this order.
        self.lingering, self.idle, self.arriving, self.sending = (dict[Connection, float]() for _ in range(4))
        most = self.worker_connections // 2  # the others hear that they may come later
        self.deliveries = Admission(DELIVERIES, PATIENCE, most)
        self.threads = Admission(self.cfg.threads, PATIENCE, most)
        self.streams = Admission(max(1, self.cfg.threads // 2), STREAM_PATIENCE, most)
        self.pool = ThreadPool(self.cfg.threads)
        self.connections = Pool(self.worker_connections)
        cooperative.begin(lambda: len(self.connections))
        self.leaving = threading.Event()
        active_model.watch(self.leaving)

    def run(self) -> None:
        """Serves until told to stop; then answers whoever has come, and ends connections that are idle."""
        pool = self.connections
        bound = [(one, partial(self.handle, _Bound(one.getsockname()))) for one in self.sockets]
        servers = [_Server(one, handle, spawn=pool) for one, handle in bound]
        for server in servers:
            if self.cfg.workers > 1:
                server.max_accept = 1  # the others take some
            server.without_descriptors = self._without_descriptors
            server.start()
        gevent.spawn(self._end_idle)
        while self.alive and os.getppid() == self.ppid:
            self.tmp.notify()
            self._make_room()
            gevent.sleep(TICK)
        self.alive = False
        with gevent.Timeout(self.cfg.graceful_timeout, False):
            for server in servers:  # the kernel may hold connections that nobody else would answer
                with suppress(OSError, _NoDescriptor):
                    for knocking in islice(iter(server.do_read, None), self.cfg.backlog):
                        server.do_handle(*knocking)  # waits for a place
                server.close()
            while not pool.join(TICK):
                self.tmp.notify()
        self.leaving.set()
        gevent.get_hub().threadpool.apply(commit.stop)  # what it writes, it writes with this loop
        cooperative.end()

    def _end_idle(self) -> None:
        while True:
            gevent.sleep(TICK)
            _end(self.idle.items(), self.cfg.keepalive if self.alive else PARTING)

    def _make_room(self) -> None:
        """When all places are taken, ends the connection that needs its place least, if one has settled."""
        if self.connections.full() or _few_descriptors():
            self._end_one()

    def _end_one(self) -> None:
        for place in (self.lingering, self.idle, self.arriving, self.sending):
            if place and _end([min(place.items(), key=itemgetter(1))], SETTLED):
                return

    def _without_descriptors(self, error: OSError) -> None:
        """Makes room when the process, or the machine, has as many files open as it may."""
        self._end_one()
        if time.monotonic() - self.told > TELL:
            self.told = time.monotonic()
            facts = {"error": str(error), "connections": len(self.connections)}
            log.logger.error("no connection can be accepted", extra={"facts": facts})

    def timeout_ctx(self) -> AbstractContextManager[None]:
        return NO_LIMIT  # connections look at the clock themselves

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serves a connection, in a greenlet of its own."""
        self._make_room()
        super().handle(listener, Connection(client, self), addr)

    def handle_request(self, listener_name: Any, req: Any, sock: Connection, addr: Any) -> bool:
        """Has a request answered. Raises StopIteration when the connection ends with its answer."""
        sock.take(req)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            sock.flush()
        sock.rest()
        return True

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        """The application's answer: to a small delivery from here, to all else from a thread."""
        conn: Connection = environ["gunicorn.socket"]

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            # An answer that begins before its request was read to the end is the last one.
            unread = conn.body and not conn.body.ended
            if not self.alive or unread or ("Connection", "close") in headers:
                conn.request.force_close()
            return start_response(status, headers, exc_info)

        try:
            if conn.body is None and _is_quick(environ):
                with self.deliveries:
                    return copy_context().run(self.application, environ, start)
            context = copy_context()
            with self.streams if conn.body else NO_LIMIT, self.threads:
                told, parts = self._aside(context, self._make, environ)
            try:
                start(*told)
            except Exception:  # the parts will not be asked for
                if isinstance(parts, _Stream):
                    parts.close()
                raise
            return parts
        except Overloaded as late:
            told = refusal(HTTPStatus.SERVICE_UNAVAILABLE, conn.asked, self.origins, *late.args)
            start(told.status, told.headers)
            return [told.body]

    def _aside(self, context: Context, act: Callable[..., Any], *args: Any) -> Any:
        return cooperative.in_thread(self.pool, partial(context.run, act, *args))

    def _make(self, environ: dict[str, Any]) -> tuple[list[Any], list[bytes] | _Stream]:
        """What the application tells to start, and its answer as a whole, or as a stream."""
        if environ["gunicorn.socket"].body:
            environ["wsgi.input"] = BufferedReader(environ["wsgi.input"], CHUNK)
        told: list[Any] = []
        parts = self.application(environ, lambda *answer: told.extend(answer))
        with ExitStack() as stack:
            close: Callable[[], object] = getattr(parts, "close", bool)
            stack.callback(close)
            length = next((int(value) for name, value in told[1] if name.lower() == "content-length"), None)
            if length is not None and length <= AT_HAND:
                return told, [*parts]
            pieces = iter(parts)
            first = next(pieces, b"")  # what fails now can still be told
            stack.pop_all()
        return told, _Stream(partial(self._aside, copy_context()), first, pieces, close)

    def handle_error(self, req: Any, client: Connection, addr: Any, exc: BaseException) -> None:
        """Answers a request that has no other answer, and with that ends its connection."""
        status = HTTPStatus.REQUEST_TIMEOUT if isinstance(exc, TooSlow) else status_of(exc)
        many = client.request is None and client.lines > self.cfg.limit_request_fields
        if status == HTTPStatus.BAD_REQUEST and many:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE  # the parser only says that it is no HTTP
        client.refuse(refusal(status, client.asked, self.origins).last())


def _few_descriptors() -> bool:
    """Whether hardly a file can be opened any more: the next one gets the lowest number that is free."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        number = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return True
    os.close(number)
    return limit != resource.RLIM_INFINITY and number >= limit - min(SPARE, limit // 8)


class _NoDescriptor(gevent.GreenletExit):  # type: ignore[misc]  # gevent has no types
    """No connection can be accepted now: gevent tries again by and by, and prints nothing about these."""


class _Server(StreamServer):  # type: ignore[misc]
    """gevent's, which would print each try to accept a connection without a file descriptor for it."""

    without_descriptors: Callable[[OSError], None]

    def do_read(self) -> Any:
        try:
            return super().do_read()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                raise
            self.without_descriptors(error)
            raise _NoDescriptor from error


class _Stream:
    """Each piece is made in a thread when the client has taken the one before: it waits in none."""

    def __init__(
        self, aside: Callable[..., Any], first: bytes, pieces: Iterator[bytes], close: Callable[[], object]
    ) -> None:
        self._aside, self._first, self._pieces, self._close = aside, first, pieces, close

    def __iter__(self) -> Iterator[bytes]:
        piece: bytes | None = self._first
        while piece is not None:
            yield piece
            piece = self._aside(next, self._pieces, None)

    def close(self) -> None:
        self._aside(self._close)


class _Bound(NamedTuple):
    """A listening socket as gunicorn asks for it, though it may be closed by then."""

    address: Any

    def getsockname(self) -> Any:
        return self.address


def _end(waiting: Iterable[tuple[Connection, float]], settled: float = 0.0) -> bool:
    """Has connections end that wait for their clients, so long at least; whether any was told so."""
    now = time.monotonic()
    ended = [conn for conn, since in waiting if now - since >= settled]
    for conn in ended:
        with suppress(OSError):
            conn.end()
    return bool(ended)


def _is_quick(environ: dict[str, Any]) -> bool:
    """Whether a request is one delivery, no larger than it seems, which is made no more of than usual."""
    if "HTTP_CONTENT_ENCODING" in environ:
        return False
    adapter, one = door_at(environ["REQUEST_METHOD"], environ["PATH_INFO"]) or (None, False)
    if adapter is None or not one:
        return False
    body: bytes = environ["wsgi.input"].getvalue()
    return body.count(b",") <= MANY
