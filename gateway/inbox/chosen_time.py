"""Which time people's pages go by: when things occurred, unless an address says when they were received.

Programs hear of the other one first, as ever. What has no time of its own occurred when it was received, so
that a workspace whose sources bring none sees no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

from models.queries.ordering import NEWEST_BY, OCCURRED, OLDEST_BY, RECEIVED, TIMES, time_of

Given = Sequence[tuple[str, str]]


def asked_for(given: Given) -> str:
    """Which of TIMES an address goes by: what `time` says, else a sort by one, else when things occurred."""
    told = dict(given)
    time = told.get("time") or time_of(told.get("sort", ""))
    return time if time in TIMES else OCCURRED


def said(given: Given) -> list[tuple[str, str]]:
    """An address that says of a period which time it is about, for whoever asks with it besides the list.

    A sort by the other time than `time` says, as a form may send, is turned to that.
    """
    told = dict(given)
    sort, time = told.get("sort", ""), asked_for(given)
    found = [(name, _turned(sort, time) if name == "sort" else value) for name, value in given]
    if {"since", "until"} & told.keys() and "time" not in told and time_of(sort) is None:
        found.append(("time", time))
    return found


def usual(query: str) -> str:
    """What the API is asked for with an address: the same, with people's time where it says none."""
    given = parse_qsl(query, keep_blank_values=True)
    told = dict(given)
    if "time" in told or time_of(told.get("sort", "")):
        return query
    return urlencode([*given, ("time", OCCURRED)])


def order_of(given: Given) -> str:
    """The sort of a list: what its address says, else the newest first by its time."""
    return dict(given).get("sort") or NEWEST_BY[asked_for(given)]


def beside(given: Given) -> str:
    """The time beside a row: that which the list is sorted by, if only among rows of the same impact."""
    return time_of(order_of(given)) or RECEIVED


def _turned(sort: str, time: str) -> str:
    if time_of(sort) is None:
        return sort
    return NEWEST_BY[time] if sort.startswith("-") else OLDEST_BY[time]
