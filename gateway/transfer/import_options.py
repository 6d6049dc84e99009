"""How a file is to be imported: which column becomes which field, what it is filed under, and its rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO

import adapters
from gateway.transfer.import_rows import Mapped, Row, Unreadable, ndjson, table

FIELDS = (
    "text",
    "title",
    "type",
    "kind",
    "category",
    "sentiment",
    "sentiment_score",
    "severity",
    "language",
    "subject",
    "author.id",
    "author.name",
    "author.email",
    "tags",
    "external_id",
    "project_id",
    "occurred_at",
)
SOURCE = "import"  # what records are filed under when nothing else is said


class BadOption(ValueError):
    """An option that says nothing to go by; the message says why."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file's rows, and how they become records."""

    rows: Iterator[Row]
    mapped: Mapped


def fields_of(pairs: Iterable[str]) -> dict[str, str]:
    """Which column each field comes from, from texts FIELD=COLUMN. Raises BadOption."""
    fields: dict[str, str] = {}
    for pair in pairs:
        name, equals, column = pair.strip().partition("=")
        if not equals or not column.strip():
            raise BadOption(f"{pair}: must be FIELD=COLUMN")
        if name not in FIELDS and not re.fullmatch(r"subject\.[^.=]+", name):
            raise BadOption(f"{name}: fields are {', '.join(FIELDS)} and subject.NAME")
        if name in fields:
            raise BadOption(f"{name}: given twice")
        fields[name] = column.strip()
    if fields and "text" not in fields:
        raise BadOption("which column is the text? Give the map text=COLUMN")
    return fields


def source_of(name: str) -> str:
    """A name that records may be filed under. Raises BadOption."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,39}", name) or name == "joins":
        raise BadOption("must be 1 to 40 of a-z, 0-9, dot, dash and underscore")
    if name in adapters.load():
        raise BadOption(f"{name} is what its own door files records under")
    return name


def format_of(name: str) -> str:
    """The format that a file's name tells."""
    return "csv" if PurePath(name).suffix.lower() in (".csv", ".tsv") else "ndjson"


def opened(file: BinaryIO, form: str, mapped: Mapped) -> Opened:
    """A file's rows. Raises Unreadable for one that has no such rows."""
    if form == "ndjson":
        if file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
            raise Unreadable("the file is one JSON array; give one record a line (jq -c '.[]' FILE)")
        file.seek(0)
        return Opened(ndjson(file), mapped)
    columns, rows = table(file)
    ours = {"id", "received_at", "text"} <= set(columns)
    if not mapped.fields and not ours:
        known = {name: name for name in columns if name in FIELDS or name.startswith("subject.")}
        mapped = Mapped(known, mapped.key)
    wanted = [*mapped.fields.values(), *([mapped.key] if mapped.key else [])]
    missing = [name for name in wanted if name not in columns]
    if missing or not (ours or "text" in mapped.fields):
        what = (
            f"no column {', '.join(missing)}"
            if missing
            else "which column is the text? Give the map text=COLUMN"
        )
        raise Unreadable(f"{what}; the columns are: {', '.join(columns)}")
    return Opened(rows, mapped)
