"""PostgreSQL: its schema, lost connections, and what only a server can do to a transaction."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from peewee import IntegrityError, OperationalError

from models import ApiKey, Feedback, close, connect
from models.database.base import database, serialise, writing
from models.intake import commit as intake
from models.migrations import migrate, pending
from models.tables.feedback import find
from tests import postgres
from tests.conftest import ROOT, Call, Tenant, environ_of, until

psycopg = pytest.importorskip("psycopg")
TEXT = {"text": "The export of last month is empty"}
END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ? AND pid <> ?"


@pytest.fixture(name="kind")
def _kind() -> str:
    return "postgres"


@pytest.mark.parametrize("many", [4, pytest.param(10, marks=pytest.mark.long)])
@pytest.mark.long
def test_processes_migrate_at_once(cluster: postgres.Cluster, tmp_path: Path, many: int) -> None:
    """Processes that start on one empty database end with one schema, and none with an error."""
    with cluster.database("template0") as url:
        environ = environ_of(tmp_path, **postgres.settings(url))
        command = [sys.executable, "-m", "gateway.cli", "migrate", "--json"]
        started = [
            subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(many)
        ]
        ended = [(process.communicate(timeout=120), process.returncode) for process in started]
        connect(url)
        waiting = pending()
        close()

    assert [code for _, code in ended] == [0] * many, ended
    assert sum(b"0001_first" in out for (out, _), _ in ended) == 1
    assert waiting == []


@pytest.mark.parametrize("table", ["feedback", "quarantine"])
@pytest.mark.usefixtures("app")
def test_writes_while_an_index_waits(table: str) -> None:
    """A table can be written to while a migration waits for somebody's transaction to index it."""
    database.execute_sql("DELETE FROM schema_migration WHERE name = '0013_indexes'")
    waits = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%% INDEX %%' AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor() as pool, psycopg.connect(database.obj.database) as other:
        other.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        migrated = pool.submit(migrate)
        until(lambda: database.execute_sql(waits).fetchone())
        with psycopg.connect(database.obj.database, options="-c lock_timeout=1s") as third:
            third.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        other.rollback()

        assert migrated.result() == ["0013_indexes"]
    assert database.execute_sql("SELECT 1 FROM pg_index WHERE NOT indisvalid").fetchall() == []


def test_serving_needs_the_schema(cluster: postgres.Cluster, tmp_path: Path) -> None:
    """`serve` changes nothing on a server, and says what to do."""
    with cluster.database("template0") as url:
        command = [sys.executable, "-m", "gateway.cli", "serve"]
        environ = environ_of(tmp_path, **postgres.settings(url))
        done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "feedback-gateway migrate" in done.stderr


def test_lost_connections(call: Call) -> None:
    """After a restart of the server the next read, write and delivery work; nobody sees an error."""
    record = call("POST", "/gateway/v1/feedback", json=TEXT).json
    address = f"/gateway/v1/feedback/{record['id']}"
    for method, path, body in (
        ("GET", address, None),
        ("PATCH", address, {"status": "resolved"}),
        ("POST", "/gateway/v1/feedback", TEXT),
    ):
        with psycopg.connect(database.obj.database, autocommit=True) as other:
            mine = other.info.backend_pid
            other.execute(END_OTHERS.replace("?", "%s"), (other.info.dbname, mine))
        options = {"json": body} if body else {}

        assert call(method, path, **options).status_code in (200, 201)


