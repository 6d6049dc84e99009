"""How many records a list has, and each view beside its name: counted for this page, up to 999."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from flask import g

from adapters.contract import Fault, Refused
from gateway.api import filters
from gateway.inbox.i18n import number
from models.queries import counting
from models.queries.counting import Count

_BESIDE = ("sort", "limit", "cursor", "fields")  # what a list's query has that says nothing of which records


def total(query: str) -> Count | None:
    """How many records the list of a query string has; None when the query is a bad one."""
    if "list_counts" not in g:
        g.list_counts = {}
    known: dict[str, Count | None] = g.list_counts
    asked = _meant(query)
    if asked not in known:
        known[asked] = _counted(asked)
    return known[asked]


def beside(queries: Iterable[str]) -> list[str]:
    """The counts of several lists as words for beside their names."""
    return [said(total(query)) for query in queries]


def said(count: Count | None) -> str:
    """A count as it stands beside a name: "7", "999+", or nothing where nothing is known."""
    if count is None:
        return ""
    return f"{number(count.number)}{'+' if count.more else ''}"


def _meant(query: str) -> str:
    """What of a query decides which records are meant."""
    given = parse_qsl(query.removeprefix("?"))
    return urlencode([(name, value) for name, value in given if name not in _BESIDE])


def _counted(query: str) -> Count | None:
    faults: list[Fault] = []
    workspace_id = g.session["user_workspace"]
    try:
        asked = filters.read(query, (), faults, me=g.session["user_id"])
    except Refused:
        return None
    if faults:
        return None
    if "oldest_looked_at" not in g:
        g.oldest_looked_at = counting.oldest_looked_at(workspace_id)
    return counting.count(workspace_id, None, asked.chosen, oldest=g.oldest_looked_at)
