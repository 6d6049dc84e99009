"""Requests that share a thread: who waits lets others go on, what takes a while is done aside."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from functools import partial
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from gateway.core import cooperative
from gateway.core.cooperative import Together, aside, bring, signal, together


@pytest.fixture(name="shared", autouse=True)
def _shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The greenlets of this thread are requests, of so many connections; they wait for each other until
    told."""
    connections = [1_000]
    monkeypatch.setattr(cooperative, "GATHER", 60.0)
    cooperative.begin(lambda: connections[0])
    yield connections
    cooperative.end()


def test_the_command_line_does_without_gevent() -> None:
    code = "import sys, gateway.cli; assert 'gevent' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_who_waits_lets_others_go_on() -> None:
    """A request stops where it waits, and goes on there, with its own context, once it is told."""
    name = ContextVar[str]("name", default="nobody")
    said, signals = [], {}

    def request(who: str) -> None:
        name.set(who)
        signals[who] = signal()
        said.append(f"{who} waits")
        assert signals[who].wait()
        said.append(f"{name.get()} goes on")

    requests = [gevent.spawn(request, who) for who in ("one", "two")]
    gevent.idle()
    for number, who in enumerate(("two", "one")):
        thread = threading.Thread(target=signals[who].set)
        thread.start()
        thread.join()
        requests[1 - number].get(timeout=10)

    assert said == ["one waits", "two waits", "two goes on", "one goes on"]
    assert name.get() == "nobody"


def test_patience() -> None:
    """Who has waited long enough is told so, and may wait again for what is said later."""
    signals: list[Any] = []

    def request() -> list[bool]:
        waited = signal()
        told = [waited.wait(0.001)]
        signals.append(waited)
        return [*told, waited.wait()]

    waiting = gevent.spawn(request)
    while not signals:
        gevent.sleep(0.001)
    signals[0].set()
    assert waiting.get(timeout=10) == [False, True]


def test_aside() -> None:
    """What takes a while runs in another thread, its result or error comes back; elsewhere right here."""

    def slow(what: str) -> threading.Thread:
        if what == "wrong":
            raise ValueError(what)
        return threading.current_thread()

    def request() -> threading.Thread:
        with pytest.raises(ValueError, match="wrong"):
            aside(slow, "wrong")
        return aside(slow, what="right")

    here = threading.current_thread()
    assert gevent.spawn(request).get(timeout=10) is not here
    assert aside(slow, what="elsewhere") is here


def test_bring() -> None:
    """Another thread's work is done in the shared one; its result or error goes back."""

    def fail() -> None:
        raise KeyError("wrong")

    def elsewhere(waits: bool) -> threading.Thread:
        with pytest.raises(KeyError, match="wrong"):
            bring(fail, waits=waits)
        return bring(threading.current_thread, waits=waits)

    for waits in (False, True):
        found = gevent.get_hub().threadpool.spawn(elsewhere, waits).get(timeout=10)
        assert found is threading.current_thread()
    assert gevent.spawn(bring, threading.current_thread).get(timeout=10) is threading.current_thread()


def test_the_end_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was brought before is done, what comes later where it comes from."""
    seen: list[threading.Thread] = []
    brought = threading.Event()
    real = cooperative._loop.run_callback_threadsafe

    def bring_soon(*args: Any) -> None:
        real(*args)
        brought.set()

    monkeypatch.setattr(cooperative, "_loop", SimpleNamespace(run_callback_threadsafe=bring_soon))

    def elsewhere() -> None:
        seen.append(bring(threading.current_thread))

    first, second = (threading.Thread(target=elsewhere) for _ in range(2))
    first.start()
    brought.wait()
    cooperative.end()
    while first.is_alive():
        gevent.sleep(0)
    second.start()
    second.join()
    cooperative.begin(int)
    assert seen == [threading.current_thread(), second]


def test_what_many_ask_is_asked_once() -> None:
    """Each gets what it would get alone; who asks for the impossible is told, and nobody else."""
    calls: list[list[int]] = []

    def halves(items: Sequence[int]) -> list[int]:
        calls.append(list(items))
        assert all(item % 2 == 0 for item in items), "odd"
        return [item // 2 for item in items]

    halved = Together(halves)

    def ask(*asked: list[int]) -> list[Any]:
        requests = [gevent.spawn(halved, items) for items in asked]
        gevent.idle()
        assert not any(request.ready() for request in requests)
        cooperative._scatter()
        gevent.joinall(requests)
        return [request.value or request.exception for request in requests]

    assert ask([2], [4, 6], []) == [[1], [2, 3], None]
    assert calls == [[2, 4, 6]]
    right, wrong = ask([8], [9])
    assert (right, type(wrong)) == ([4], AssertionError)
    assert halved([10]) == [5]  # who shares no thread waits for nobody


def test_what_many_want_is_done_once(shared: list[int]) -> None:
    """When most have come; elsewhere right here."""
    done: list[str] = []

    def store() -> None:
        done.append("stored")

    shared[0] = 3
    gevent.joinall([gevent.spawn(together, store) for _ in range(2)])
    gevent.idle()
    assert done == []
    gevent.spawn(together, store).join()
    gevent.idle()
    assert done == ["stored"]
    together(store)
    assert done == ["stored", "stored"]


def test_what_is_last_waits_for_those_who_were_helped(shared: list[int]) -> None:
    """One transaction then stores them all."""
    waiting: list[int] = []
    stored: list[list[int]] = []
    label = Together(lambda items: items)

    def store() -> None:
        stored.append([*waiting])
        waiting.clear()

    def request(number: int, *, labels: bool) -> None:
        if labels:
            label([number])
        waiting.append(number)
        together(store, last=True)

    shared[0] = 3
    gevent.joinall([gevent.spawn(request, number, labels=number > 0) for number in range(3)])
    gevent.idle()
    assert stored == [[0, 1, 2]]


def test_what_is_last_is_put_off_once() -> None:
    """Others who come all the time do not hold it up."""
    done: list[str] = []
    gevent.spawn(together, partial(done.append, "last"), last=True).join()
    for turn in range(2):
        gevent.spawn(together, partial(done.append, f"other {turn}")).join()
        cooperative._scatter()
        assert done[: turn + 1] == ["other 0", "other 1"][: turn + 1]
    assert done == ["other 0", "other 1", "last"]


def test_nobody_is_forgotten_when_others_leave(shared: list[int]) -> None:
    """Who comes the moment a wait is over, when fewer are waited for than have come already."""
    done: list[int] = []
    shared[0] = 4
    gevent.joinall([gevent.spawn(together, partial(done.append, n)) for n in range(2)])
    third = gevent.spawn(together, partial(done.append, 2))
    cooperative._waited()
    shared[0] = 1
    third.join()
    gevent.idle()
    assert sorted(done) == [0, 1, 2]


def test_nobody_waits_long_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooperative, "GATHER", 0.001)
    cooperative.begin(lambda: 1_000)
    assert gevent.spawn(Together(lambda items: items), [1]).get(timeout=10) == [1]
