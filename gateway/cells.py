"""Records as rows of a CSV that a spreadsheet opens without calculating anything, and back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from models.base import dumps

# Columns that hold something else than text, as JSON.
AS_JSON = (
    "subject",
    "tags",
    "impact_reasons",
    "overruled",
    "category_confidence",
    "sentiment_score",
    "impact",
    "occurrences",
    "votes",
)
# What a spreadsheet would take for a formula when a cell begins with it.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def flat(document: Mapping[str, Any]) -> dict[str, str]:
    """A record as cells: objects and arrays as JSON, texts defused."""
    author: Mapping[str, Any] = document["author"]
    cells = {name: value for name, value in document.items() if name != "author"}
    cells |= {f"author.{name}": value for name, value in author.items()}
    return {name: _cell(value) for name, value in cells.items()}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return defused(value)
    return dumps(value)


def defused(text: str) -> str:
    """A text that no spreadsheet takes for a formula; one more apostrophe, so that it can be undone."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def _undone(text: str) -> str:
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA) else text


def unflat(cells: Mapping[str, str]) -> dict[str, Any]:
    """The record that `flat` made these cells of."""
    document: dict[str, Any] = {"author": {}}
    for name, cell in cells.items():
        value: Any = _undone(cell)
        if name in AS_JSON and cell:
            try:
                value = json.loads(cell)
            except ValueError:
                value = cell
        elif not cell and name not in ("text", "title"):
            value = None
        if name.startswith("author."):
            document["author"][name.removeprefix("author.")] = value
        else:
            document[name] = value
    return document


def csv_lines(documents: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    """The lines of a CSV, header first (RFC 4180)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")

    def line(cells: Sequence[str]) -> str:
        writer.writerow(cells)
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    yield line([defused(column) for column in columns])
    for document in documents:
        cells = flat(document)
        yield line([cells.get(column, "") for column in columns])