def test_a_commit_nobody_heard_of(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the connection is lost after the commit, the record is there once and the sender hears of it."""
    commit, lost = type(database.obj).commit, []

    def once(self: Any) -> None:
        commit(self)
        if not lost and threading.current_thread().name == "writer":
            lost.append(True)
            self._state.conn.close()
            raise OperationalError(psycopg.OperationalError("server closed the connection unexpectedly"))

    monkeypatch.setattr(type(database.obj), "commit", once)
    answered = call("POST", "/gateway/v1/feedback", json=TEXT)

    assert lost
    assert answered.status_code == 201
    assert [row.id for row in Feedback.select()] == [answered.json["id"]]


def test_what_passes_is_tried_again(app: Flask) -> None:
    """A deadlock or a collision is tried again until it passes, anything else and for ever is not."""
    tries: list[int] = []

    def work(error: Exception, times: int) -> str:
        tries.append(1)
        if len(tries) <= times:
            raise error
        return "done"

    def transact(error: Exception, times: int, patience: float) -> str:
        tries.clear()
        done: str = database.obj.transact(lambda: work(error, times), lambda done: False, patience)
        return done

    deadlock = OperationalError(psycopg.errors.DeadlockDetected("deadlock detected"))
    assert transact(deadlock, 3, 5) == "done"
    assert len(tries) == 4
    with pytest.raises(OperationalError):
        transact(deadlock, 1, 0)
    for error in (IntegrityError("not unique"), OperationalError("disk full"), KeyError("bug")):
        with pytest.raises(type(error)):
            transact(error, 1, 5)
        assert len(tries) == 1


def test_who_changes_a_row_has_it_alone(tenant: Tenant, call: Call) -> None:
    """A person's change and a delivery's wait for each other: neither undoes the other."""
    record = call("POST", "/gateway/v1/feedback", json=TEXT).json
    with ThreadPoolExecutor(1) as pool:
        with writing():
            assert find(tenant.workspace_id, None, record["id"], to_change=True)
            waits = pool.submit(call, "PATCH", f"/gateway/v1/feedback/{record['id']}", json={"impact": 9})
            held = "SELECT count(*) FROM pg_locks WHERE NOT granted"  # activity is cached in a transaction
            while not database.execute_sql(held).fetchone()[0]:
                pass
            Feedback.update(status="resolved").execute()
        changed = waits.result().json

    assert (changed["status"], changed["impact"]) == ("resolved", 9)


def test_names_are_waited_for(app: Flask) -> None:
    """Of two transactions that name the same one waits, in whatever order they name several."""
    done: list[int] = []

    def take(n: int) -> None:
        with writing():
            serialise([("a",), ("b",)] if n % 2 else [("b",), ("a",)])
            before = len(done)
            database.execute_sql("SELECT 1")
            assert len(done) == before
            done.append(n)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, range(64)))

    assert sorted(done) == list(range(64))


def test_connections_are_bounded(config: Any, app: Flask) -> None:
    """However many threads ask, no more connections than allowed are open, and all are answered."""
    close()
    connect(config.database_url, 3)
    migrate()
    with ThreadPoolExecutor(40) as pool:
        counts = list(pool.map(lambda _: ApiKey.select().count(), range(200)))
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"

    assert counts == [0] * 200
    assert database.execute_sql(asked).fetchone()[0] <= 3


def test_commits_are_synced_whatever_the_default(cluster: postgres.Cluster) -> None:
    """A server that does not sync commits by default does so for us."""
    with cluster.database() as url:
        name = url.rpartition("/test")[2].partition("?")[0]
        cluster.run(f"ALTER DATABASE test{name} SET synchronous_commit = off")
        connect(url)
        try:
            assert database.execute_sql("SHOW synchronous_commit").fetchone() == ("on",)
        finally:
            close()


@pytest.mark.parametrize(
    "path", ["/gateway/v1/feedback/%00", "/gateway/v1/feedback?source=a%00b", "/hooks/slack/%00"]
)
def test_nul_finds_nothing(call: Call, path: str) -> None:
    """Text with a NUL, which PostgreSQL cannot hold, is asked for like anything that is not there."""
    assert call("POST" if "hooks" in path else "GET", path).status_code in (400, 401, 404)


def test_stopping_and_starting(app: Flask, call: Call) -> None:
    """A writer that ended gives its connection back, and the next one takes it."""
    for _ in range(30):
        assert call("POST", "/gateway/v1/feedback", json=TEXT).status_code == 201
        intake.stop()
