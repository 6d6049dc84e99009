"""The database: one proxy that every table is bound to, whichever kind it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib.util import find_spec
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
from peewee import Database, DatabaseProxy, Model, TextField

from models.database.handoff import THREADS, Handoff
from models.database.private_files import make_file
from models.database.sqlite import Sqlite

database = DatabaseProxy()

POSTGRES = ("postgresql://", "postgres://")
CONNECTIONS = 64  # to a server from a process that does not say how many threads it has
AT_ONCE = 32  # rows in one INSERT; SQLite takes 32,766 values in a statement


class UnsupportedURL(ValueError):
    """A GATEWAY_DATABASE_URL that names no database we can open."""


class NoDatabase(Exception):
    """Where the URL says is no file, and none is to be made."""


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


def only(found: Any, wanted: Mapping[Any, Any]) -> Any:
    """A query for only those rows whose columns have these values, where None stands for any."""
    for column, value in wanted.items():
        if value is not None:
            found = found.where(column == value)
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


def to_change(table: type[Table], row_id: str) -> dict[str, Any] | None:
    """A row that the open transaction is going to change by what is in it, or None.

    Its statement is written out: to build one of fifty columns takes peewee a millisecond.
    """
    _, texts, names = _columns(table)
    sql = f'SELECT {names} FROM "{table._meta.table_name}" WHERE id = ?{database.obj.FOR_UPDATE}'
    found = database.execute_sql(sql, (row_id,)).fetchone()
    if found is None:
        return None
    picked = list(found)
    for number in texts:
        if picked[number] is not None:
            picked[number] = json.loads(picked[number])
    return dict(zip((field.name for field in table._meta.sorted_fields), picked, strict=True))


def update(table: type[Table], row_id: str, changed: Mapping[str, Any]) -> None:
    """Gives some columns of a row other values."""
    fields = table._meta.fields
    names = ", ".join(f'"{fields[name].column_name}" = ?' for name in changed)
    new = [dumps(v) if v is not None and isinstance(fields[n], JSONText) else v for n, v in changed.items()]
    database.execute_sql(f'UPDATE "{table._meta.table_name}" SET {names} WHERE id = ?', (*new, row_id))


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
    marks = f"({', '.join('?' * len(table._meta.sorted_fields))})"
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
        scheme, mark, _ = url.partition("://")
        given = f", not {scheme}://..." if mark else ""
        raise UnsupportedURL(
            f"database URLs look like sqlite:///var/gateway.db or postgresql://host/name{given}"
        )
    return Path(url.removeprefix(prefix))


def is_embedded(url: str) -> bool:
    """Whether the URL names a file of ours, and not a server. Raises UnsupportedURL when it names neither."""
    if not url.startswith(POSTGRES):
        sqlite_path(url)
        return True
    if find_spec("psycopg") is None:
        raise UnsupportedURL("needs pip install 'feedback-gateway[postgres]'")
    try:
        from models.database import postgres  # its driver comes with an extra
    except ImportError:  # which may be there without the library that it needs
        raise UnsupportedURL("needs pip install 'feedback-gateway[postgres]'") from None
    try:
        postgres.check(url)
    except ValueError as error:
        raise UnsupportedURL(str(error)) from None
    return False


def named(url: str) -> str:
    """The database at `url` as people are told of it: a file's whole path, a server without the password."""
    if is_embedded(url):
        return str(sqlite_path(url).absolute())
    scheme, _, rest = url.partition("://")
    place, slash, name = rest.partition("/")
    user, at, server = place.rpartition("@")
    name, _, query = name.partition("?")
    hosts = [value for key, value in parse_qsl(query) if key in ("host", "hostaddr")]
    return f"{scheme}://{user.partition(':')[0]}{at}{server or ','.join(hosts)}{slash}{name}"


def connect(
    url: str, connections: int = CONNECTIONS, *, present: bool = False, handoff: Handoff = THREADS
) -> Database:
    """Binds every table to the database at `url`, as `opened` gives it, and raises as that does."""
    bound = opened(url, connections, present=present, handoff=handoff)
    database.initialize(bound)
    return bound


def opened(
    url: str, connections: int = CONNECTIONS, *, present: bool = False, handoff: Handoff = THREADS
) -> Database:
    """The database at `url`, an empty file made where there is none; no table is bound to it.

    Connections open per thread on first use, to a server at most `connections` at a time. Raises
    UnsupportedURL, NoDatabase for a file that is to be `present` and is not, and OSError when none can be
    made.
    """
    if is_embedded(url):
        path = sqlite_path(url)
        if path.is_dir() or (present and not path.exists()):
            what = "is a folder" if path.is_dir() else "does not exist"
            raise NoDatabase(f"no database at {path.absolute()}, which {what}")
        if not path.exists():  # else untouched: to close a file gives up the locks that SQLite has on it
            make_file(path)
        return Sqlite(path, handoff)
    from models.database.postgres import Postgres  # its driver comes with an extra

    return Postgres(url, connections, handoff)


def close() -> None:
    """Closes this process's connections, as before a fork; on the embedded database this thread's."""
    if database.obj is not None:
        database.obj.shut()


def rest() -> None:
    """Has the embedded database's file hold everything, if it is quiet: call it now and then."""
    if database.obj is not None:
        database.obj.rest()


def writing() -> AbstractContextManager[None]:
    """One write transaction: committed and on the disk when the block ends, rolled back when it raises."""
    assert database.obj is not None, "connect() comes first"
    transaction: AbstractContextManager[None] = database.obj.writing()
    return transaction


def serialise(names: Iterable[Any]) -> None:
    """Waits, within the open transaction, until no other one has named one of these; others wait for it.

    For what is decided by looking first: a unique key needs no such thing. Nothing happens on the
    embedded database, which has one writer at a time.
    """
    database.obj.serialise(names)


def locked(query: Any) -> Any:
    """A query for rows that the open transaction is going to change by what is in them."""
    return database.obj.locked(query)


def kept(query: Any) -> Any:
    """A query for rows that must stay as they are until the open transaction ends; many may have that."""
    return database.obj.kept(query)
