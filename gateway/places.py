"""Where the connections of a worker are while they wait for their clients, and how long each may be there."""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator
from typing import Any

from gateway.wire import Connection

# Seconds.
ARRIVE = 10.0  # from the first byte of a request to the last of its head and small body
LINGER = 2.0  # for a client to read its last answer and close
SETTLED = 1.0  # in one place, before a connection may have to make room for another


class Place(dict[Connection, None]):
    """Connections that may be here for so many `seconds` each, in the order of their deadlines."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def overdue(self, now: float) -> Iterator[Connection]:
        """Those whose time is over; whoever asks has each leave. `now` is monotonic seconds."""
        while (conn := next(iter(self), None)) and conn.deadline <= now:
            yield conn


class Places:
    """Idle between requests, arriving, or lingering after the last answer; nowhere while it is answered.

    A connection is watched by the poller while its client may send something that matters now.
    """

    def __init__(self, poller: Any, keepalive: float) -> None:
        self._poller = poller
        self.idle, self.arriving, self.lingering = Place(keepalive), Place(ARRIVE), Place(LINGER)
        self.count = 0  # connections, wherever they are

    def put(self, conn: Connection, place: Place) -> None:
        """Lets a connection be in a place from now on, and watches it."""
        if conn.place is not None:
            del conn.place[conn]
        conn.place = place
        place[conn] = None
        conn.deadline = time.monotonic() + place.seconds
        if not conn.watched:
            self._poller.register(conn.sock, selectors.EVENT_READ, conn.callback)
            conn.watched = True

    def take(self, conn: Connection) -> None:
        """Has a connection leave its place. It is watched on: clients hardly ever send before the answer."""
        if conn.place is not None:
            del conn.place[conn]
            conn.place = None

    def unwatch(self, conn: Connection) -> None:
        """Leaves alone what a connection's client sends, until it is put into a place."""
        if conn.watched:
            self._poller.unregister(conn.sock)
            conn.watched = False

    def close(self, conn: Connection) -> None:
        """Ends a connection."""
        self.take(conn)
        self.unwatch(conn)
        conn.callback = None  # it holds the connection
        conn.sock.close()
        self.count -= 1

    def make_room(self) -> bool:
        """Ends the connection that needs its place least; False when all of them are busy."""
        now = time.monotonic()
        for place in (self.lingering, self.idle, self.arriving):  # the first one came first
            conn = next(iter(place), None)
            if conn and conn.deadline - now < place.seconds - SETTLED:
                self.close(conn)
                return True
        return False
