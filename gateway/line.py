"""Connections whose requests wait for their answer: how long they may, and when a newcomer is turned away."""

from __future__ import annotations

import time
from collections import deque

from gateway.wire import Connection

CROWDED = 1.0  # seconds of a wait, expected or seen, at which newcomers are turned away


class Line(deque[Connection]):
    """At most so many connections, each for `patience` seconds."""

    pace = 0.0  # seconds from one request's turn to the next, as of late

    def __init__(self, most: int, patience: float) -> None:
        super().__init__()
        self.most = most
        self.patience = patience

    def join(self, conn: Connection) -> None:
        conn.deadline = time.monotonic() + self.patience
        self.append(conn)
        conn.ahead = len(self)

    def leave(self) -> Connection | None:
        """Who has waited longest; None when it was refused meanwhile."""
        try:
            conn = self.popleft()
        except IndexError:
            return None
        waited = time.monotonic() + self.patience - conn.deadline
        self.pace += 0.1 * (waited / conn.ahead - self.pace)
        return conn

    def crowded(self) -> bool:
        """Whether a newcomer would wait too long, or somebody does already, or no more may."""
        try:
            longest = self[0].deadline - self.patience
        except IndexError:
            return False
        late = time.monotonic() - longest > CROWDED
        return late or len(self) >= self.most or len(self) * self.pace > CROWDED
