"""Requests that one thread answers by turns: while one waits for the disk, the next one runs.

With a thread for every request the interpreter's lock changes hands four times a request: to the
thread, to the writer, back, and to the main loop. Here it changes hands twice for all requests that
are committed together. The code of a request stays a straight line: it is run in a greenlet, which
stops in `wait` and goes on where it stopped.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

from models.writer import Signal

ASIDE = 4  # threads for what would hold up everybody

P = ParamSpec("P")
Result = TypeVar("Result")


class Lane:
    """The turns of one thread. Its methods are called there, between turns."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(ASIDE, "aside")
        self.begun = 0  # requests that have not ended
        self.asleep: dict[_TurnSignal, float] = {}  # with their deadlines, monotonic seconds
        self.done: deque[_TurnSignal] = deque()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._called = False

    def fileno(self) -> int:
        """What becomes readable when `resume` is due."""
        return self._reader

    def run(self, act: Callable[..., None], *args: Any) -> None:
        """Begins a request, and returns when it has ended or waits."""
        turn = _Turn(act)
        turn.lane = self
        self.begun += 1
        self._go_on(turn, *args)

    def resume(self, _: object = None) -> None:
        """Lets everybody go on whose wait is over."""
        with suppress(BlockingIOError):
            os.read(self._reader, 64)
        self._called = False  # before looking: whoever comes later calls again
        while self.done:
            self._wake(self.done.popleft(), True)

    def expire(self, now: float) -> None:
        """Tells those who have waited long enough."""
        for signal in [signal for signal, deadline in self.asleep.items() if deadline <= now]:
            self._wake(signal, False)

    def call(self, signal: _TurnSignal) -> None:
        """Notes that a wait is over. Called by any thread."""
        self.done.append(signal)
        if not self._called:
            self._called = True
            os.write(self._writer, b"\0")

    def close(self) -> None:
        self.pool.shutdown(wait=False)
        os.close(self._reader)
        os.close(self._writer)

    def _wake(self, signal: _TurnSignal, done: bool) -> None:
        if self.asleep.pop(signal, None) is not None:  # else its patience ended before
            self._go_on(signal.turn, done)

    def _go_on(self, turn: _Turn, *args: Any) -> None:
        turn.switch(*args)
        if turn.dead:
            self.begun -= 1


class Socket(socket.socket):
    """A connection's socket, on which nobody holds up the others by not reading answers."""

    held: bytearray | None = None

    def hold(self) -> None:
        """Keeps what is sent until `release`, so that head and body of an answer go out together."""
        self.held = bytearray()

    def release(self) -> None:
        """Sends what was held: at once what the system takes, and the rest aside."""
        data, self.held = self.held, None
        if not data:
            return
        sent = 0
        with suppress(BlockingIOError):
            sent = self.send(data, socket.MSG_DONTWAIT)
        if sent < len(data):
            aside(self.sendall, data[sent:])

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        if self.held is None:
            super().sendall(data, flags)
        else:
            self.held += data


class _Turn(greenlet):  # type: ignore[misc]  # greenlet's types are not complete
    """One request on its way."""

    lane: Lane


class _TurnSignal(Signal):
    """A signal for which only one request waits, and not its thread."""

    __slots__ = ("turn",)

    def __init__(self, turn: _Turn) -> None:
        self.turn = turn

    def wait(self, seconds: float = math.inf) -> bool:
        self.turn.lane.asleep[self] = time.monotonic() + seconds
        parent = self.turn.parent
        assert parent is not None, "a turn has begun in a lane"
        return bool(parent.switch())

    def set(self) -> None:
        self.turn.lane.call(self)


def signal() -> Signal:
    """What the caller can wait for."""
    turn = getcurrent()
    return _TurnSignal(turn) if isinstance(turn, _Turn) else Signal()


def aside(act: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Does what may take a while in a thread of its own when the caller's is shared, else right here."""
    turn = getcurrent()
    if not isinstance(turn, _Turn):
        return act(*args, **kwargs)
    over = _TurnSignal(turn)
    future = turn.lane.pool.submit(act, *args, **kwargs)
    future.add_done_callback(lambda _: over.set())
    over.wait()
    return future.result()
