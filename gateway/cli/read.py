"""`feedback-gateway list`, `show`, `search`, `stats` and `tail`: what came in, in the terminal.

A FILTER is the query string that the API takes, such as "category=bug&min_impact=6&since=7d".
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import click
from click.core import ParameterSource
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.contract import Fault, Refused, invalid
from gateway.access.audit_log import COMMAND_LINE
from gateway.api import changes, filters
from gateway.api.pagination import LONGEST_PAGE
from gateway.api.stats import read_by, stats
from gateway.cli.command import command, open_database, place_of, printed
from gateway.cli.errors import Failure, NotHere
from gateway.core.ids import now_ms
from models.queries import feedback_query
from models.queries.feedback_query import Filter
from models.queries.ordering import NEWEST, OCCURRED, SORTS, time_of
from models.tables import event, feedback

reads = click.Group()

LATE = 60_000  # milliseconds that a record may need from its arrival until others see it
COLUMNS = ("id", "source", "category", "sentiment", "impact", "status", "title")
_filter = click.argument("query", metavar="[FILTER]", default="")
_project = click.option("--project", "project_id", default=None, help="Only this project.")
_workspace = click.option("--workspace", default=None, help="Workspace id [default: the first].")
# What a filter may have beside, as in the API, and what such a value is.
BESIDE: Mapping[str, Any] = {"limit": click.IntRange(1, 1000), "sort": click.Choice(list(SORTS))}
_limit = click.option("--limit", type=BESIDE["limit"], default=20, show_default=True)
_sort = click.option("--sort", type=BESIDE["sort"], default=NEWEST, show_default=True)


@command(reads, "list")
@_filter
@_sort
@_limit
@_project
@_workspace
def list_records(
    query: str, sort: str, limit: int, project_id: str | None, workspace: str | None
) -> tuple[Any, str]:
    """Records that FILTER means, newest first: "category=bug&status=open&since=7d"."""
    return _listed(query, sort, limit, project_id, workspace)


@command(reads, "search")
@click.argument("words", nargs=-1, required=True)
@click.option("--filter", "query", default="", help="Only records that this filter means.")
@_sort
@_limit
@_project
@_workspace
def search_records(
    words: Sequence[str], query: str, sort: str, limit: int, project_id: str | None, workspace: str | None
) -> tuple[Any, str]:
    """Records that have all WORDS: invoices '"log in"' 'export*'; put -- before a -word."""
    asked = urlencode({"q": " ".join(words)})
    return _listed(f"{query}&{asked}" if query else asked, sort, limit, project_id, workspace)


@command(reads, "show")
@click.argument("feedback_id", metavar="ID")
def show_record(feedback_id: str) -> tuple[Any, str]:
    """One record, and what happened to it."""
    row = feedback.first_of(feedback_id)
    if row is None:
        raise NotHere(f"no record {feedback_id} here")
    shown = feedback.document(row)
    shown["events"] = [
        {name: value for name, value in event.document(item).items() if name not in ("payload", "envelope")}
        for item in event.of(feedback_id, limit=200)
    ]
    if _as_json():
        return shown, feedback_id
    table = Table(show_header=False, box=None)
    for name, value in shown.items():
        if name != "events" and value not in (None, [], {}):
            table.add_row(name, _cell(value if isinstance(value, str) else json.dumps(value)))
    for item in shown["events"]:
        table.add_row("event", _cell(f"{item['at']} {item['type']}"))
    return shown, _drawn(table)


@command(reads, "stats")
@_filter
@click.option("--by", default="category", show_default=True, help="Such as day,category; at most three.")
@_project
@_workspace
def show_numbers(query: str, by: str, project_id: str | None, workspace: str | None) -> tuple[Any, str]:
    """Counts and means of the records that FILTER means."""
    names, faults = read_by(by)
    if faults:
        raise Failure("; ".join(f"--by: {fault.message}" for fault in faults))
    chosen = _read(query)
    workspace_id, project_id = place_of(workspace, project_id)
    told = stats(workspace_id, project_id, chosen, names, now=now_ms())
    if _as_json():
        return told, f"{told['total']['count']:,} records"
    shown = list(told["total"])
    table = _table((*names, *shown), told["data"])
    table.add_section()
    table.add_row(*("" for _ in names), *(_cell(told["total"][name]) for name in shown))
    return told, _drawn(table)


@reads.command("tail")
@_filter
@click.option("--interval", type=click.FloatRange(0.05), default=1.0, show_default=True, help="Seconds.")
@click.option("-n", "--count", type=click.IntRange(1), default=None, help="End after so many records.")
@_project
@_workspace
@click.option("--follow-changes", is_flag=True, help="All that is created, changed or deleted, not a FILTER.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each record.")
def tail(
    query: str,
    interval: float,
    count: int | None,
    follow_changes: bool,
    project_id: str | None,
    workspace: str | None,
    as_json: bool,
) -> None:
    """Records that FILTER means, as they arrive, until you stop it; or every change."""
    open_database()
    chosen = _read(query)
    if follow_changes and query:
        raise Failure("--follow-changes takes no FILTER: it tells of every record")
    workspace_id, project_id = place_of(workspace, project_id)
    if follow_changes:
        for change in islice(_changes(workspace_id, project_id, interval), count):
            shown = change["data"] or {"id": change["id"]}
            told = [change["type"], *_words(shown)]
            printed(json.dumps(change) if as_json else "  ".join(told))
        return
    if chosen.time == OCCURRED:
        raise Failure("time: tail tells records as they are received, whenever they occurred")
    since, seen = now_ms(), dict[str, int]()
    while True:
        # Some become visible after others that came later: the last minute is read again.
        until = now_ms()
        period = replace(chosen, since=max(chosen.since or 0, since))
        for row in _arrived(workspace_id, project_id, period):
            if row["id"] in seen:
                continue
            seen[row["id"]] = row["received_at"]
            shown = feedback.document(row)
            printed(json.dumps(shown) if as_json else "  ".join(_words(shown)))
            if count is not None and len(seen) == count:
                return
        if count is None:
            seen = {name: at for name, at in seen.items() if at >= until - LATE}
        since = max(since, until - LATE)
        time.sleep(interval)


def _changes(workspace_id: str, project_id: str | None, interval: float) -> Iterator[dict[str, Any]]:
    """What the feed of changes tells from now on."""
    cursor = changes.begin(workspace_id, project_id, by=COMMAND_LINE, existing=False)
    while True:
        page = changes.read(workspace_id, project_id, cursor, LONGEST_PAGE)
        yield from page["data"]
        cursor = page["next_cursor"]
        if not page["data"]:
            time.sleep(interval)


def _arrived(workspace_id: str, project_id: str | None, chosen: Filter) -> Iterable[dict[str, Any]]:
    after = None
    while True:
        page, after = feedback_query.page(
            workspace_id, project_id, chosen, limit=200, sort="received_at", after=after
        )
        yield from page
        if after is None:
            return


def _listed(
    query: str, sort: str, limit: int, project_id: str | None, workspace: str | None
) -> tuple[Any, str]:
    chosen, limit, sort = _asked(query, limit, sort)
    workspace_id, project_id = place_of(workspace, project_id)
    rows, last = feedback_query.page(workspace_id, project_id, chosen, limit=limit, sort=sort)
    shown = [feedback.document(row) for row in rows]
    at = f"{time_of(sort) or chosen.time}_at"
    more = "" if last is None else " (there are more)"
    if _as_json():
        return {"data": shown, "more": last is not None}, f"{len(shown)} records{more}"
    return {}, _drawn(_table((at, *COLUMNS), shown)) + f"{len(shown)} records{more}"


def _asked(query: str, limit: int, sort: str) -> tuple[Filter, int, str]:
    """The filter of a query string, and the limit and order, which it may have as in the API.

    What an option says comes first. Raises Failure.
    """
    faults: list[Fault] = []
    asked = filters.read(query, BESIDE, faults)
    values: dict[str, Any] = {"limit": limit, "sort": sort}
    in_command = click.get_current_context().get_parameter_source
    for name, text in asked.rest.items():
        try:
            value = BESIDE[name].convert(text, None, None)
        except click.BadParameter as error:
            faults.append(Fault(name, error.message))
            continue
        if in_command(name) is not ParameterSource.COMMANDLINE:
            values[name] = value
    if "sort" in asked.rest or in_command("sort") is ParameterSource.COMMANDLINE:
        asked.rest["sort"] = values["sort"]
    chosen, order = filters.in_order(asked, faults)
    if faults:
        raise Failure(invalid(*faults).problem.message)
    return chosen, values["limit"], order


def _read(query: str) -> Filter:
    """The filter of a query string. Raises Failure."""
    try:
        return filters.parse(query)
    except Refused as refused:
        raise Failure(refused.problem.message) from None


def _as_json() -> bool:
    return bool(click.get_current_context().params["as_json"])


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        if name == "title":
            table.add_column(name, overflow="ellipsis", no_wrap=True, ratio=1)
        else:
            table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    return table


def _cell(value: Any) -> str:
    """A value on one line, without anything that would steer the terminal."""
    text = "" if value is None else str(value)
    return escape("".join(char if char.isprintable() else " " for char in text))


def _words(shown: Mapping[str, Any]) -> list[str]:
    names = ("received_at", "id", "source", "category", "sentiment", "impact", "title")
    told = (str(shown[name]) for name in names if name in shown)
    return ["".join(char if char.isprintable() else " " for char in text) for text in told]


def _drawn(table: Table) -> str:
    """A table as text, as wide as the terminal, or as it needs where there is none."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()
