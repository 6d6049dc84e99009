"""The embedded database: one file, one writer at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from peewee import SQL, OperationalError, SqliteDatabase

from models.lock import WriteLock
from models.streams import SqliteStreams

Result = TypeVar("Result")

FEW = 2000  # rows that are sorted; of more, enough are met soon in any order
BUSY_SECONDS = 2  # how long a statement waits for another process, should one not use the write lock
CHECKPOINT_SECONDS = 30  # how long the log waits to be emptied for those who read


class Sqlite(SqliteStreams, SqliteDatabase):
    """A file in WAL mode whose commits are on the disk before anybody hears of them."""

    EMBEDDED = True
    FIND = "INSTR"  # the place of one text in another, 0 for none

    def __init__(self, path: Path) -> None:
        """Creates the file's folder; the file comes with the first connection."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write_lock = WriteLock(path.with_name(path.name + ".lock"))
        super().__init__(
            str(path),
            timeout=BUSY_SECONDS,
            # FULL: a commit is on the disk before the sender hears of it (WAL's default would not be).
            pragmas={
                "journal_mode": "wal",
                "synchronous": "full",
                "foreign_keys": 1,
                "cache_size": -8000,  # kilobytes
                # Pages in the log before they are copied back, 32 MB: the same few pages change all the time.
                "wal_autocheckpoint": 8000,
            },
        )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One write transaction, the only one at a time."""
        with self._write_lock, self.atomic("IMMEDIATE"):
            yield

    def transact(
        self, work: Callable[[], Result], stored: Callable[[Result], bool], patience: float
    ) -> Result:
        """Does `work` in one write transaction. It is never tried again: its only writer does not collide."""
        with self.writing():
            return work()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps every other process from writing until the block ends, without a transaction."""
        with self._write_lock:
            yield

    def serialise(self, names: Iterable[Any]) -> None:
        """Nothing to do: who writes is alone."""

    def locked(self, query: Any) -> Any:
        """A query whose rows nobody else changes before the transaction ends: any, as who writes is alone."""
        return query

    def member(self, column: str, name: str) -> str:
        """SQL for a text in an object, whose keys are plain words."""
        return f"CAST(json_extract({column}, '$.{name}') AS TEXT)"

    def has_one(self, column: str, values: Sequence[str]) -> tuple[str, list[Any]]:
        """SQL and its values for: one of these is in a list of texts."""
        marks = ", ".join("?" * len(values))
        return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value IN ({marks}))", list(values)

    def asked(self, wanted: Sequence[Sequence[tuple[str, bool]]]) -> str:
        """What the index of words is asked for, as FTS5 reads it: of each list one word or beginning."""
        every = (" OR ".join(f'"{word}"{" *" if begins else ""}' for word, begins in one) for one in wanted)
        return " AND ".join(f"({one})" for one in every)

    def few(self, workspace_id: str, column: str, values: Sequence[str]) -> bool:
        """Whether few rows have one of these values in a column that has an index with its workspace."""
        marks = ", ".join("?" * len(values))
        return self._few(
            f"SELECT 1 FROM feedback WHERE workspace_id = ? AND {column} IN ({marks})",
            [workspace_id, *values],
        )

    def tagged(self, workspace_id: str, tags: Sequence[str]) -> tuple[str, list[Any]] | None:
        """SQL and its values for: a row has one of these tags; None when so many have that none is far."""
        marks = ", ".join("?" * len(tags))
        named = f"SELECT feedback_id FROM feedback_tag WHERE workspace_id = ? AND tag IN ({marks})"
        values = [workspace_id, *tags]
        return (f"id IN ({named})", values) if self._few(named, values) else None

    def _few(self, sql: str, values: list[Any]) -> bool:
        counted = f"SELECT COUNT(*) FROM ({sql} LIMIT {FEW})"
        return bool(self.execute_sql(counted, values).fetchone()[0] < FEW)  # type: ignore[no-untyped-call]

    def through(self, query: Any, index: str) -> Any:
        """A query of `feedback` that reads it through this index, which is in the order that is asked for.

        Left alone the planner takes the index that most conditions fit, and sorts a million rows.
        """
        return query.from_(SQL(f"feedback AS t1 INDEXED BY {index}"))  # t1 is peewee's name for the table

    def compact(self, tables: Sequence[str]) -> list[str]:
        """Rewrites the file without what was deleted, and says what may still be in it.

        Nobody else writes meanwhile. Old words leave the search index, the pages they were on and the log.
        """
        with self._write_lock:
            try:
                run: Callable[..., Any] = self.execute_sql
                indexes = run("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5%'").fetchall()
                for (name,) in indexes:
                    run(f"INSERT INTO {name} ({name}) VALUES ('optimize')")
                run("VACUUM")
                return self._checkpointed()
            except OperationalError as error:
                return [f"free space of the database file: {error}"]

    def _checkpointed(self) -> list[str]:
        """Empties the log, once nobody reads what is in it; what may still be there if somebody does."""
        run: Callable[..., Any] = self.execute_sql
        end = time.monotonic() + CHECKPOINT_SECONDS
        while True:
            busy, *_ = run("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return []
            if time.monotonic() > end:
                return ["the write-ahead log, while somebody reads for long"]

    def shut(self) -> None:
        """Closes this thread's connection."""
        if not self.is_closed():
            self.close()
