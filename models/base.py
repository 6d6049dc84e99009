"""The database: one proxy that every table is bound to, and the one lock writers queue on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson
from peewee import Database, DatabaseProxy, Model, SqliteDatabase, TextField

from models.lock import WriteLock

database = DatabaseProxy()
_write_lock: WriteLock | None = None

BUSY_SECONDS = 2  # how long a statement waits for another process, should one not use the write lock
AT_ONCE = 32  # rows in one INSERT; SQLite takes 32,766 values in a statement


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


def values(table: type[Table], row: Mapping[str, Any]) -> list[Any]:
    """A row that has every column, as its INSERT takes it."""
    pick, texts, _ = _columns(table)
    picked = list(pick(row))
    for number in texts:
        if picked[number] is not None:
            picked[number] = dumps(picked[number])
    return picked


def insert(table: type[Table], row: Mapping[str, Any]) -> None:
    """Stores a row that has every column."""
    insert_all(table, [values(table, row)])


def insert_all(table: type[Table], rows: Sequence[Sequence[Any]]) -> None:
    """Stores rows, each as `values` gives it, with as few statements as may be."""
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        database.execute_sql(_insert_sql(table, len(some)), list(chain.from_iterable(some)))


@cache
def _columns(table: type[Table]) -> tuple[Callable[[Mapping[str, Any]], Any], tuple[int, ...], str]:
    """How to pick a row's values, which of them are JSON, and the columns' names.

    Worked out once: peewee would ask every field of every row.
    """
    fields = table._meta.sorted_fields
    texts = tuple(number for number, field in enumerate(fields) if isinstance(field, JSONText))
    names = ", ".join(f'"{field.column_name}"' for field in fields)
    return itemgetter(*(field.name for field in fields)), texts, names


@cache
def _insert_sql(table: type[Table], count: int) -> str:
    """A table's INSERT of so many rows, compiled once: building it anew costs more than running it."""
    marks = f"({', '.join([database.param] * len(table._meta.sorted_fields))})"
    every = ", ".join([marks] * count)
    return f'INSERT INTO "{table._meta.table_name}" ({_columns(table)[2]}) VALUES {every}'


def dumps(value: Any) -> str:
    """Compact JSON text with plain UTF-8 words."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a whole number of more than 64 bits, which it does not write
        return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


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
        pragmas={
            "journal_mode": "wal",
            "synchronous": "full",
            "foreign_keys": 1,
            "cache_size": -8000,  # kilobytes
            # Pages in the log before they are copied back, 32 MB: the same few pages change all the time.
            "wal_autocheckpoint": 8000,
        },
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
