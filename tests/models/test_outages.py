"""A PostgreSQL that goes, refuses, stalls or only reads: nobody hears 500, and all is well afterwards."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from peewee import OperationalError, PostgresqlDatabase
from werkzeug.test import TestResponse

from gateway.access import users
from gateway.background import retention, retraining, similar
from gateway.background.lease import run_once
from gateway.core.ids import now_ms
from models import ApiKey, Feedback, Job, close, connect
from models.database import postgres_connections as ours
from models.database.base import database
from models.intake import commit
from models.tables.event import Event
from tests import postgres
from tests.conftest import Call, Tenant, until
from tests.hosts import Host, hosts
from tests.test_hosts import Load

PATH = "/gateway/v1/feedback"
TEXT = {"text": "The export of last month is empty"}
POSTS: dict[str, dict[str, Any]] = {
    PATH: TEXT,
    "/api/v1/feedback": {"kind": "feature_request", "summary": "Undo", "detail": "There is no way back."},
    "/v2/feedback": {"property": "rating", "value": ["bad"], "trace_id": "01JM4Q7XK2N8V5T3R9WYBZC6DA"},
    "/v1/feedback": {"projectId": "my-shop", "text": "Ik kan niet betalen"},
    "/gateway/v1/projects": {"name": "more"},
}
READS = ("feedback", "feedback?q=export", "export", "stats", "outcomes", "quarantine", "keys", "projects")
PAGES = ("/inbox", "/overview", "/settings/keys", "/settings/model", "/account")
# All but themes, which reads in a process of its own, with settings of its own.
WORKS = (similar.KEEP_UP, retention.KEEP, retraining.RETRAIN)

OTHERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
RECORDS = {**dict.fromkeys(POSTS, 1), f"{PATH}/batch": 2, "/gateway/v1/projects": 0}

Trouble = Callable[[postgres.Cluster], AbstractContextManager[None]]
Ask = Callable[[], TestResponse]


@pytest.fixture(name="kind")
def _kind() -> str:
    return "postgres"


@contextmanager
def stopped(cluster: postgres.Cluster, mode: str) -> Iterator[None]:
    """The server has ended: fast tells its clients, immediate does not."""
    cluster.stop(mode)
    try:
        yield
    finally:
        cluster.start()


@contextmanager
def only_reads(cluster: postgres.Cluster) -> Iterator[None]:
    """Every transaction is one that reads, as on a standby."""
    cluster.run("ALTER SYSTEM SET default_transaction_read_only = on")
    cluster.run("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        options = "-c default_transaction_read_only=off"
        with psycopg.connect(cluster.url("postgres"), autocommit=True, options=options) as connection:
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")


@contextmanager
def locked(cluster: postgres.Cluster, table: str) -> Iterator[None]:
    """An idle transaction of somebody else's keeps everybody from a table."""
    with psycopg.connect(database.obj.database) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def crowded(cluster: postgres.Cluster) -> Iterator[None]:
    """Others have all connections that the server gives."""
    database.obj.close_all()
    with ExitStack() as taken:
        with suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(psycopg.connect(database.obj.database))
        yield


TROUBLES: dict[str, Trouble] = {
    "stopped at once": partial(stopped, mode="immediate"),
    "stopped fast": partial(stopped, mode="fast"),
    "only reads": only_reads,
    "records are locked": partial(locked, table="feedback"),
    "keys are locked": partial(locked, table="api_key"),
    "sessions are locked": partial(locked, table="session"),
    "all connections are taken": crowded,
}
SHORT = "stopped at once"
# While it lasts nothing can be stored. Keys are remembered for a while, and who has a connection keeps it.
REFUSED = {"stopped at once", "stopped fast", "only reads", "records are locked"}


