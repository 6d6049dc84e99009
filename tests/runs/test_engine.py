"""The engine of runs: each is done by one host at a time until it has ended, and goes on after any death."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.background.lease import LEASE, Work, run_once
from gateway.core.config import Config
from gateway.core.ids import now_ms
from gateway.files.store import store
from gateway.runs import callbacks, lifecycle, registry, worker
from gateway.runs.technique import Failed, Outputs, Result, Task, Technique, _percent
from models import Callback, Job, Run
from models.database.base import close, database, writing
from models.tables import asset, job, run
from models.tables.workspace import Workspace
from tests.conftest import Tenant
from tests.runs.conftest import Act, Start, technique

pytestmark = pytest.mark.both

Probed = Callable[[Act], Technique]


class Killed(BaseException):
    """A host dies here: nothing of ours is asked about it."""


def host(n: int = 0) -> bool:
    """One look of a host that has nothing else to do."""
    return run_once(Work(run.WORKS[n], worker.do_runs))


def later() -> None:
    """The leases of whoever died have ended."""
    with writing():
        Job.update(leased_until=0, due_at=0).execute()
        Run.update(leased_until=0).execute()


def row_of(run_id: str) -> dict[str, Any]:
    row = run.find(None, run_id)
    assert row is not None
    return row


def report(text: str = "done") -> Outputs:
    return [Result("report", "report.json", "application/json", [b'{"told": "', text.encode(), b'"}'])]


def test_a_run_is_done(probed: Probed, start: Start, tenant: Tenant) -> None:
    """It is pending until a host takes it; then its outputs are assets whose bytes are in the store."""
    seen: list[tuple[str, int]] = []

    def act(task: Task) -> Outputs:
        task.step(1, 4)
        now = row_of(task.id)
        seen.append((now["status"], now["progress"]))
        return report(task.inputs["text"])

    made = start(probed(act), {"text": "so"})
    assert (made["status"], made["progress"], made["started_at"]) == ("pending", 0, None)

    assert host()
    row = row_of(made["id"])
    assert seen == [("running", 25)]
    assert (row["status"], row["progress"], row["owner"], row["error_code"]) == ("completed", 100, None, None)
    assert row["created_at"] <= row["started_at"] <= row["completed_at"]
    (output,) = row["outputs"]
    assert (output["id"], output["type"], output["name"]) == ("report", "documentUrl", "report.json")
    kept = asset.find(tenant.workspace_id, None, output["asset_id"])
    assert kept is not None and kept["status"] == "ready"
    assert b"".join(store().open(kept["sha256"])) == b'{"told": "so"}'


def test_a_new_run_is_hurried(probed: Probed, start: Start) -> None:
    """Who has looked in vain looks again at once when there is a run, also when it came while they looked."""
    made = probed(lambda task: report())
    assert host()
    assert job.hurried(now_ms()) == []
    start(made)
    assert job.hurried(now_ms()) == [run.WORKS[0]]
    owner = "busy"
    assert job.claim(run.WORKS[0], owner, now_ms(), now_ms() + LEASE)
    assert job.hurried(now_ms()) == []
    start(made)
    job.finish(run.WORKS[0], owner, now_ms(), now_ms() + 60_000)
    assert job.hurried(now_ms()) == [run.WORKS[0]]


@pytest.mark.parametrize("deaths", [0, 1, 3])
def test_a_dead_host_is_followed(probed: Probed, start: Start, deaths: int) -> None:
    """Each step is done once, whichever hosts die in between, and progress is never less than before."""
    done: list[int] = []
    told: list[int] = []
    left = deaths

    def act(task: Task) -> Outputs:
        nonlocal left
        for n in range(task.position or 0, 6):

            def part(n: int = n) -> None:
                done.append(n)
                task.note(n + 1, 6, n + 1)

            task.transact(part)
            told.append(row_of(task.id)["progress"])
            if left and n % 2:
                left -= 1
                raise Killed
        return report()

    made = start(probed(act))
    for _ in range(deaths):
        with pytest.raises(Killed):
            host()
        assert row_of(made["id"])["status"] == "running"
        later()
    host()

    assert done == list(range(6))
    assert told == sorted(told)
    assert row_of(made["id"])["status"] == "completed"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 200), st.integers(-1, 150)), max_size=8))
def test_progress_never_goes_back(steps: list[tuple[int, int]]) -> None:
    """Whatever a technique says of itself is from 0 to 99."""
    assert all(0 <= _percent(max(0, done), total) <= 99 for done, total in steps)


def test_progress_is_kept_by_the_row(probed: Probed, start: Start) -> None:
    """Who begins anew, or miscounts, does not take back what people have seen."""
    told: list[int] = []

    def act(task: Task) -> Outputs:
        for done in (10, 60, 5, 70, 0):
            task.step(done, 100, done)
            told.append(row_of(task.id)["progress"])
        return report()

    start(probed(act))
    host()
    assert told == [10, 60, 60, 70, 70]


def test_two_hosts_one_run(probed: Probed, start: Start) -> None:
    """Of two that come at once one does it."""
    done: list[str] = []
    together = threading.Barrier(2)

    def act(task: Task) -> Outputs:
        done.append(task.id)
        return report()

    made = start(probed(act))

    def look(n: int) -> None:
        together.wait()
        try:
            host(n)
        finally:
            database.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(look, range(2)))
    assert done == [made["id"]]
    assert row_of(made["id"])["status"] == "completed"


def test_a_claim_is_one_statement(probed: Probed, start: Start) -> None:
    """Many who ask for the same run at once: one gets it, as a live lease is nobody else's."""
    start(probed(lambda task: report()))

    def claim(n: int) -> bool:
        try:
            with writing():
                return run.claim(f"host {n}", now_ms(), now_ms() + LEASE) is not None
        finally:
            database.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(8))) == 1
    assert not run.waiting(now_ms())
    assert run.waiting(now_ms() + LEASE + 1)


