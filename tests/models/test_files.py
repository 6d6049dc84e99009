"""The embedded database's files: taken away, replaced, out of reach, or read for long while others write."""

from __future__ import annotations

import errno
import itertools
import math
import os
import resource
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from peewee import OperationalError

from gateway.core import log, metrics
from gateway.core.config import Config
from gateway.http.responses import SHORT, problem_of
from models import Feedback, close, connect
from models.database import sqlite
from models.database.base import database
from models.intake import commit
from models.migrations import migrate
from tests.conftest import Call, until

PATH = "/gateway/v1/feedback"
TEXT = {"text": "Where is it?"}


def long(*several: object) -> list[Any]:
    """Values of a parameter that are tried in the long run only."""
    return [pytest.param(one, marks=pytest.mark.long) for one in several]


@pytest.mark.parametrize("number", [errno.EMFILE, *long(errno.ENFILE, errno.EROFS, errno.ENOLCK)])
def test_a_lock_that_cannot_be_taken(call: Call, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The database cannot be used without its lock: 503, and all is well when there is a file for it."""

    def no(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(database.obj._write_lock, "_owner", 0)
        patch.setattr("models.database.write_lock.os.open", no)
        refused = call("POST", PATH, json=TEXT)
        unready = call("GET", "/readyz")

    assert (refused.status_code, unready.status_code) == (503, 503)
    assert refused.headers["Retry-After"] == "2"
    until(lambda: call("POST", PATH, json=TEXT).status_code == 201)


def deleted(path: Path) -> None:
    path.rename(path.with_suffix(".away"))


def replaced(path: Path) -> None:
    shutil.copyfile(path, path.with_suffix(".other"))
    path.rename(path.with_suffix(".away"))
    path.with_suffix(".other").rename(path)


@pytest.mark.parametrize("suffix", ["", *long("-wal", "-shm")])
@pytest.mark.parametrize("act", [deleted, *long(replaced)])
def test_files_in_use_are_taken_away(
    call: Call,
    tmp_path: Path,
    suffix: str,
    act: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is acknowledged that would be in no file: 503, not ready and a clear line until it is back."""
    monkeypatch.setattr(commit, "_SETTLED", 0.0)
    path = tmp_path / f"gateway.db{suffix}"
    first = call("POST", PATH, json=TEXT).json["id"]
    assert call("PATCH", f"{PATH}/{first}", json={"status": "resolved"}).status_code == 200
    act(path)
    answers = [
        call("POST", PATH, json=TEXT),
        call("PATCH", f"{PATH}/{first}", json={"status": "open"}),
        call("GET", "/readyz"),
    ]
    told = [getattr(record, "facts", {}).get("error", "") for record in caplog.records]
    path.with_suffix(".away").rename(path)
    until(lambda: call("GET", "/readyz").status_code == 200)
    after = call("POST", PATH, json=TEXT).json["id"]
    commit.stop()
    close()
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as other:
        stored = {row[0] for row in other.execute("SELECT id FROM feedback")}

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert all(f"gateway.db{suffix} was deleted or replaced" in line for line in told)
    assert stored == {first, after}


def test_someone_reads_for_long(
    call: Call, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside an idle transaction that reads, as a backup's, posts go on; when it ends the log shrinks."""
    log = tmp_path / "gateway.db-wal"
    large = {"text": "It is gone. " * 4_000}
    monkeypatch.setattr(sqlite, "LOG_PAGES", 20)
    monkeypatch.setattr(sqlite, "LOG_BYTES", 200_000)
    close()
    connect(config.database_url)
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM feedback").fetchone()
        statuses = {call("POST", PATH, json=large).status_code for _ in range(8)}
        grown = log.stat().st_size
        seen = other.execute("SELECT count(*) FROM feedback").fetchone()[0]
        other.rollback()
        statuses |= {call("POST", PATH, json=large).status_code for _ in range(4)}

    assert statuses == {201}
    assert seen == 0
    assert grown > 200_000
    assert log.stat().st_size <= 200_000
    assert Feedback.select().count() == 12


def test_no_commit_copies_the_log(
    call: Call, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While posts go on a thread copies the log into the file, and it begins anew: it does not grow."""
    log = tmp_path / "gateway.db-wal"
    large = {"text": "It is gone. " * 4_000}
    writers: set[str] = set()
    monkeypatch.setattr(sqlite, "COPY_EVERY", 5, raising=False)
    run = database.obj.execute_sql

    def noting(sql: str, params: Any = None) -> Any:
        if "checkpoint" in sql:
            writers.add(threading.current_thread().name)
        return run(sql, params)

    monkeypatch.setattr(database.obj, "execute_sql", noting)
    sizes = []
    for _ in range(8):
        statuses = {call("POST", PATH, json=large).status_code for _ in range(5)}
        if (copier := getattr(database.obj, "_copier", None)) is not None:
            copier.join()
        assert statuses == {201}
        sizes.append(log.stat().st_size)

    assert writers == {"copier"}
    assert max(sizes) < 4 * sizes[0]  # it goes on when somebody happens to read as it would begin anew
    assert Feedback.select().count() == 40


def test_no_insert_merges_the_index_of_words(
    call: Call, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of it pile up until a thread merges them, since who inserts keeps all others waiting."""
    monkeypatch.setattr(sqlite, "COPY_EVERY", 10_000)
    monkeypatch.setattr(sqlite, "MERGE_EVERY", 10_000)
    batch = [{"text": "The parcel is lost"}] * 100
    for _ in range(11):
        assert call("POST", f"{PATH}/batch", json=batch).json["accepted"] == 100
    inserted = parts_of_index()
    monkeypatch.setattr(sqlite, "COPY_EVERY", 1)
    assert call("POST", PATH, json={"text": "It is gone"}).status_code == 201
    database.obj._copier.join()
    found = database.execute_sql("SELECT COUNT(*) FROM search WHERE search MATCH 'parcel'").fetchone()[0]

    assert (inserted, parts_of_index()) == (4, 1)
    assert found == 1100 // 256 * 256


@pytest.mark.long
def test_parts_never_pile_up(call: Call, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each merge is of a few pages of a few parts, as what it does to each keeps all others waiting."""
    batch, most, changes = [{"text": "The parcel is lost"}] * 256, 0, list[int]()
    merging = database.obj.execute_sql

    def noting(sql: str, params: Any = None) -> Any:
        before = database.obj.connection().total_changes
        done = merging(sql, params)
        if "'merge'" in sql:
            changes.append(database.obj.connection().total_changes - before)
        return done

    monkeypatch.setattr(database.obj, "execute_sql", noting)
    monkeypatch.setattr(sqlite, "MERGE_EVERY", 5)
    for _ in range(25):
        assert call("POST", f"{PATH}/batch", json=batch).json["accepted"] == 256
        if (copier := database.obj._copier) is not None:
            copier.join()
        most = max(most, parts_of_index())

    assert len(changes) > 5
    assert most <= 10
    assert max(changes) < 50


def test_a_damaged_index_of_words(
    call: Call, config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What tidies says so once and ends, others go on, and whoever compacts is told what is left."""
    monkeypatch.setattr(sqlite, "MERGE_EVERY", 10_000)
    for _ in range(5):
        assert call("POST", f"{PATH}/batch", json=[{"text": "The parcel is lost"}] * 256).status_code == 200
    monkeypatch.setattr(sqlite, "MERGE_EVERY", 1)
    monkeypatch.setattr(log.logger, "propagate", True)
    database.execute_sql("UPDATE search_data SET block = x'0000' WHERE id > 10")
    for _ in range(2):
        assert call("POST", PATH, json={"text": "It is gone"}).status_code == 201
        database.obj._copier.join()

    told = {(line.created, line.getMessage()) for line in caplog.records}
    assert [message for _, message in told] == [
        "the index of words is damaged: database disk image is malformed"
    ]
    assert "malformed" in database.obj.compact([])[0]


def parts_of_index() -> int:
    """How many parts the index of words has (FTS5's source: a page's number begins with its part's)."""
    query = "SELECT COUNT(DISTINCT id >> 37) FROM search_data WHERE id >> 37 > 0"
    return int(database.execute_sql(query).fetchone()[0])


@pytest.mark.parametrize("number", sorted(SHORT))
def test_a_machine_without_files_memory_or_disk(number: int) -> None:
    """Whatever a request needed and could not have for now is 503, as the database would be."""
    problem = problem_of(OSError(number, os.strerror(number)), "req_1")

    assert (problem.status, problem.headers["Retry-After"]) == (503, "2")
    assert problem_of(OSError(errno.ENOENT, "gone"), "req_1").status == 500


def test_numbers_that_cannot_be_counted(
    call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who is stored hears so, also when there is no file for a number about it; the log says it once."""

    def no(*_: str) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(metrics, "_requests", no)
    monkeypatch.setattr(metrics, "_told", -math.inf)
    statuses = [call("POST", PATH, json=TEXT).status_code for _ in range(3)]

    assert statuses == [201] * 3
    assert [record.getMessage() for record in caplog.records] == ["a number for /metrics is lost"]


def schema(path: Path) -> set[tuple[str, ...]]:
    """All that a database is made of, and which migrations were applied."""
    with closing(sqlite3.connect(path)) as other:
        parts = set(other.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))
        return parts | set(other.execute("SELECT name, '', '', '' FROM schema_migration"))


def migrating(path: Path, before: Callable[[int], None]) -> int:
    """The exit status of a process that migrates a file; `before` each statement it hears its number."""
    child = os.fork()
    if not child:
        code = 2
        try:
            connect(f"sqlite:///{path}")
            numbers, run = itertools.count(), database.obj.execute_sql

            def counted(*args: object) -> object:
                before(next(numbers))
                return run(*args)

            database.obj.execute_sql = counted
            migrate()
            close()
            code = 0
        except OperationalError:
            code = 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("every", [197, pytest.param(3, marks=pytest.mark.long)])
@pytest.mark.parametrize("how", ["killed", *long("full")])
def test_migrations_that_break_off(pattern: Path, tmp_path: Path, every: int, how: str) -> None:
    """Killed or without room at any statement, the next run finishes what the schema lacks."""

    def end(number: int) -> None:
        if number != at:
            return
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    broken = set()
    for at in itertools.count(1, every):
        path = tmp_path / f"{at}.db"
        code = migrating(path, end)
        if code == 0:
            break
        broken.add(code)
        assert migrating(path, lambda number: None) == 0
        assert schema(path) == schema(pattern)

    assert at > every
    assert broken == {-signal.SIGKILL if how == "killed" else 1}