@pytest.fixture(name="hasty")
def _hasty(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever waits for a server gives up soon."""
    monkeypatch.setattr(commit, "_PATIENCE", 0.1)
    session = ours.SESSION.replace("'5s'", "'50ms'").replace("'30s'", "'200ms'")
    monkeypatch.setattr(ours, "SESSION", session)
    database.obj.close_all()


def asks(app: Flask, call: Call, tenant: Tenant) -> list[Ask]:
    """Requests of every kind, all of which succeed: deliveries, the API, pages and their forms."""
    user = users.create_user(tenant.workspace_id, "ann@example.test", "Ann", "admin")
    reader, stranger = app.test_client(), app.test_client()
    reader.set_cookie("feedback-session", users.open_session(user), domain="localhost")
    record = f"/{call('POST', PATH, json=TEXT).json['id']}"
    return [
        *(partial(call, "POST", path, json=body) for path, body in POSTS.items()),
        partial(call, "POST", f"{PATH}/batch", json=[TEXT, TEXT]),
        partial(call, "PATCH", PATH + record, json={"status": "resolved"}),
        *(partial(call, "GET", f"/gateway/v1/{path}") for path in READS),
        *(partial(call, "GET", PATH + record + more) for more in ("", "/events", "/similar")),
        *(partial(reader.get, path) for path in (*PAGES, f"/records{record}")),
        partial(reader.post, f"/records{record}", data={"note": "Seen."}),
        partial(stranger.post, "/sign-in", data={"email": "a@b.test", "password": "x"}),
        partial(call, "GET", "/readyz"),
        partial(call, "GET", "/healthz"),
    ]


def fine(answer: TestResponse) -> bool:
    return answer.status_code in (200, 201, 303) or (answer.status_code, answer.request.path) == (
        401,
        "/sign-in",
    )


@pytest.mark.parametrize(
    "trouble", [name if name == SHORT else pytest.param(name, marks=pytest.mark.long) for name in TROUBLES]
)
@pytest.mark.long
def test_nobody_hears_500(
    trouble: str,
    cluster: postgres.Cluster,
    app: Flask,
    call: Call,
    tenant: Tenant,
    hasty: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Deliveries, the API, pages and background work: 503 with Retry-After and one line in the log for each.

    What was acknowledged is there, once; afterwards everything works as before, by itself.
    """
    every = asks(app, call, tenant)
    assert all(fine(ask()) for ask in every)
    before, told = Feedback.select().count(), list[TestResponse]()
    with TROUBLES[trouble](cluster):
        caplog.clear()
        for ask in every:
            told += [ask(), ask()]
        for work in WORKS:
            run_once(work)
    refused = [answer for answer in told if not fine(answer)]
    counted = [answer for answer in refused if answer.request.path != "/readyz"]
    lines = [record for record in caplog.records if record.getMessage() == "database unavailable"]
    until(lambda: fine(call("GET", "/readyz")))
    caplog.clear()
    taken = Counter(
        answer.request.path for answer in told if fine(answer) and answer.request.method == "POST"
    )

    assert counted
    assert {answer.status_code for answer in refused} == {503}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in counted)
    assert len(lines) == len(counted)
    assert not any(record.exc_info for record in caplog.records)
    assert Feedback.select().count() - before == sum(taken[path] * many for path, many in RECORDS.items())
    assert all(fine(ask()) for ask in every)
    database.execute_sql("UPDATE job SET due_at = 0, leased_until = 0")
    assert all(run_once(work) for work in WORKS)
    assert caplog.records == []


