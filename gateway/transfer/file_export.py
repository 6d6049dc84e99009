"""Records out, as NDJSON, CSV or Markdown: any number, a page in memory and no transaction open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gateway.transfer.csv_cells import csv_lines
from gateway.transfer.record_markdown import records_as_markdown
from models.database.base import dumps
from models.queries import feedback_query
from models.queries.feedback_query import Filter
from models.queries.ordering import OLDEST_BY, Position
from models.tables import asset, feedback

FIRST, PAGE = 50, 500  # records read at once: at first, and at most
AT_HAND = 2_000_000  # characters of their texts, about
FORMATS = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}  # that can be imported again
SHOWN_AS = {**FORMATS, "md": "text/markdown; charset=utf-8"}
FIELDS = (*feedback.SHOWN, "author", "attachments")
AUTHOR = ("author.id", "author.name", "author.email")
BOM = b"\xef\xbb\xbf"


def documents(
    workspace_id: str,
    project_id: str | None,
    chosen: Filter,
    after: Position | None = None,
    *,
    sort: str | None = None,
) -> Iterator[dict[str, Any]]:
    """The records that a filter means as the API shows them, in this order from after a position.

    Without `sort` the oldest come first, by the time that the filter goes by.
    """
    sort = sort or OLDEST_BY[chosen.time]
    limit = min(FIRST, PAGE)
    while True:
        page, after = feedback_query.page(
            workspace_id, project_id, chosen, limit=limit, sort=sort, after=after
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


def lines(
    shown: Iterator[Mapping[str, Any]],
    form: str,
    fields: Sequence[str] = FIELDS,
    address: Callable[[str], str] = str,
) -> Iterator[str]:
    """Records as the lines of a file; that of a CSV begins with its header.

    In Markdown each has the link to its page, which `address` makes of its id, and always the same fields.
    """
    if form == "md":
        yield from records_as_markdown(shown, address)
    elif form == "csv":
        columns = [name for name in fields if name != "author"]
        yield from csv_lines(shown, [*columns, *(AUTHOR if "author" in fields else ())])
    elif len(fields) == len(FIELDS):
        yield from (dumps(record) + "\n" for record in shown)
    else:
        yield from (dumps({name: record[name] for name in fields}) + "\n" for record in shown)
