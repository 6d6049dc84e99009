"""Records out, as NDJSON or CSV: any number of them, with a page in memory and no transaction open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.transfer.csv_cells import csv_lines
from models.database.base import dumps
from models.queries import feedback_query
from models.queries.feedback_query import Filter
from models.queries.ordering import OLDEST_BY, Position
from models.tables import asset, feedback

FIRST, PAGE = 50, 500  # records read at once: at first, and at most
AT_HAND = 2_000_000  # characters of their texts, about
FORMATS = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
FIELDS = (*feedback.SHOWN, "author", "attachments")
AUTHOR = ("author.id", "author.name", "author.email")
BOM = b"\xef\xbb\xbf"


def documents(
    workspace_id: str, project_id: str | None, chosen: Filter, after: Position | None = None
) -> Iterator[dict[str, Any]]:
    """The records that a filter means as the API shows them, oldest first, from after a position."""
    limit = min(FIRST, PAGE)
    while True:
        page, after = feedback_query.page(
            workspace_id, project_id, chosen, limit=limit, sort=OLDEST_BY[chosen.time], after=after
        )
        yield from _with_files(page)
        if after is None:
            return
        characters = sum(len(row["text"]) for row in page)
        limit = max(1, min(PAGE, 2 * limit, AT_HAND * limit // max(characters, 1)))


def _with_files(page: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Records with what is known of their files; the bytes are asked for one by one."""
    files: dict[str, list[dict[str, Any]]] = {}
    for file in asset.of_feedback(row["id"] for row in page):
        told = {name: file[name] for name in ("id", "name", "size", "content_type", "sha256")}
        files.setdefault(file["feedback_id"], []).append(told)
    for row in page:
        yield {**feedback.document(row), "attachments": files.get(row["id"], [])}


def lines(shown: Iterator[Mapping[str, Any]], form: str, fields: Sequence[str] = FIELDS) -> Iterator[str]:
    """Records as the lines of a file; that of a CSV begins with its header."""
    if form == "csv":
        columns = [name for name in fields if name != "author"]
        yield from csv_lines(shown, [*columns, *(AUTHOR if "author" in fields else ())])
    elif len(fields) == len(FIELDS):
        yield from (dumps(record) + "\n" for record in shown)
    else:
        yield from (dumps({name: record[name] for name in fields}) + "\n" for record in shown)