def test_who_was_away_too_long_writes_nothing(probed: Probed, start: Start) -> None:
    """A host whose lease ended, and whose run somebody else has, cannot write any more of it."""
    written: list[str] = []

    def act(task: Task) -> Outputs:
        with writing():
            Run.update(owner="another").where(Run.id == task.id).execute()
        task.transact(lambda: written.append("by the first"))
        return report()

    made = start(probed(act))
    assert host()
    row = row_of(made["id"])
    assert written == [] and (row["status"], row["owner"]) == ("running", "another")


def test_a_run_is_cancelled(probed: Probed, start: Start, tenant: Tenant) -> None:
    """It ends at its next step and writes nothing more; one that has ended is not ended once more."""
    after: list[str] = []

    def act(task: Task) -> Outputs:
        task.step(1, 2)
        assert lifecycle.cancel(tenant.workspace_id, task.id, "usr_admin")
        task.transact(lambda: after.append("written"))
        return report()

    made = probed(act)
    running, waiting = start(made), start(made)
    assert lifecycle.cancel(tenant.workspace_id, waiting["id"], "usr_admin")
    host()
    for one in (running, waiting):
        row = row_of(one["id"])
        assert (row["status"], row["error_code"]) == ("failed", "cancelled")
        assert row["completed_at"] and not row["outputs"]
        assert not lifecycle.cancel(tenant.workspace_id, one["id"], "usr_admin")
    assert after == []


def test_cancelled_as_it_ends(probed: Probed, start: Start, tenant: Tenant, config: Config) -> None:
    """Whoever comes while the last transaction is under way changes nothing of what that has told."""
    made = start(probed(lambda task: report()), callback_url="https://example.org/")

    def cancelled() -> bool:
        try:
            return lifecycle.cancel(tenant.workspace_id, made["id"], "usr_admin")
        finally:
            database.close()

    with ThreadPoolExecutor(1) as pool:
        with writing():
            lifecycle.end(made["id"])
            late = pool.submit(cancelled)
            held = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while not config.embedded and not late.done() and not database.execute_sql(held).fetchone()[0]:
                pass
        assert late.result() is False
    assert row_of(made["id"])["status"] == "completed"
    assert [row.event for row in Callback.select()] == ["run.completed"]


def test_only_ones_own_is_cancelled(probed: Probed, start: Start, other: Tenant) -> None:
    made = start(probed(lambda task: report()))
    assert not lifecycle.cancel(other.workspace_id, made["id"], "usr_admin")
    assert row_of(made["id"])["status"] == "pending"