@pytest.mark.parametrize("how", ["told to", pytest.param("idle for too long", marks=pytest.mark.long)])
def test_ended_at_any_statement(
    how: str, cluster: postgres.Cluster, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever statement of a delivery the server ends the connection at, it is stored once and answered."""
    run, left = type(database.obj)._execute, [0]

    def end(self: Any) -> None:
        if how == "told to":
            run(self, "SELECT pg_terminate_backend(pg_backend_pid())", None)
        mine = run(self, "SELECT pg_backend_pid()", None).fetchone()[0]
        run(self, "SET idle_in_transaction_session_timeout = 1", None)
        until(lambda: not cluster.run(f"SELECT 1 FROM pg_stat_activity WHERE pid = {mine}"))

    def ending(self: Any, sql: str, params: Any) -> Any:
        if threading.current_thread().name == "writer" and self.in_transaction():
            left[0] -= 1
            if left[0] == 0:
                end(self)
        return run(self, sql, params)

    monkeypatch.setattr(type(database.obj), "_execute", ending)
    for statement in itertools.count(1):
        left[0] = statement
        answer = call("POST", PATH, json=TEXT, headers={"Idempotency-Key": f"{statement}"})
        assert answer.status_code == 201
        assert Feedback.select().where(Feedback.id == answer.json["id"]).count() == 1
        if left[0] > 0:
            break
    assert statement > 5
    assert Feedback.select().count() == Event.select().count() == statement


def test_a_former_primary_is_left(cluster: postgres.Cluster, call: Call, hasty: None) -> None:
    """After a write that a server did not take since it only reads, no connection is used again.

    With several hosts in the URL the next one goes to the primary, for those who read, too.
    """
    with database.connection_context():
        mine = database.execute_sql("SELECT pg_backend_pid()").fetchone()[0]
        with only_reads(cluster):
            assert call("POST", PATH, json=TEXT).status_code == 503
            until(lambda: not database.execute_sql(OTHERS).fetchall())  # the server ends them by and by
    with database.connection_context():
        now = database.execute_sql("SELECT pg_backend_pid()").fetchone()[0]

    assert now != mine


def test_one_tries_a_server_that_is_away(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """While no connection can be made one thread tries now and then, and the others hear so at once.

    A server that does not answer takes seconds to fail, and they would wait for each other.
    """
    tried: list[str] = []

    def away(self: Any) -> Any:
        tried.append("")
        raise psycopg.OperationalError("timeout expired")

    def ask(_: int) -> str:
        with pytest.raises(OperationalError) as told:
            ApiKey.select().count()
        return str(told.value)

    database.obj.close_all()
    with monkeypatch.context() as patch, ThreadPoolExecutor(8) as pool:
        patch.setattr(PostgresqlDatabase, "_connect", away)
        patch.setattr(ours, "AWAY_SECONDS", 3600.0)
        said = set(pool.map(ask, range(40)))
        assert (said, len(tried)) == ({"timeout expired"}, 1)
        patch.setattr(ours, "AWAY_SECONDS", 0.0)
        ask(0)
    monkeypatch.setattr(ours, "AWAY_SECONDS", 0.0)

    assert len(tried) == 2
    assert ApiKey.select().count() == 0


def _refused(host: Host) -> bool:
    answer = host.request("POST", "/gateway/v1/feedback", json={"text": "Who is told to wait"})
    return answer.status_code == 503


@pytest.mark.long
def test_all_troubles_under_load(cluster: postgres.Cluster, tmp_path: Path) -> None:
    """Two workers under load: each trouble is refused with 503 and over by itself, and nothing is lost."""
    with cluster.database() as url, ExitStack() as stack:
        settings = {**postgres.settings(url), "GATEWAY_WORKERS": "2", "GATEWAY_BACKGROUND": "on"}
        [host] = stack.enter_context(hosts([tmp_path], **settings))
        connect(url)
        stack.callback(close)
        with Load([host, host]) as load:
            for name, trouble in TROUBLES.items():
                load.wait(40)
                with trouble(cluster):
                    if name == "records are locked":  # by one who is no reason to send everybody elsewhere
                        until(partial(_refused, host))
                    elif name in REFUSED:
                        until(lambda: host.request("GET", "/readyz").status_code == 503)
                    else:
                        load.wait(40)
                until(lambda: host.request("GET", "/readyz").status_code == 200)
            load.wait(40)
        load.check(url)
        assert host.server is not None
        begun = now_ms()
        Job.update(due_at=0).execute()
        until(lambda: Job.select().where(Job.finished_at > begun).count() == len(Job.select()), 150)
    said = "".join(host.server.lines)

    assert "Traceback" not in said
    assert "database unavailable" in said
