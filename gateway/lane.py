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
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

from models.writer import Signal

ASIDE = 4  # threads for what would hold up everybody
SPARE = 64  # greenlets that wait for another request
_ENDED = object()

P = ParamSpec("P")
Item = TypeVar("Item")
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
        self.called = False  # whether `resume` is due
        self._jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._closed = False
        self._closing = threading.Lock()
        self.gathered = 0  # requests that want something done which need not be done for each
        self.since = 0.0  # when the last of them came to that, monotonic seconds
        self._wanted: set[Callable[[], None]] = set()
        self._spare: list[_Turn] = []

    def fileno(self) -> int:
        """What becomes readable when `resume` is due."""
        return self._reader

    def run(self, act: Callable[..., None], *args: Any) -> None:
        """Begins a request, and returns when it has ended or waits."""
        turn = self._spare.pop() if self._spare else self._new()
        self.begun += 1
        self._go_on(turn, partial(act, *args))

    def _new(self) -> _Turn:
        turn = _Turn(self)
        turn.switch()  # it waits for its first request as for any other
        return turn

    def resume(self, _: object = None) -> None:
        """Lets everybody go on whose wait is over."""
        with suppress(BlockingIOError):
            os.read(self._reader, 64)
        self.called = False  # before looking: whoever comes later calls again
        while self._jobs:
            _do(*self._jobs.popleft())
        while self.done:
            self.wake(self.done.popleft(), True)

    def expire(self, now: float) -> None:
        """Tells those who have waited long enough."""
        for signal in [signal for signal, deadline in self.asleep.items() if deadline <= now]:
            self.wake(signal, False)

    def gather(self, act: Callable[[], None]) -> None:
        """Notes what a request wants done, and others want too: it is done once, in `scatter`."""
        self.gathered += 1
        self.since = time.monotonic()
        self._wanted.add(act)

    def scatter(self) -> None:
        """Does what the gathered want."""
        while self._wanted:
            self._wanted.pop()()
        self.gathered = 0

    def call(self, signal: _TurnSignal) -> None:
        """Notes that a wait is over. Called by any thread."""
        self.done.append(signal)
        self._call()

    def bring(self, act: Callable[[], Result]) -> Result:
        """Does something short in the lane's thread, between turns. Called by any other thread."""
        future: Future[Result] = Future()
        with self._closing:
            if self._closed:
                return act()
            self._jobs.append((future, act))
            self._call()
        return future.result()

    def close(self) -> None:
        with self._closing:
            self._closed = True
        while self._jobs:
            _do(*self._jobs.popleft())
        self.pool.shutdown(wait=False)
        self._spare.clear()
        os.close(self._reader)
        os.close(self._writer)

    def _call(self) -> None:
        if not self.called:
            self.called = True
            os.write(self._writer, b"\0")

    def wake(self, signal: _TurnSignal, done: bool) -> None:
        """Lets a request go on whose wait is over, or its patience."""
        if self.asleep.pop(signal, None) is not None:  # else its patience ended before
            self._go_on(signal.turn, done)

    def _go_on(self, turn: _Turn, what: Any) -> None:
        if turn.switch(what) is not _ENDED:
            return
        self.begun -= 1
        if len(self._spare) < SPARE:
            turn.gr_context = None  # the next request begins with a context of its own
            self._spare.append(turn)


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
    """One request on its way, and then another: for each new greenlet the system maps and clears memory."""

    def __init__(self, lane: Lane) -> None:
        super().__init__()
        self.lane = lane

    def run(self) -> None:
        """Requests one after the other, each when it is switched to."""
        while True:
            act = self.parent.switch(_ENDED)
            act()
            del act  # what it holds does not wait for the next one


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

    def wake(self) -> None:
        """Says it in the lane's own thread, between turns."""
        self.turn.lane.wake(self, True)


def _do(future: Future[Result], act: Callable[[], Result]) -> None:
    try:
        future.set_result(act())
    except BaseException as error:
        future.set_exception(error)


def signal() -> Signal:
    """What the caller can wait for."""
    turn = getcurrent()
    return _TurnSignal(turn) if isinstance(turn, _Turn) else Signal()


def together(act: Callable[[], None]) -> None:
    """Has something done soon, once for all requests of a lane that want it; elsewhere right here."""
    turn = getcurrent()
    if isinstance(turn, _Turn):
        turn.lane.gather(act)
    else:
        act()


class Together(Generic[Item, Result]):
    """A function from items to their results that, in a lane, is asked once for those of many requests.

    What a step needs is near when it has just been done for another request. One after the other,
    each step finds the processor's caches full of what the other steps need, and takes half as
    long again.
    """

    def __init__(self, act: Callable[[Sequence[Item]], list[Result]]) -> None:
        self._act = act
        self._gathered: list[_Asked] = []

    def __call__(self, items: Sequence[Item]) -> list[Result]:
        """The items' results, as if nobody else asked. Raises what the function raises for them."""
        turn = getcurrent()
        if not isinstance(turn, _Turn):
            return self._act(items)
        asked = _Asked(items, _TurnSignal(turn))
        self._gathered.append(asked)
        turn.lane.gather(self._answer)
        asked.over.wait()
        if asked.error is not None:
            raise asked.error
        return asked.results

    def _answer(self) -> None:
        gathered, self._gathered = self._gathered, []
        try:
            results = iter(self._act([item for asked in gathered for item in asked.items]))
            for asked in gathered:
                asked.results = [next(results) for _ in asked.items]
        except Exception:
            for asked in gathered:
                asked.alone(self._act)
        for asked in gathered:
            asked.over.wake()


class _Asked:
    """What one request asks together with others."""

    __slots__ = ("error", "items", "over", "results")

    def __init__(self, items: Sequence[Any], over: _TurnSignal) -> None:
        self.items = items
        self.over = over
        self.results: list[Any] = []
        self.error: Exception | None = None

    def alone(self, act: Callable[[Sequence[Any]], list[Any]]) -> None:
        try:
            self.results = act(self.items)
        except Exception as error:
            self.error = error


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
