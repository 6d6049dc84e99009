"""Records as rows of a CSV that a spreadsheet opens without calculating anything, and back."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from models.database.base import dumps

# Columns that hold something else than text, as JSON.
AS_JSON = (
    "subject",
    "tags",
    "attachments",
    "impact_reasons",
    "overruled",
    "category_confidence",
    "sentiment_score",
    "sentiment_confidence",
    "topic_confidence",
    "impact",
    "occurrences",
    "votes",
    "wakes_on_delivery",
)
# What a spreadsheet takes for the beginning of a formula, also in full width.
_SIGN = "[-=+@\uff0d\uff1d\uff0b\uff20\ufe63\ufe66\ufe62\ufe6b]"
_ROW = "\r\n\v\f\x1c-\x1e\x85\u2028\u2029"
_BREAK = rf"\t{_ROW}"
# What may stand before a sign without anybody seeing it: blanks, and what has no width.
_BLANK = (
    " \xa0\u1680\u2000-\u200a\u202f\u205f\u3000\xad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
)
# Where a cell may begin, whichever of comma, semicolon and tab a spreadsheet separates by. One that
# separates by others does not know our quotes: then cells and rows begin within our cells, too.
_BEGINS = re.compile(
    rf'^[{_BLANK}"]*+(?P<first>\'*+)(?=[\t\r\n])'
    rf'|(?:[;{_ROW}]|[,\t][{_BLANK}]*+")[{_BLANK}"]*+(?P<tab>\'*+)(?=\t)'
    rf'|[,;{_BREAK}][{_BLANK}]*+"[{_BLANK}"]*+(?P<row>\'*+)(?=[\r\n])'
    rf'|(?:^|[,;{_BREAK}])[{_BLANK}"]*+(?P<signed>\'*+)(?={_SIGN})'
    rf'|[;{_BREAK}][{_BLANK}"]*+(?P<last>\'*+)\Z'
)
_NUMBER = re.compile(r"-[0-9]+(?:\.[0-9]+)?", re.ASCII)
_IN_JSON = re.compile(rf"([;{_BREAK}][{_BLANK}]*+)({_SIGN})")


def flat(document: Mapping[str, Any]) -> dict[str, str]:
    """A record as cells: objects and arrays as JSON, nothing of which is taken for a formula."""
    author: Mapping[str, Any] = document["author"]
    cells = {name: value for name, value in document.items() if name != "author"}
    cells |= {f"author.{name}": value for name, value in author.items()}
    return {name: _cell(value) for name, value in cells.items()}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return defused(value)
    return _IN_JSON.sub(lambda found: f"{found[1]}\\u{ord(found[2]):04x}", dumps(value))


def defused(text: str) -> str:
    """A text in which no spreadsheet finds a formula: wherever a cell may begin with one, by an apostrophe.

    By one more where there are some, so that it can be undone. A plain negative number stays one.
    """
    if _NUMBER.fullmatch(text):
        return text
    return _BEGINS.sub(lambda found: _apostrophes(found, "'"), text)


def _undone(text: str) -> str:
    return _BEGINS.sub(lambda found: _apostrophes(found, ""), text)


def _apostrophes(found: re.Match[str], more: str) -> str:
    """What was found with one more apostrophe at its end, or with one less if it has any."""
    whole = found[0]
    if more:
        return whole + more
    return whole[:-1] if found[found.lastgroup or 0] else whole


def unflat(cells: Mapping[str, str]) -> dict[str, Any]:
    """The record that `flat` made these cells of."""
    document: dict[str, Any] = {"author": {}}
    for name, cell in cells.items():
        value: Any = _undone(cell)
        if name in AS_JSON and cell:
            try:
                value = json.loads(cell.removeprefix("'"))
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
        row = [cells.get(column, "") for column in columns]
        if len(row) > 1 and row[0].startswith("-"):  # the rest may be its cell's, too
            row[0] = f"'{row[0]}"
        yield line(row)
