"""Group commit: what waits is stored together, a bad one fails alone, a failing database is told at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from peewee import OperationalError

from models.database import group_commit
from models.database.base import database
from models.database.group_commit import Busy, Locked, Writer
from models.database.handoff import Handoff
from models.database.sqlite import Sqlite


class Store:
    """A commit that can be held up, and that fails for some works."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.batches: list[list[Any]] = []
        self.fails: Callable[[list[Any]], Exception | None] = lambda works: None

    def commit(self, works: list[Any]) -> list[Any]:
        self.entered.set()
        assert self.open.wait(10)
        if works:
            self.batches.append(works)
        error = self.fails(works)
        if error is not None:
            raise error
        return [ValueError(work) if work == "refused" else f"{work} stored" for work in works]


@pytest.fixture(name="store")
def _store() -> Store:
    return Store()


@pytest.fixture(name="group")
def _group(app: Flask, store: Store) -> Iterator[Writer]:
    made = Writer(database.obj, store.commit, "probe")
    yield made
    store.open.set()
    made.stop()


def held(group: Writer, store: Store, works: list[Any], pool: ThreadPoolExecutor) -> list[Future[Any]]:
    """Submits works that all wait while the writer is busy with one before them, then lets it go."""
    store.open.clear()
    store.entered.clear()
    first = pool.submit(group.submit, "first")
    assert store.entered.wait(10)
    futures = [pool.submit(group.submit, work) for work in works]
    while len(group._waiting) < len(works):
        pass
    store.open.set()
    first.exception()
    return futures


def test_what_waits_is_stored_together(group: Writer, store: Store) -> None:
    """While one transaction is written the others gather, and the next one takes them all."""
    works = [str(n) for n in range(20)]
    with ThreadPoolExecutor(21) as pool:
        answers = [future.result() for future in held(group, store, works, pool)]

    assert answers == [f"{work} stored" for work in works]
    assert [len(batch) for batch in store.batches] == [1, 20]


def test_a_refusal_is_one_request_s(group: Writer, store: Store) -> None:
    """A result that is an exception is raised where its work came from, and nowhere else."""
    with ThreadPoolExecutor(4) as pool:
        good, bad, also = held(group, store, ["a", "refused", "b"], pool)

        assert (good.result(), also.result()) == ("a stored", "b stored")
        with pytest.raises(ValueError, match="refused"):
            bad.result()


def test_a_bad_one_fails_alone(group: Writer, store: Store) -> None:
    """When a transaction fails for one of its works, the others are stored without it."""
    store.fails = lambda works: TypeError("bad") if "bad" in works else None
    with ThreadPoolExecutor(4) as pool:
        good, bad, also = held(group, store, ["a", "bad", "b"], pool)

        assert (good.result(), also.result()) == ("a stored", "b stored")
        with pytest.raises(TypeError):
            bad.result()
    assert not group.down


def test_the_database_fails_while_each_is_tried_alone(group: Writer, store: Store) -> None:
    """The others hear of that failure at once. None is told that it was stored, and none of the lock."""

    def fails(works: list[Any]) -> Exception | None:
        if len(works) > 1:
            return Locked("lock timeout")
        return None if works[0] in ("first", "probe") else OperationalError("connection lost")

    store.fails = fails
    with ThreadPoolExecutor(4) as pool:
        errors = [future.exception() for future in held(group, store, ["a", "b", "c"], pool)]

    assert [type(error) for error in errors] == [Busy] * 3
    assert all("connection lost" in str(error) and "lock timeout" not in str(error) for error in errors)


def test_a_failing_database_is_told_at_once(group: Writer, store: Store) -> None:
    """Everyone in the transaction hears of it; who comes next is turned away untried, until it is back."""
    store.fails = lambda works: OperationalError("database or disk is full")
    with ThreadPoolExecutor(4) as pool:
        for future in held(group, store, ["a", "b"], pool):
            with pytest.raises(Busy):
                future.result()

    assert group.down
    with pytest.raises(Busy):
        group.submit("c")
    assert ["c"] not in store.batches

    store.fails = lambda works: None
    while group.down:  # the writer finds out by itself
        pass

    assert group.submit("d") == "d stored"
    assert ["probe"] in store.batches


def test_the_reason_is_told(app: Flask) -> None:
    """SQLite ends a transaction that finds no room itself: that it cannot be undone once more is no news."""

    def commit(works: list[Any]) -> list[Any]:
        def insert() -> None:
            database.execute_sql("ROLLBACK")  # as SQLite does
            raise OperationalError("database or disk is full")

        database.obj.transact(insert, lambda _: True, 0)
        return works

    group = Writer(database.obj, commit)
    try:
        with pytest.raises(Busy, match="disk is full"):
            group.submit("a")
    finally:
        group.stop()


