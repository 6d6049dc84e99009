"""Backups, made as docs/backup.md says while a gateway takes posts, hold every record acknowledged before."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient

from models import Feedback
from models.database.base import database
from models.intake import commit
from tests.conftest import ROOT, Call, Server, running, until
from tests.postgres import Cluster, settings
from tests.server.test_serve import listed_ids
from tests.signing import VENDORS

PATH = "/gateway/v1/feedback"
PAGE = (ROOT / "docs/backup.md").read_text()
BLOCKS = [block.strip() for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S)]
EMBEDDED = [block for block in BLOCKS if "var/gateway.db" in block and "cp " not in block]
(FOLDER,) = [block for block in BLOCKS if block.startswith("mkdir")]
(REPLACE,) = [block for block in BLOCKS if "cp " in block]
(DUMP,) = [block for block in BLOCKS if block.startswith("pg_dump")]
(FILL,) = [block for block in BLOCKS if block.startswith("pg_restore")]
BEFORE = 60  # posts acknowledged before a backup begins
WORDS = b'{"text": "The map is upside down"}'


@contextmanager
def under_load(server: Server) -> Iterator[list[str]]:
    """Posts from four threads until the block ends; the ids acknowledged before it began."""
    acknowledged: list[str] = []
    over = threading.Event()

    def post(send: Callable[..., httpx.Response], thread: int) -> None:
        while not over.is_set():
            answer = send(PATH, json={"text": f"Report {len(acknowledged)} of thread {thread}"})
            assert answer.status_code == 201
            acknowledged.append(answer.json()["id"])

    with server.posting() as send, ThreadPoolExecutor(4) as pool:
        posts = [pool.submit(post, send, thread) for thread in range(4)]
        try:
            until(lambda: len(acknowledged) >= BEFORE or any(one.done() for one in posts))
            known = list(acknowledged)
            yield known
        finally:
            over.set()
        for one in posts:
            one.result()
    assert len(acknowledged) > len(known), "nothing came during the backup"


def shell(command: str, directory: Path, **environ: str) -> None:
    """A command of the page, where `var` and `backup` are folders."""
    (directory / "backup").mkdir(exist_ok=True)
    done = subprocess.run(
        ["bash", "-ec", command], cwd=directory, env={**os.environ, **environ}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def check_restored(server: Server, hook: dict[str, Any], known: list[str]) -> None:
    """What was acknowledged is there, once, and the hook's secret can be opened."""
    with server.client() as client:
        listed = listed_ids(client)
    proof = VENDORS["github"].sign(hook["secret"], WORDS, 0)
    delivery = httpx.post(server.url + hook["path"], content=WORDS, headers=proof)
    ready = httpx.get(f"{server.url}/readyz")

    assert set(known) <= set(listed)
    assert len(set(listed)) == len(listed)
    assert (delivery.status_code, ready.status_code) == (200, 200)


def test_the_page_has_each_way() -> None:
    """Two programs for SQLite, three ways in all, one for PostgreSQL, and a folder for the copies."""
    assert len(EMBEDDED) == 3
    assert len(BLOCKS) == 7


@pytest.mark.long
@pytest.mark.parametrize("command", EMBEDDED)
def test_of_a_file(tmp_path: Path, command: str) -> None:
    """Each way for SQLite, under load, and a gateway on what it made, in place of another."""
    if command.startswith("sqlite3") and shutil.which("sqlite3") is None:
        pytest.skip("needs the program sqlite3")
    (tmp_path / "var").mkdir()
    with running(tmp_path / "var") as server:
        hook = server.run("hook", "create", "github")
        with under_load(server) as known:
            shell(FOLDER, tmp_path)
            shell(command, tmp_path)
    assert in_the_file_alone(tmp_path / "var") >= len(known) >= BEFORE  # it was stopped by SIGTERM
    with (
        running(tmp_path / "var") as server,
        server.client() as client,
    ):  # what comes after the backup is lost
        client.post(PATH, json={"text": "Later"})
        os.killpg(server.process.pid, 9)
        server.process.wait()
    assert (tmp_path / "var" / "gateway.db-wal").exists()
    shell(REPLACE, tmp_path)

    with running(tmp_path / "var") as server:
        check_restored(server, hook, known)


