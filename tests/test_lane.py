"""Requests by turns: who waits lets others go on, what takes a while is done aside, nobody is forgotten."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

import pytest
from greenlet import getcurrent

from gateway.lane import Lane, Socket, Together, aside, signal, together


@pytest.fixture(name="lane")
def _lane() -> Iterator[Lane]:
    made = Lane()
    yield made
    made.close()


def settle(lane: Lane, ended: Callable[[], bool]) -> None:
    """Resumes whoever is due until the condition holds."""
    with selectors.DefaultSelector() as selector:
        selector.register(lane.fileno(), selectors.EVENT_READ)
        while not ended():
            assert selector.select(10)
            lane.resume()


def test_who_waits_lets_others_go_on(lane: Lane) -> None:
    """A request stops where it waits, and goes on there, with its own context, once it is told."""
    name = ContextVar[str]("name", default="nobody")
    said, signals = [], {}

    def request(who: str) -> None:
        name.set(who)
        signals[who] = signal()
        said.append(f"{who} waits")
        assert signals[who].wait()
        said.append(f"{name.get()} goes on")

    for who in ("one", "two"):
        lane.run(request, who)
    for who in ("two", "one"):
        thread = threading.Thread(target=signals[who].set)
        thread.start()
        thread.join()
    assert lane.begun == 2
    settle(lane, lambda: lane.begun == 0)

    assert said == ["one waits", "two waits", "two goes on", "one goes on"]
    assert name.get() == "nobody"


def test_one_greenlet_serves_many_requests(lane: Lane) -> None:
    """A request after another one takes its greenlet, and nothing of what it left there."""
    name = ContextVar[str]("name", default="nobody")
    greenlets, seen = [], []
    signals: list[Any] = []

    def request(who: str, waits: bool = False) -> None:
        greenlets.append(getcurrent())
        seen.append((who, name.get()))
        name.set(who)
        if waits:
            signals.append(signal())
            signals[-1].wait()
            seen.append((who, name.get()))

    lane.run(request, "one")
    lane.run(request, "two", True)
    lane.run(request, "three")
    assert lane.begun == 1
    signals[0].set()
    settle(lane, lambda: lane.begun == 0)
    lane.run(request, "four")

    assert seen == [
        ("one", "nobody"),
        ("two", "nobody"),
        ("three", "nobody"),
        ("two", "two"),
        ("four", "nobody"),
    ]
    assert greenlets[0] is greenlets[1] is greenlets[3]
    assert greenlets[2] is not greenlets[0]


def test_nothing_of_a_request_is_kept(lane: Lane) -> None:
    class Body:
        pass

    def request(body: Body) -> None:
        bodies.add(body)

    bodies = WeakSet[Body]()
    lane.run(request, Body())
    assert len(bodies) == 0


def test_patience(lane: Lane) -> None:
    """Who has waited long enough is told so, and may wait again for what is said later."""
    answers: list[bool] = []
    signals: list[Any] = []

    def request() -> None:
        signals.append(signal())
        answers.append(signals[0].wait(5.0))
        answers.append(signals[0].wait())

    lane.run(request)
    lane.expire(0.0)
    assert answers == []
    lane.expire(float("1e12"))
    assert answers == [False]
    lane.expire(float("1e12"))
    signals[0].set()
    settle(lane, lambda: lane.begun == 0)
    assert answers == [False, True]


def test_what_is_said_too_late_wakes_nobody(lane: Lane) -> None:
    """A signal that comes when its request has given up and ended changes nothing."""
    signals: list[Any] = []

    def request() -> None:
        signals.append(signal())
        signals[0].wait(0.0)

    lane.run(request)
    lane.expire(float("1e12"))
    assert lane.begun == 0
    signals[0].set()
    lane.resume()
    assert (lane.begun, lane.asleep, list(lane.done)) == (0, {}, [])


def test_aside(lane: Lane) -> None:
    """What takes a while runs in another thread, its result or error comes back; elsewhere right there."""
    seen: list[Any] = []

    def slow(what: str) -> threading.Thread:
        if what == "wrong":
            raise ValueError(what)
        return threading.current_thread()

    def request() -> None:
        seen.append(aside(slow, "right"))
        with pytest.raises(ValueError, match="wrong"):
            aside(slow, "wrong")
        seen.append(threading.current_thread())

    lane.run(request)
    settle(lane, lambda: lane.begun == 0)

    here = threading.current_thread()
    assert seen[0] is not here
    assert seen[1] is here
    assert aside(slow, what="elsewhere") is here


def test_who_does_not_read_holds_up_nobody(lane: Lane) -> None:
    """An answer that the system does not take at once is sent aside, all of it, in one order."""
    ours, theirs = socket.socketpair()
    sock = Socket(ours.family, ours.type, ours.proto, ours.detach())
    size = 8_000_000
    ended: list[bool] = []

    def request() -> None:
        sock.hold()
        sock.sendall(b"head")
        sock.sendall(b"x" * size)
        sock.release()
        ended.append(True)

    with sock, theirs:
        lane.run(request)
        assert not ended
        received = bytearray()
        while len(received) < size + 4:
            received += theirs.recv(1_000_000)
        settle(lane, lambda: bool(ended))

    assert bytes(received[:6]) == b"headxx"
    assert len(received) == size + 4


def test_what_many_ask_is_asked_once(lane: Lane) -> None:
    """Each gets what it would get alone; who asks for the impossible is told, and nobody else."""
    calls: list[list[int]] = []
    answers: dict[str, Any] = {}

    def halves(items: Sequence[int]) -> list[int]:
        calls.append(list(items))
        assert all(item % 2 == 0 for item in items), "odd"
        return [item // 2 for item in items]

    halved = Together(halves)

    def request(who: str, *items: int) -> None:
        try:
            answers[who] = halved(items)
        except AssertionError as error:
            answers[who] = str(error)

    lane.run(request, "one", 2)
    lane.run(request, "two", 4, 6)
    lane.run(request, "none")
    assert (answers, calls, lane.gathered) == ({}, [], 3)
    lane.scatter()
    assert answers == {"one": [1], "two": [2, 3], "none": []}
    assert calls == [[2, 4, 6]]

    lane.run(request, "one", 8)
    lane.run(request, "two", 9)
    lane.scatter()
    assert (answers["one"], answers["two"].partition("\n")[0]) == ([4], "odd")
    assert (lane.begun, lane.gathered) == (0, 0)

    request("elsewhere", 10)
    assert answers["elsewhere"] == [5]


def test_what_many_want_is_done_once(lane: Lane) -> None:
    """When the round ends, and also what is wanted only then; elsewhere right there."""
    done: list[str] = []
    labelled = Together(lambda items: [done.append("labelled") for _ in items])

    def request() -> None:
        labelled([1])
        together(stored)

    def stored() -> None:
        done.append("stored")

    lane.run(request)
    lane.run(request)
    assert done == []
    lane.scatter()
    assert done == ["labelled", "labelled", "stored"]
    together(stored)
    assert done[3:] == ["stored"]


def test_bring(lane: Lane) -> None:
    """Another thread's work is done in the lane's own; its result or error goes back."""
    seen: list[Any] = []

    def fail() -> None:
        raise KeyError("wrong")

    def elsewhere() -> None:
        seen.append(lane.bring(threading.current_thread))
        try:
            lane.bring(fail)
        except KeyError as error:
            seen.append(error.args)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    with selectors.DefaultSelector() as selector:
        selector.register(lane.fileno(), selectors.EVENT_READ)
        while thread.is_alive():
            selector.select(0.01)
            lane.resume()
    assert seen == [threading.current_thread(), ("wrong",)]


def test_a_lane_that_ends_leaves_nobody_waiting() -> None:
    """What was brought before is done as it closes, what comes later where it comes from."""
    lane = Lane()
    seen: list[threading.Thread] = []
    thread = threading.Thread(target=lambda: seen.append(lane.bring(threading.current_thread)))
    thread.start()
    with selectors.DefaultSelector() as selector:
        selector.register(lane.fileno(), selectors.EVENT_READ)
        assert selector.select(10)
    lane.close()
    thread.join()
    thread = threading.Thread(target=lambda: seen.append(lane.bring(threading.current_thread)))
    thread.start()
    thread.join()
    assert seen == [threading.current_thread(), thread]