def test_too_many_are_turned_away(group: Writer, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When so many wait, the next one is told at once."""
    monkeypatch.setattr(group_commit, "WAITING", 3)
    store.open.clear()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(group.submit, "first")
        assert store.entered.wait(10)
        waiting = [pool.submit(group.submit, n) for n in range(3)]
        while len(group._waiting) < 3:
            pass
        with pytest.raises(Busy):
            group.submit("late")
        store.open.set()

        assert [future.result() for future in (first, *waiting)] == [
            "first stored",
            *(f"{n} stored" for n in range(3)),
        ]


def test_impatience_stores_nothing(group: Writer, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gives up before the turn came is not stored later; who gives up while it is written waits on."""
    monkeypatch.setattr(group_commit, "PATIENCE", 0.05)
    store.open.clear()
    store.entered.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(group.submit, "first")
        assert store.entered.wait(10)
        with pytest.raises(Busy):
            group.submit("late")
        assert not first.done()
        store.open.set()

        assert first.result() == "first stored"
    assert group.submit("next") == "next stored"
    assert store.batches == [["first"], ["next"]]


def test_stopping_stores_what_waits(app: Flask, store: Store) -> None:
    """A writer that is stopped commits what was submitted before."""
    group = Writer(database.obj, store.commit)
    with ThreadPoolExecutor(4) as pool:
        futures = held(group, store, ["a", "b"], pool)
        group.stop()

        assert [future.result() for future in futures] == ["a stored", "b stored"]


@pytest.mark.parametrize("rung", [True, False])
def test_who_is_called_late_is_forgotten_by_nobody(
    app: Flask, store: Store, monkeypatch: pytest.MonkeyPatch, rung: bool
) -> None:
    """Rung once for several, or stopped, the writer takes all, in as many transactions as it needs."""
    monkeypatch.setattr(group_commit, "AT_MOST", 2)
    rings: list[Callable[[], None]] = []
    group = Writer(database.obj, store.commit, handoff=Handoff(call=rings.append))
    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(group.submit, n) for n in range(5)]
        while len(rings) < 5:
            pass
        assert store.batches == []
        if rung:
            rings[0]()
        else:
            group.stop()

        assert [future.result() for future in futures] == [f"{n} stored" for n in range(5)]
    group.stop()
    assert [len(batch) for batch in store.batches] == [2, 2, 1]


def test_statements_may_be_executed_elsewhere(tmp_path: Path) -> None:
    """A transaction's work runs in another thread, on the writer's connection, and is committed or undone."""
    threads: list[threading.Thread] = []

    def insert(fails: bool) -> None:
        threads.append(threading.current_thread())
        connection.execute_sql(f"INSERT INTO moved VALUES ({len(threads)})")
        assert not fails

    with ThreadPoolExecutor(1) as pool:
        connection = Sqlite(tmp_path / "moved.db", Handoff(bring=lambda act: pool.submit(act).result()))
        connection.execute_sql("CREATE TABLE moved (n INTEGER)")
        connection.transact(partial(insert, False), lambda _: True, 0)
        with pytest.raises(AssertionError):
            connection.transact(partial(insert, True), lambda _: True, 0)
        assert pool.submit(connection.is_closed).result(), "the connection was lent, not given"

    assert threading.current_thread() not in threads
    assert connection.execute_sql("SELECT n FROM moved").fetchall() == [(1,)]


def test_what_would_undo_a_statement_is_kept_in_memory(app: Flask) -> None:
    """Of the connection that writes, and of no other: what sorts a whole table needs as much room as it."""

    def setting() -> int:
        return int(database.execute_sql("PRAGMA temp_store").fetchone()[0])

    assert isinstance(database.obj, Sqlite)
    found: list[int] = []

    def write() -> None:
        for _ in range(2):
            found.append(database.obj.transact(setting, lambda result: False, 0))
        database.close()
        found.append(database.obj.transact(setting, lambda result: False, 0))  # with a new connection
        database.close()

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert found == [2, 2, 2]
    assert setting() == 0


def test_a_transaction_has_so_many_rows(app: Flask, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is taken by its rows: large requests fill a transaction sooner, and none is left out."""
    monkeypatch.setattr(group_commit, "AT_MOST", 10)
    group = Writer(database.obj, store.commit, "probe", rows=lambda work: 6 if work == "large" else 1)
    works = ["large", "large", "large", *(str(n) for n in range(12))]
    try:
        with ThreadPoolExecutor(20) as pool:
            answers = [future.result() for future in held(group, store, works, pool)]
    finally:
        store.open.set()
        group.stop()

    assert answers == [f"{work} stored" for work in works]
    sizes = [sum(6 if work == "large" else 1 for work in batch) for batch in store.batches]
    assert sum(sizes) == 1 + 18 + 12
    assert all(size < 10 + 6 for size in sizes)
