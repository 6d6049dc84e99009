"""The database: one proxy that every table is bound to, and the one lock writers queue on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from peewee import Database, DatabaseProxy, Model, SqliteDatabase, TextField

from models.lock import WriteLock

database = DatabaseProxy()
_write_lock: WriteLock | None = None

BUSY_SECONDS = 10  # how long a statement waits for another process, should one not use the write lock


class UnsupportedURL(ValueError):
    """A GATEWAY_DATABASE_URL that names no database we can open."""


class Table(Model):
    """Base of every table."""

    class Meta:
        database = database
        legacy_table_names = False


class JSONText(TextField):
    """A JSON value in a text column."""

    def db_value(self, value: Any) -> Any:
        return None if value is None else dumps(value)

    def python_value(self, value: Any) -> Any:
        return None if value is None else json.loads(value)


def rows(query: Any) -> list[dict[str, Any]]:
    """A query's rows as dictionaries by column name."""
    return list(query.dicts())


def first(query: Any) -> dict[str, Any] | None:
    """A query's first row as a dictionary, or None."""
    found: dict[str, Any] | None = query.dicts().first()
    return found


def insert(table: type[Table], row: Mapping[str, Any]) -> None:
    """Stores a row that has every column."""
    sql, fields = _insert_sql(table)
    database.execute_sql(sql, [field.db_value(row[field.name]) for field in fields])


@cache
def _insert_sql(table: type[Table]) -> tuple[str, tuple[Any, ...]]:
    """A table's INSERT, compiled once: building it anew costs more than running it."""
    fields = tuple(table._meta.sorted_fields)
    columns = ", ".join(f'"{field.column_name}"' for field in fields)
    marks = ", ".join([database.param] * len(fields))
    return f'INSERT INTO "{table._meta.table_name}" ({columns}) VALUES ({marks})', fields


def dumps(value: Any) -> str:
    """Compact JSON text with plain UTF-8 words."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def sqlite_path(url: str) -> Path:
    """The file of a `sqlite:///relative` or `sqlite:////absolute` URL. Raises UnsupportedURL."""
    prefix = "sqlite:///"
    if not url.startswith(prefix) or url == prefix or ":memory:" in url:
        scheme = url.partition("://")[0]
        raise UnsupportedURL(f"database URLs look like sqlite:///var/gateway.db, not {scheme}://...")
    return Path(url.removeprefix(prefix))


def connect(url: str) -> Database:
    """Binds every table to the database at `url`, creating the file's folder.

    Connections open per thread on first use. Raises UnsupportedURL.
    """
    global _write_lock
    path = sqlite_path(url)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    opened = SqliteDatabase(
        str(path),
        timeout=BUSY_SECONDS,
        # FULL: a commit is on the disk before the sender hears of it (WAL's default would not be).
        pragmas={"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "cache_size": -8000},
    )
    database.initialize(opened)
    _write_lock = WriteLock(path.with_name(path.name + ".lock"))
    return opened


def close() -> None:
    """Closes this thread's connection, as before a fork."""
    if database.obj is not None and not database.is_closed():
        database.close()


@contextmanager
def writing() -> Iterator[None]:
    """One write transaction: committed and on the disk when the block ends, rolled back when it raises."""
    assert _write_lock is not None, "connect() comes first"
    with _write_lock, database.atomic("IMMEDIATE"):
        yield
