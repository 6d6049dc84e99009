"""Every table from one database into another, of whichever kinds, and whether two hold the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from peewee import BooleanField, __exception_wrapper__  # type: ignore[attr-defined]  # not in its stubs

from models import TABLES
from models.database.base import Table, UnsupportedURL, connect, is_embedded, opened, sqlite_path
from models.migrations import ahead, migrate, pending

AT_ONCE = 1000  # rows in memory at a time

Told = Callable[[str, int], None]  # hears the table and how many rows of it are done


class Unfit(Exception):
    """A database that cannot be copied from, or into; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a table holds: how many rows, and the SHA-256 of them all.

    The digest is over one line of JSON for the columns' names and one for each row in the order of
    its primary key: an array of its values, bytes in hexadecimal. Texts are ordered by their bytes.
    """

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One table on both sides."""

    table: str
    source: Content
    target: Content

    @property
    def equal(self) -> bool:
        return self.source == self.target


class Differs(Exception):
    """What arrived is not what was read; nothing was kept of it."""

    def __init__(self, compared: list[Compared]) -> None:
        super().__init__(", ".join(one.table for one in compared if not one.equal))
        self.compared = compared


class _Layout:
    """How a table is read, the same way on every kind of database."""

    def __init__(self, table: type[Table]) -> None:
        meta: Any = table._meta
        self.name = str(meta.table_name)
        self.columns = [str(field.column_name) for field in meta.sorted_fields]
        self._booleans = [n for n, field in enumerate(meta.sorted_fields) if isinstance(field, BooleanField)]
        names = getattr(meta.primary_key, "field_names", None) or [meta.primary_key.name]
        self._keys = [meta.fields[name] for name in names]

    def read(self, database: Any) -> Iterator[list[Sequence[Any]]]:
        """Its rows in the order of the primary key, some at a time, within the open transaction."""
        columns = ", ".join(f'"{name}"' for name in self.columns)
        order = ", ".join(self._ordered(field, database) for field in self._keys)
        with __exception_wrapper__:
            for some in database.stream(f'SELECT {columns} FROM "{self.name}" ORDER BY {order}', AT_ONCE):
                yield [self._plain(row) for row in some] if self._booleans else some

    def count(self, database: Any) -> int:
        """How many rows it has."""
        return int(database.execute_sql(f'SELECT COUNT(*) FROM "{self.name}"').fetchone()[0])

    def _ordered(self, field: Any, database: Any) -> str:
        text = field.field_type in ("TEXT", "VARCHAR", "CHAR")
        return f'"{field.column_name}" {database.bytewise if text else ""}'

    def _plain(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for number in self._booleans:  # SQLite has none of its own
            values[number] = None if values[number] is None else bool(values[number])
        return values


class _Digest:
    """Takes a table's rows one after the other."""

    def __init__(self, layout: _Layout) -> None:
        self._sha = hashlib.sha256(orjson.dumps(layout.columns, option=orjson.OPT_APPEND_NEWLINE))
        self.rows = 0

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        self.rows += len(rows)
        for row in rows:
            self._sha.update(orjson.dumps(row, _hexadecimal, orjson.OPT_APPEND_NEWLINE))

    @property
    def content(self) -> Content:
        return Content(self.rows, self._sha.hexdigest())


def _hexadecimal(value: Any) -> str:
    return bytes(value).hex()


class Copy:
    """All tables from the database at one URL to that at another.

    Every row is read from one snapshot of the source. They arrive in one transaction of the target, are
    read there again and compared before it is committed: what was interrupted or differs leaves an
    empty database. Memory stays flat.
    """

    def __init__(self, source: str, target: str) -> None:
        """Opens both. Raises Unfit for a URL that names none."""
        if source == target:
            raise Unfit("--from and --to are the same database")
        for side, url in (("--from", source), ("--to", target)):
            try:
                known = not is_embedded(url) or sqlite_path(url).exists() or side == "--to"
            except UnsupportedURL as error:
                raise Unfit(f"{side}: {error}") from None
            if not known:
                raise Unfit(f"{side}: no database at {sqlite_path(url)}")
        self._source: Any = opened(source, 1)
        self._target: Any = connect(target, 2)
        self._layouts = [_Layout(table) for table in TABLES]

    @cached_property
    def total(self) -> int:
        """How many rows the source has, as far as anybody knows before it is read."""
        return sum(layout.count(self._source) for layout in self._layouts)

    def prepare(self) -> None:
        """Makes the target's schema. Raises Unfit when the source has an old one or the target has rows."""
        self._check_schema(self._source, "--from")
        if told := ahead(self._target):
            raise Unfit(f"--to: {told}")
        there = set(self._target.get_tables())
        # Before anything is changed: it may be somebody's.
        self._check_empty([layout for layout in self._layouts if layout.name in there])
        migrate()

    def check(self) -> None:
        """Whether the two can be compared. Raises Unfit when one has an old schema or none."""
        self._check_schema(self._source, "--from")
        self._check_schema(self._target, "--to")

    def run(self, told: Told) -> list[Compared]:
        """Copies and compares; `told` hears of each row twice. Raises Differs, Unfit and peewee's errors."""
        names = [layout.name for layout in self._layouts]
        with self._source.snapshot(), self._target.filling(names):
            self._check_empty(self._layouts)
            read = [self._moved(layout, told) for layout in self._layouts]
            arrived = [self._content(self._target, layout, told) for layout in self._layouts]
            compared = [Compared(*one) for one in zip(names, read, arrived, strict=True)]
            if not all(one.equal for one in compared):
                raise Differs(compared)
        self._target.execute_sql("ANALYZE")
        return compared

    def compare(self, told: Told) -> list[Compared]:
        """What both hold, each as of one moment; nothing is changed."""
        with self._source.snapshot(), self._target.snapshot():
            return [
                Compared(layout.name, *(self._content(one, layout, told) for one in self._both))
                for layout in self._layouts
            ]

    def close(self) -> None:
        """Closes every connection."""
        for one in self._both:
            one.shut()

    @property
    def _both(self) -> tuple[Any, Any]:
        return self._source, self._target

    def _moved(self, layout: _Layout, told: Told) -> Content:
        digest = _Digest(layout)
        for rows in layout.read(self._source):
            digest.add(rows)
            with __exception_wrapper__:
                self._target.load(layout.name, layout.columns, rows)
            told(layout.name, len(rows))
        return digest.content

    def _content(self, database: Any, layout: _Layout, told: Told) -> Content:
        digest = _Digest(layout)
        for rows in layout.read(database):
            digest.add(rows)
            told(layout.name, len(rows))
        return digest.content

    def _check_schema(self, database: Any, side: str) -> None:
        if told := ahead(database):
            raise Unfit(f"{side}: {told}")
        if waiting := pending(database):
            raise Unfit(f"{side}: run `feedback-gateway migrate` on it first ({', '.join(waiting)})")

    def _check_empty(self, layouts: list[_Layout]) -> None:
        found = [
            layout.name
            for layout in layouts
            if self._target.execute_sql(f'SELECT 1 FROM "{layout.name}" LIMIT 1').fetchone()
        ]
        if found:
            raise Unfit(f"--to must be an empty database, and it has rows in: {', '.join(found)}")
