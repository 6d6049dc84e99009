"""How many records a list has, and each view beside its name: counted for this page, up to 999."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from flask import g

from adapters.contract import Refused
from gateway.api import filters
from gateway.inbox import chosen_time
from gateway.inbox.i18n import number
from models.queries import counting
from models.queries.counting import Count
from models.queries.feedback_query import Filter
from models.queries.ordering import time_of

_BESIDE = ("sort", "limit", "cursor", "fields")  # what a list's query has that says nothing of which records


def total(query: str) -> Count | None:
    """How many records the list of a query string has; None when the query is a bad one."""
    known, asked = _known(), _meant(query)
    if asked not in known:
        chosen = _filter(asked)
        known[asked] = None if chosen is None else counting.count(g.session["user_workspace"], None, chosen)
    return known[asked]


def of_views(queries: Iterable[str]) -> dict[str, str]:
    """The counts of several lists by their queries, as they stand beside the lists' names."""
    known, named = _known(), {query: _meant(query) for query in queries}
    lacking = {asked: _filter(asked) for asked in named.values() if asked not in known}
    sound = {asked: chosen for asked, chosen in lacking.items() if chosen is not None}
    if sound:
        found = counting.counts(g.session["user_workspace"], None, [*sound.values()])
        known.update(zip(sound, found, strict=True))
    return {query: said(known.get(asked)) for query, asked in named.items()}


def any_record() -> bool:
    """Whether the workspace has any record."""
    return counting.any_record(g.session["user_workspace"])


def said(count: Count | None) -> str:
    """A count as it stands beside a name: "7", "999+", or nothing where nothing is known."""
    if count is None:
        return ""
    return f"{number(count.number)}{'+' if count.more else ''}"


def _known() -> dict[str, Count | None]:
    """What was counted for this page already."""
    if "list_counts" not in g:
        g.list_counts = {}
    known: dict[str, Count | None] = g.list_counts
    return known


def _meant(query: str) -> str:
    """What of a query decides which records are meant."""
    given = chosen_time.said(parse_qsl(query.removeprefix("?")))
    told = dict(given)
    if {"since", "until"} & told.keys() and (time := time_of(told.get("sort", ""))):
        given = [*((name, value) for name, value in given if name != "time"), ("time", time)]
    return urlencode([(name, value) for name, value in given if name not in _BESIDE])


def _filter(query: str) -> Filter | None:
    try:
        chosen = filters.parse(query, me=g.session["user_id"])
    except Refused:
        return None
    if "any_merged" not in g:
        g.any_merged = counting.any_merged(g.session["user_workspace"])
    return chosen if g.any_merged else counting.plain(chosen)
