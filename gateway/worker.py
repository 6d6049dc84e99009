"""gunicorn's thread worker, in which slow clients hold no thread and an overload is refused at once.

The main loop reads heads and small bodies ahead (gateway.wire). Deliveries that are here it answers
itself, by turns (gateway.lane); with any other request it gives the connection to a thread. Whatever
is refused here is told in the dialect of its path, never in HTML.
"""

from __future__ import annotations

import errno
import selectors
import socket
import struct
import threading
import time
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from gateway import learnt
from gateway.exchange import Exchange, Settings
from gateway.http import allowed_origins
from gateway.lane import Lane, Socket, signal, together
from gateway.line import Line
from gateway.places import Places
from gateway.refusal import refusal, status_of
from gateway.wire import CHUNK, MAX_HEAD, Asked, Connection, closing
from models.base import database
from models.sqlite import Sqlite
from models.writer import Writer

# Seconds.
PATIENCE = 2.0  # the wait for a thread after which a request is refused
STREAM_PATIENCE = 10.0  # the same, for a request whose body a thread has to read
STALLED = 10  # without a byte of an answer being taken
PARTING = 0.5  # for the next request on an idle connection, when the worker ends
TICK = 0.25  # between looks at these times

TURNS = 8  # requests begun between two looks at the connections
KNOCKING = 64  # connections accepted in one look
GATHERED = 32  # requests with which a step is done together, at most
NEARLY = 0.9  # of the connections wait for that step: it is not worth waiting for the others
GATHER = 0.002  # seconds that requests wait for others with which a step is done together
BEGUN = 256  # requests that may wait for the disk, so that the others are refused in time