@pytest.mark.long
def test_of_a_server(tmp_path: Path, cluster: Cluster) -> None:
    """The way for PostgreSQL, under load, and a gateway on the database that was filled with it."""
    programs = f"{cluster.server.bin_path}:{os.environ['PATH']}"
    with cluster.database() as url, cluster.database("template0") as other:
        with running(tmp_path, **settings(url)) as server:
            hook = server.run("hook", "create", "github")
            with under_load(server) as known:
                shell(FOLDER, tmp_path)
                shell(DUMP, tmp_path, GATEWAY_DATABASE_URL=url, PATH=programs)
        shell(FILL, tmp_path, GATEWAY_DATABASE_URL=other, PATH=programs)
        with running(tmp_path, **settings(other)) as server:
            check_restored(server, hook, known)


def in_the_file_alone(directory: Path) -> int:
    """How many records a copy of gateway.db without its log has."""
    copy = shutil.copyfile(directory / "gateway.db", directory / "copy.db")
    with closing(sqlite3.connect(copy)) as opened:
        return int(opened.execute("SELECT COUNT(*) FROM feedback").fetchone()[0])


@pytest.fixture(name="hasty")
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that finds itself quiet at once."""
    monkeypatch.setattr("models.database.group_commit.IDLE_SECONDS", 0.02)
    monkeypatch.setattr("models.database.sqlite.QUIET_SECONDS", 0.02)


@pytest.mark.usefixtures("hasty")
def test_a_quiet_file_has_everything(call: Call, tmp_path: Path) -> None:
    """When nobody has written for a while, the file alone has every record, though nothing was closed."""
    for number in range(20):
        assert call("POST", PATH, json={"text": f"Report {number}"}).status_code == 201

    until(lambda: in_the_file_alone(tmp_path) == 20)
    assert (tmp_path / "gateway.db-wal").stat().st_size > 0


@pytest.mark.usefixtures("hasty")
def test_a_quiet_server_and_commands(call: Call, tmp_path: Path) -> None:
    """What another process wrote is in the file as well, once all are quiet."""
    assert call("POST", PATH, json={"text": "One"}).status_code == 201
    until(lambda: in_the_file_alone(tmp_path) == 1)
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as other:
        other.execute("UPDATE feedback SET text = 'Two'")
        other.commit()
        copied = tmp_path / "copy.db"

        def words() -> str:
            in_the_file_alone(tmp_path)
            with closing(sqlite3.connect(copied)) as opened:
                return str(opened.execute("SELECT text FROM feedback").fetchone()[0])

        until(lambda: words() == "Two")


@pytest.mark.usefixtures("hasty")
def test_who_reads_for_long(call: Call, client: FlaskClient, tmp_path: Path) -> None:
    """While somebody reads an old state nobody waits, and the file has everything when that has ended."""
    assert call("POST", PATH, json={"text": "One"}).status_code == 201
    until(lambda: in_the_file_alone(tmp_path) == 1)
    with closing(sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT COUNT(*) FROM feedback").fetchone() == (1,)
        for number in range(3):
            assert call("POST", PATH, json={"text": f"More {number}"}).status_code == 201
        database.obj.rest()
        assert reader.execute("SELECT COUNT(*) FROM feedback").fetchone() == (1,)
        reader.execute("COMMIT")

    until(lambda: in_the_file_alone(tmp_path) == 4)


def test_a_busy_gateway_copies_nothing(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """While requests come no statement copies the log: a post costs what it did."""
    asked: list[str] = []
    execute = database.obj.execute_sql

    def counting(sql: str, params: Any = None) -> Any:
        asked.append(sql)
        return execute(sql, params)

    monkeypatch.setattr(database.obj, "execute_sql", counting)
    monkeypatch.setattr("models.database.sqlite.QUIET_SECONDS", 3600)
    for number in range(20):
        assert call("POST", PATH, json={"text": f"Report {number}"}).status_code == 201
    commit.flush()

    assert Feedback.select().count() == 20
    assert not any("checkpoint" in sql for sql in asked)
