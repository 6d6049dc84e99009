"""PostgreSQL: several hosts on one database, its restarts, and what only a server can do to a transaction."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from peewee import IntegrityError, OperationalError

from models import ApiKey, Feedback, close, connect, database, intake
from models.base import serialise, writing
from models.feedback import find
from models.migrations import migrate, pending
from tests import postgres
from tests.conftest import ROOT, Call, Server, Tenant, environ_of, running

psycopg = pytest.importorskip("psycopg")
TEXT = {"text": "The export of last month is empty"}
END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ? AND pid <> ?"


@pytest.fixture(name="kind")
def _kind() -> str:
    return "postgres"


@pytest.fixture(name="hosts", scope="module")
def _hosts(cluster: postgres.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two gateways on one database, each with a directory of its own."""
    with cluster.database() as url, ExitStack() as stack:
        found: list[Server] = []
        for _ in range(2):
            directory = tmp_path_factory.mktemp("host")
            if found:
                (directory / "key").write_text(found[0].tenant.key)
            found.append(stack.enter_context(running(directory, **postgres.settings(url))))
        yield found


def send(hosts: list[Server], bodies: list[dict[str, Any]], **headers: str) -> list[Any]:
    """Posts all bodies at once, to each host in turn."""
    with ExitStack() as stack:
        clients = [stack.enter_context(host.client()) for host in hosts]
        pool = stack.enter_context(ThreadPoolExecutor(len(bodies)))
        posts = [
            pool.submit(clients[n % len(clients)].post, "/gateway/v1/feedback", json=body, headers=headers)
            for n, body in enumerate(bodies)
        ]
        return [post.result() for post in posts]


def test_one_key_on_two_hosts(hosts: list[Server]) -> None:
    """64 requests with one Idempotency-Key to two hosts make one record."""
    answers = send(hosts, [TEXT] * 64, **{"Idempotency-Key": "one"})
    accepted = [answer.json()["id"] for answer in answers if answer.status_code == 201]

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(set(accepted)) == 1


def test_the_same_words_on_two_hosts(hosts: list[Server]) -> None:
    """Twenty people who say the same to two hosts at once are counted as twenty, in every record."""
    words = "Nobody of us can open the settings page"
    answers = send(hosts, [{"text": words, "author": {"id": f"u{n}"}} for n in range(20)])
    with hosts[0].client() as client:
        records = [client.get(f"/gateway/v1/feedback/{answer.json()['id']}").json() for answer in answers]

    reach = [
        reason["points"] for row in records for reason in row["impact_reasons"] if reason["part"] == "reach"
    ]
    assert Counter(reach) == {3: 20}


def test_one_story_on_two_hosts(hosts: list[Server]) -> None:
    """A monitor that triggers 32 times at two hosts at once is one record that counts 32."""
    hook = hosts[0].run("hook", "create", "datadog")
    headers = {"Authorization": f"Bearer {hook['secret']}"}

    def deliver(n: int) -> int:
        said = {"alert_transition": "Triggered", "monitor_id": 12, "scopes": "host:db1"}
        body = {"event_title": "Disk is full", "id": n, "timestamp": 1778140800 + n, **said}
        with hosts[n % 2].client() as client:
            return client.post(hook["path"], json=body, headers=headers).status_code

    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(deliver, range(32))) == {200}
    with hosts[0].client() as client:
        (record,) = client.get("/gateway/v1/feedback?source=datadog").json()["data"]

    assert record["occurrences"] == 32


def test_restart_under_load(hosts: list[Server], cluster: postgres.Cluster) -> None:
    """The server crashes and comes back under load: what was acknowledged is there, and both hosts go on."""
    acknowledged: list[str] = []
    after = threading.Event()
    served = [threading.Event(), threading.Event()]

    def post(n: int) -> None:
        with hosts[n % 2].client() as client:
            while not served[n % 2].is_set():
                back = after.is_set()
                answer = client.post("/gateway/v1/feedback", json={"text": "Restarted"})
                if answer.status_code == 201:
                    acknowledged.append(answer.json()["id"])
                    if back:
                        served[n % 2].set()
                else:
                    assert answer.status_code == 503

    with ThreadPoolExecutor(8) as pool:
        posts = [pool.submit(post, n) for n in range(8)]
        while len(acknowledged) < 50:
            assert not any(done.done() for done in posts)
        cluster.crash()
        after.set()
        for done in posts:
            done.result()
    with hosts[0].client() as client:
        found = {client.get(f"/gateway/v1/feedback/{name}").status_code for name in acknowledged}

    assert found == {200}
    assert len(set(acknowledged)) == len(acknowledged)


def test_ten_processes_migrate_at_once(cluster: postgres.Cluster, tmp_path: Path) -> None:
    """Ten processes that start on one empty database end with one schema, and none with an error."""
    with cluster.database("template0") as url:
        environ = environ_of(tmp_path, **postgres.settings(url))
        command = [sys.executable, "-m", "gateway.cli", "migrate", "--json"]
        started = [
            subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(10)
        ]
        ended = [(process.communicate(timeout=120), process.returncode) for process in started]
        connect(url)
        waiting = pending()
        close()

    assert [code for _, code in ended] == [0] * 10, ended
    assert sum(b"0001_first" in out for (out, _), _ in ended) == 1
    assert waiting == []


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