READ = 16_384  # bytes read ahead at once
FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
VANISHED = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EPROTO}


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """The worker class of `feedback-gateway serve`.

    A connection waits for its client (gateway.places), for its turn or for a thread (for one of the few
    that may read large bodies, if it has one), or it is being answered. Threads run `_work`
    and what it calls; the main thread runs all the rest, and `_work` for those who have their turn.
    """

    alive: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # So many that those who are told to come later find a connection to hear it on.
        most = self.worker_connections // 2
        self.turns, self.waiting = Line(most, PATIENCE), Line(most, PATIENCE)
        self.streams = Line(most, STREAM_PATIENCE)
        self.streaming = 0
        self.max_streaming = max(1, self.cfg.threads // 2)
        self.looked_at = self.full_until = 0.0

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.origins = allowed_origins(self.app.config.cors_origins)
        self.exchange = Exchange(self.wsgi, self.cfg)  # type: ignore[has-type]
        self.settings = Settings(self.cfg)
        self.wsgi = closing(self.wsgi, self)  # type: ignore[has-type]
        self.lane = Lane()
        self.places = Places(self.poller, self.cfg.keepalive)
        self.keepalived_conns = self.places.idle  # gunicorn asks for its length
        Writer.signal, Writer.call = staticmethod(signal), staticmethod(together)
        if isinstance(database.obj, Sqlite):  # a server's statements are waited for
            database.obj.bring = self.lane.bring
        self.leaving = threading.Event()
        learnt.watch(self.leaving)

    def run(self) -> None:
        """Serves until told to stop; then answers what has begun, and ends connections that are idle."""
        done = self.method_queue
        self.poller.register(done.fileno(), selectors.EVENT_READ, done.run_callbacks)
        self.poller.register(self.lane.fileno(), selectors.EVENT_READ, self.lane.resume)
        while self.alive and self.is_parent_alive():
            room = self.places.count < self.worker_connections or self.places.make_room()
            self.set_accept_enabled(room and time.monotonic() >= self.full_until)
            self._turn()
        self.alive = False
        self.set_accept_enabled(False)
        for listener in self.sockets:  # the kernel may hold connections that nobody else would answer
            while self.places.count < self.worker_connections and self._accept(listener):
                pass
            listener.close()
        self.places.idle.seconds = PARTING
        for conn in list(self.places.idle):
            self.places.put(conn, self.places.idle)
        end = time.monotonic() + self.cfg.graceful_timeout
        while self.places.count > 0 and time.monotonic() < end:
            self._turn()
        self.leaving.set()
        self.tpool.shutdown(wait=False)
        self.poller.close()
        self.lane.close()
        self.method_queue.close()

    def _turn(self) -> None:
        busy = self.turns and self.lane.begun < BEGUN
        self.wait_for_and_dispatch_events(0.0 if busy else GATHER if self.lane.gathered else TICK)
        for _ in range(min(len(self.turns), TURNS, BEGUN - self.lane.begun)):
            self.lane.run(self._take_turn)
            if self.lane.called:
                self.lane.resume()
        now = time.monotonic()
        idle = not self.turns or self.lane.begun >= BEGUN
        enough = self.lane.gathered >= min(GATHERED, self.places.count * NEARLY)
        if enough or (idle and now - self.lane.since > GATHER):
            self.lane.scatter()
        if now - self.looked_at >= TICK / 2:
            self.looked_at = now
            self.notify()
            self._expire(now)

    def accept(self, listener: Any) -> None:
        """Takes those who knock, as far as there is room."""
        for _ in range(min(KNOCKING, self.worker_connections - self.places.count)):
            if not self._accept(listener):
                return

    def _accept(self, listener: Any) -> bool:
        """Takes a new connection; False when there is none."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in FULL and not self.places.make_room():
                self.full_until = time.monotonic() + TICK
            elif error.errno not in FULL | VANISHED:
                raise
            return False
        self.places.count += 1
        sock = Socket(sock.family, sock.type, sock.proto, sock.detach())
        # Sockets stay in blocking mode. A timeout of Python's would cost a poll for each send.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", STALLED, 0))
        conn = Connection(self.settings, sock, client, listener.getsockname())
        conn.callback = partial(self._readable, conn)
        self.places.put(conn, self.places.idle)
        self._readable(conn, sock)  # most clients send at once
        return True

    def _readable(self, conn: Connection, sock: socket.socket) -> None:
        """Reads what a connection has sent."""
        if not conn.watched:  # it was ended in this very turn
            return
        if conn.place is None:  # it waits for its answer: what comes now is read after that
            self.places.unwatch(conn)
            return
        try:
            data = sock.recv(CHUNK if conn.place is self.places.lingering else READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.places.close(conn)
        elif conn.place is not self.places.lingering:
            conn.received += data
            self._advance(conn)

    def _advance(self, conn: Connection) -> None:
        """Gives a connection to a thread as soon as a thread can take its request."""
        while conn.ready():
            if conn.malformed:
                long = len(conn.received) > MAX_HEAD
                self._refuse(
                    conn, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if long else HTTPStatus.BAD_REQUEST
                )
            elif not self._line(conn).crowded():
                self._give(conn)
            elif self._refuse(conn, HTTPStatus.SERVICE_UNAVAILABLE):
                continue  # with what came behind the refused request
            return
        if not conn.received:
            self.places.put(conn, self.places.idle)
        elif conn.place is not self.places.arriving:
            self.places.put(conn, self.places.arriving)

    def _line(self, conn: Connection) -> Line:
        """Where a connection waits for its answer: deliveries that are here need no thread."""
        return self.waiting if conn.streamed or not conn.received.startswith(b"POST ") else self.turns

    def _give(self, conn: Connection) -> None:
        """Puts a connection in its line."""
        line = self._line(conn)
        self.places.take(conn)
        if line is not self.turns:  # a thread may read from it, or it waits for long
            self.places.unwatch(conn)
        if conn.streamed:
            if self.streaming >= self.max_streaming:
                self.streams.join(conn)
                return
            self.streaming += 1
        line.join(conn)
        if line is self.waiting:
            self.tpool.submit(self._work)

    def _work(self) -> None:
        """Answers the request that has waited longest. Runs in a thread."""
        conn = self.waiting.leave()
        if conn is not None:
            self.method_queue.defer(self._finish, conn, self.handle(conn))

    def _take_turn(self) -> None:
        """Answers the delivery that has waited longest."""
        conn = self.turns.leave()
        if conn is None:
            return
        conn.sock.hold()
        lasting = self.handle(conn)
        try:
            conn.sock.release()
        except OSError:  # the client went away
            lasting = False
        self._finish(conn, lasting)

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Has the application answer a request; whether the connection can take another."""
        if conn.sock.held is None or not self.exchange.takes(req, conn):
            return bool(super().handle_request(req, conn))
        self.nr += 1
        if self.nr >= self.max_requests:
            self.alive = False
        lasting = self.alive and len(self.places.idle) < self.max_keepalived and not req.should_close()
        answer, lasting = self.exchange.answer(req, conn, lasting)
        conn.sock.sendall(answer)
        return lasting

    def handle(self, conn: Connection) -> bool:
        """Answers one request; whether the connection can take another."""
        request = None
        try:
            conn.hand_over()
            request = next(conn.parser)
            return bool(self._keepalive_after(conn, self.handle_request(request, conn)))
        except (OSError, StopIteration):  # the client went away, or asked for the end
            return False
        except Exception as error:
            self.handle_error(request, conn.sock, conn.client, error)
            return False

    def _finish(self, conn: Connection, lasting: bool) -> None:
        """Takes a connection back from a thread."""
        if conn.streamed:
            self.streaming -= 1
            if self.streams:
                self._give(self.streams.popleft())
        if not lasting:
            self._linger(conn)
            return
        conn.begin(conn.parser.unreader.take_buffered())
        self._advance(conn)

    def _linger(self, conn: Connection) -> None:
        """Ends a connection so that its client can still read the last answer (RFC 9112 9.6)."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.places.close(conn)
        else:
            self.places.put(conn, self.places.lingering)

    def _expire(self, now: float) -> None:
        """Ends what has lasted too long."""
        for place in (self.places.idle, self.places.lingering):
            for conn in place.overdue(now):
                self.places.close(conn)
        for conn in self.places.arriving.overdue(now):
            self._refuse(conn, HTTPStatus.REQUEST_TIMEOUT, self.places.arriving.seconds)
        self.lane.expire(now)
        for line in (self.turns, self.waiting, self.streams):
            with suppress(IndexError):  # when it is empty; threads take from it at the same time
                while line[0].deadline <= now:
                    conn = line.popleft()
                    if self._refuse(conn, HTTPStatus.SERVICE_UNAVAILABLE, line.patience):
                        self._advance(conn)

    def _refuse(self, conn: Connection, status: HTTPStatus, seconds: float = 0.0) -> bool:
        """Answers a request that gets no thread; True when the connection is ready for the next one."""
        asked = conn.asked
        lasting = status == HTTPStatus.SERVICE_UNAVAILABLE and self.alive and conn.skip()
        answer = refusal(status, asked, self.origins, lasting=lasting, seconds=seconds)
        whole = False
        with suppress(OSError):
            whole = conn.sock.send(answer, socket.MSG_DONTWAIT) == len(answer)
        if not whole:
            self.places.close(conn)
        elif not lasting:
            self._linger(conn)
        else:
            conn.begin(conn.parser.unreader.take_buffered())
            return True
        return False

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answers a request that never reached the application."""
        asked = Asked.of(req or getattr(exc, "req", None))
        with suppress(OSError):
            client.send(refusal(status_of(exc), asked, self.origins), socket.MSG_DONTWAIT)
