"""Files of feedback, row by row: NDJSON and CSV of any size, a few lines in memory at a time."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from adapters.contract import Fault, Problem, Refused, invalid
from adapters.contract.record import Record
from adapters.contract.strict_json import InvalidJSON, cleaned, parse
from adapters.native import is_document, read_document, read_item
from gateway.transfer.csv_cells import unflat
from models.database.base import dumps

LONGEST = 4_194_304  # bytes of a line; a longer one is refused and skipped
NUMBERS = ("severity", "sentiment_score")
_BOM = b"\xef\xbb\xbf"
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # as bytes that are no UTF-8 are read


class Unreadable(ValueError):
    """A file that is no table of feedback; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the number of its first line, its own bytes, and the JSON value or why there is none."""

    line: int
    raw: bytes
    value: Any = None
    problem: Problem | None = None


@dataclass(frozen=True)
class Mapped:
    """How a row becomes a record: which column each field comes from, and which one names the row.

    `fields` is empty for rows that are native items or exported records already. Dotted columns look
    into objects. `key` is a column whose value a row is stored under once.
    """

    fields: Mapping[str, str]
    key: str | None = None

    def read(self, row: Row) -> Record:
        """The record of a row. Raises Refused."""
        if row.problem is not None:
            raise Refused(row.problem)
        value = row.value
        if not self.fields and is_document(value):
            record = read_document(value)
        elif not self.fields:
            record = read_item(self._without_key(value))
        else:
            record = read_item(self._item(value))
        if self.key is None:
            return record
        named = _look(value, self.key)
        if not isinstance(named, str | int) or isinstance(named, bool) or not str(named).strip():
            raise invalid(Fault(self.key, "Required, since rows are known by it"))
        return replace(record, dedupe_key=str(named).strip())

    def _without_key(self, value: Any) -> Any:
        """A native item without the column that only names it."""
        if not isinstance(value, dict) or self.key in (None, "external_id", "text", "title"):
            return value
        return {name: part for name, part in value.items() if name != self.key}

    def _item(self, value: Any) -> dict[str, Any]:
        """A native item from the columns of a row; what is not mapped stays in the raw row."""
        item: dict[str, Any] = {}
        for field, column in self.fields.items():
            found = _look(value, column)
            if found is None or found == "":
                continue
            if isinstance(found, str):
                found = _typed(field, found)
            outer, dot, inner = field.partition(".")
            if dot:
                item.setdefault(outer, {})[inner] = found
            else:
                item[field] = found
        return item


def ndjson(file: BinaryIO) -> Iterator[Row]:
    """The rows of NDJSON; blank lines are none."""
    for number, line in _lines(file):
        raw = line.strip()
        if len(line) > LONGEST:
            yield Row(number, b"", problem=Problem(413, "too_large", f"Line is larger than {LONGEST} bytes."))
        elif raw:
            try:
                yield Row(number, raw, parse(raw))
            except InvalidJSON as error:
                reason = str(error).replace("body", "line")
                yield Row(number, raw, problem=Problem(400, "invalid_json", reason))


def table(file: BinaryIO) -> tuple[list[str], Iterator[Row]]:
    """The header of a CSV and its rows, each as an object of its cells, by column.

    Cells are separated by what the header has most of: commas, semicolons or tabs. Raises Unreadable.
    """
    first = file.readline(LONGEST).removeprefix(_BOM)
    if b"\0" in first:
        raise Unreadable("the first line is no CSV header: is the file UTF-8?")
    try:
        delimiter = max(",;\t", key=first.decode().count)
    except UnicodeDecodeError:
        raise Unreadable("the first line is not UTF-8") from None
    file.seek(0)
    csv.field_size_limit(LONGEST)
    long: list[int] = []
    reader = csv.reader(_text(file, long), delimiter=delimiter, strict=False)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise Unreadable(f"the first line is no CSV header: {error}") from None
    if not any(name.strip() for name in header):
        raise Unreadable("the file has no header")
    names = [name.strip() for name in header]
    ours = {"id", "received_at", "text"} <= set(names)
    return names, _rows(reader, names, long, ours)


def _rows(reader: Any, names: Sequence[str], long: list[int], ours: bool) -> Iterator[Row]:
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(line, b"", problem=Problem(400, "invalid", f"row is not CSV: {error}"))
            continue
        if long:
            long.clear()
            yield Row(line, b"", problem=Problem(413, "too_large", f"Line is larger than {LONGEST} bytes."))
            continue
        if not any(cells):
            continue
        extra = {f"column {n + 1}": cell for n, cell in enumerate(cells) if n >= len(names) and cell}
        value = cleaned({**dict(zip(names, cells, strict=False)), **extra})
        problem = None
        if extra:
            problem = Problem(400, "invalid", f"row has {len(cells)} cells, the header {len(names)}")
        elif any(_NOT_UTF8.search(cell) for cell in cells):
            problem = Problem(400, "invalid", "row is not UTF-8")
        raw = dumps(value).encode()
        yield Row(line, raw, unflat(value) if ours else value, problem)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines by their number; of a line that is too long only the beginning, a byte longer than LONGEST."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        rest = line
        while len(rest) > LONGEST and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST + 1)
        yield number, line


def _text(file: BinaryIO, long: list[int]) -> Iterator[str]:
    """Lines as text for the CSV reader, what is no UTF-8 as lone surrogates; too long ones are noted."""
    for number, line in _lines(file):
        if len(line) > LONGEST:
            long.append(number)
            yield "\n"
        else:
            yield line.decode("utf-8", "surrogateescape")


def _look(value: Any, column: str) -> Any:
    """A row's cell: by the column's whole name, else by its dotted path into objects."""
    if not isinstance(value, dict):
        return None
    if column in value:
        return value[column]
    head, dot, rest = column.partition(".")
    return _look(value.get(head), rest) if dot else None


def _typed(field: str, text: str) -> Any:
    """A cell's text as what the field takes; left as it is when it is no such thing."""
    if field in NUMBERS:
        try:
            number = float(text)
        except ValueError:
            return text
        return number if number == number and abs(number) < 1e9 else text
    if field == "tags" and not text.startswith("["):
        return [tag.strip() for tag in text.replace(";", ",").split(",") if tag.strip()]
    if field in ("tags", "subject"):
        try:
            return parse(text.encode("utf-8", "replace"))
        except InvalidJSON:
            return text
    return text