@pytest.mark.parametrize("fails", [Failed("input_unreachable", "It is gone."), ValueError("secret")])
def test_a_run_fails(
    probed: Probed, start: Start, fails: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Why is told in words that say nothing of the inside, and the next run is done."""

    def act(task: Task) -> Outputs:
        if task.inputs:
            raise fails
        return report()

    made = probed(act)
    bad, good = start(made, {"text": "bad"}), start(made)
    host()
    row = row_of(bad["id"])
    code = getattr(fails, "code", "internal_error")
    assert (row["status"], row["error_code"]) == ("failed", code)
    assert "secret" not in row["error_message"]
    assert row_of(good["id"])["status"] == "completed"


def test_what_takes_hosts_down_ends(probed: Probed, start: Start) -> None:
    """A run that gets no further however often it is begun does not take down hosts for ever."""

    def act(task: Task) -> Outputs:
        raise Killed

    made = start(probed(act))
    for _ in range(run.ATTEMPTS):
        with pytest.raises(Killed):
            host()
        later()
    assert host()
    row = row_of(made["id"])
    assert (row["status"], row["error_code"]) == ("failed", "internal_error")


def test_a_host_that_stops_gives_back(probed: Probed, start: Start) -> None:
    """On SIGTERM a run is free at once for another host, which goes on from its position."""
    stop = threading.Event()

    def act(task: Task) -> Outputs:
        if task.position is None:
            task.step(1, 2, "half")
            stop.set()
        task.step(1, 1)
        return report(task.position)

    made = start(probed(act))
    run_once(Work(run.WORKS[0], worker.do_runs), stop.is_set)
    row = row_of(made["id"])
    assert (row["status"], row["owner"], row["leased_until"]) == ("running", None, 0)
    host()
    row = row_of(made["id"])
    assert row["status"] == "completed"


def test_a_run_ends_once(
    probed: Probed, start: Start, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who cancels while it is being completed finds that it has ended, and nothing is told of it twice."""
    made = start(probed(lambda task: report()))
    looked, plain = threading.Event(), run.first

    def first(query: Any) -> Any:
        found = plain(query)
        if threading.current_thread() is not threading.main_thread():
            looked.set()
        return found

    def cancel() -> bool:
        try:
            return lifecycle.cancel(tenant.workspace_id, made["id"], "key")
        finally:
            database.close()

    monkeypatch.setattr(run, "find", lambda workspace_id, run_id: made)
    monkeypatch.setattr(run, "first", first)
    with ThreadPoolExecutor(1) as pool:
        with writing():
            assert lifecycle.end(made["id"], [])
            cancelled = pool.submit(cancel)
            looked.wait(1)  # who looks too early has seen a run that has not ended; who waits has not looked
        assert not cancelled.result()
    monkeypatch.undo()
    assert row_of(made["id"])["status"] == "completed"


def test_stopping_is_no_attempt(probed: Probed, start: Start) -> None:
    """A run that is slow to its first step outlives any number of restarts."""
    stop, late = threading.Event(), False

    def act(task: Task) -> Outputs:
        if not late:
            stop.set()
        task.step(1, 2)
        return report()

    made = start(probed(act))
    for _ in range(run.ATTEMPTS + 2):
        stop.clear()
        run_once(Work(run.WORKS[0], worker.do_runs), stop.is_set)
        later()
        assert (row_of(made["id"])["status"], row_of(made["id"])["attempts"]) == ("running", 0)
    late = True
    stop.clear()
    assert host()
    assert row_of(made["id"])["status"] == "completed"


def test_an_unknown_technique_fails(start: Start, probed: Probed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that a newer program started is told as failed."""
    made = start(probed(lambda task: report()))
    monkeypatch.setattr(registry, "load", dict)
    host()
    assert row_of(made["id"])["error_code"] == "internal_error"


def test_the_same_key_is_the_same_run(start: Start, probed: Probed, other: Tenant) -> None:
    """Of a technique in a workspace; elsewhere it is another one."""
    made = probed(lambda task: report())
    first = start(made, {"text": "a"}, idempotency_key="k")
    assert start(made, {"text": "b"}, idempotency_key="k") == first
    assert start(technique(made.act, "another"), idempotency_key="k")["id"] != first["id"]
    with writing():
        theirs, new = lifecycle.start(made, {}, other.workspace_id, "key", idempotency_key="k")
    assert new and theirs["id"] != first["id"]


def test_one_key_at_once(start: Start, probed: Probed) -> None:
    """Many with one key at the same moment start one run."""
    made = probed(lambda task: report())

    def begin(n: int) -> str:
        try:
            return str(start(made, {"text": str(n)}, idempotency_key="k")["id"])
        finally:
            database.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(begin, range(8)))) == 1


def test_a_budget_of_runs(start: Start, probed: Probed, tenant: Tenant) -> None:
    """A workspace starts as many runs in a month as it may; a repeat is none."""
    made = probed(lambda task: report())
    assert lifecycle.left(tenant.workspace_id) is None
    with writing():
        Workspace.update(runs_a_month=2).where(Workspace.id == tenant.workspace_id).execute()
    first = start(made, idempotency_key="k")
    start(made)
    assert lifecycle.left(tenant.workspace_id) == 0
    assert start(made, idempotency_key="k") == first
    with pytest.raises(lifecycle.Spent, match="1 required, 0 available"):
        start(made)
    with writing():  # it is those of this month that count
        Run.update(id=Run.id.concat("x")).where(Run.id != first["id"]).execute()
        Run.update(id="run_00000000000000000000000000").where(Run.id == first["id"]).execute()
    assert lifecycle.left(tenant.workspace_id) == 1


def test_an_end_and_its_callback_are_one(
    start: Start, probed: Probed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The callback is stored in the transaction that ends the run: without it the run has not ended."""
    heard: list[tuple[str, str, bool]] = []

    def schedule(row: dict[str, Any]) -> None:
        heard.append((row["status"], row["callback_url"], database.in_transaction()))
        if len(heard) == 1:
            raise Killed

    monkeypatch.setattr(callbacks, "schedule", schedule)
    made = start(probed(lambda task: report()), callback_url="https://example.org/")
    with pytest.raises(Killed):
        host()
    assert row_of(made["id"])["status"] == "running"
    later()
    host()
    assert heard == [("completed", "https://example.org/", True)] * 2
    assert row_of(made["id"])["status"] == "completed"


def test_techniques_are_found_by_being_there() -> None:
    """Each has an id of its own, which is the same on every gateway, and is found by that and its slug."""
    known = registry.load()
    assert {"import-feedback", "export-feedback", "retrain"} <= set(known)
    assert all(registry.find(one.slug) is registry.find(one.id) is one for one in known.values())
    assert len({one.id for one in known.values()}) == len(known)
    assert known["import-feedback"].id == "tech_e6761db3fe5d"
    assert registry.find("tech_none") is None
    close()
