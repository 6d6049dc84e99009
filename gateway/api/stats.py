"""Numbers about what came in: counts and means of the records that a filter means, and their trend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.contract import Fault, Inbound, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import filters
from models.queries.feedback_query import Filter
from models.queries.statistics import DIMENSIONS, TIMES, Sums, sums
from models.tables.feedback import iso

MOST = 3  # dimensions of one table


def show_stats(caller: Caller, inbound: Inbound) -> Reply:
    """Counts and means by the dimensions that `by` names, of the records that a filter means."""
    faults: list[Fault] = []
    asked = filters.read(inbound.query_string, ("by",), faults, me=caller.person)
    by, bad = read_by(asked.rest.get("by"))
    faults += bad
    if faults:
        raise invalid(*faults)
    return Reply(
        200, stats(caller.workspace_id, caller.project_id, asked.chosen, by, now=inbound.received_at)
    )


def read_by(text: str | None) -> tuple[list[str], list[Fault]]:
    """The dimensions that a text names, and what is wrong with it."""
    by = [] if text is None else text.split(",")
    if not set(by) <= set(DIMENSIONS) or len(set(by)) < len(by):
        return [], [Fault("by", f"Must be some of {', '.join(DIMENSIONS)}")]
    if len(by) > MOST or len(set(by) & set(TIMES)) > 1:
        return [], [Fault("by", f"Must be at most {MOST}, one of them a time")]
    return by, []


def stats(
    workspace_id: str, project_id: str | None, chosen: Filter, by: list[str], *, now: int
) -> dict[str, Any]:
    """The numbers as the API shows them.

    A filter with `since` has a period; each group that is no time, and the total, then also has how
    many there were in the period of the same length before.
    """
    found = sums(workspace_id, project_id, chosen, by)
    total = Sums()
    for counted in found.values():
        total.add(counted.records, counted.impact, counted.score)
    before: Mapping[tuple[Any, ...], Sums] | None = None
    if chosen.since is not None:
        until = now if chosen.until is None else chosen.until
        past = replace(chosen, since=max(0, 2 * chosen.since - until), until=chosen.since)
        before = sums(workspace_id, project_id, past, [name for name in by if name not in TIMES])
    shown = []
    timed = bool(set(by) & set(TIMES))
    if before is not None and not timed:  # those that are gone now are a trend, too
        found = {**found, **{group: Sums() for group in before if group not in found}}
    for group, counted in found.items():
        named = zip(by, group, strict=True)
        row = {name: iso(value) if name in TIMES else value for name, value in named} | _measured(counted)
        if before is not None and not timed:
            row |= _trend(counted.records, before[group].records if group in before else 0)
        shown.append(row)
    whole = _measured(total)
    if before is not None:
        whole |= _trend(total.records, sum(earlier.records for earlier in before.values()))
    period = {"since": iso(chosen.since), "until": iso(chosen.until)}
    return {"data": shown, "next_cursor": None, "total": whole, **period}


def _measured(counted: Sums) -> dict[str, Any]:
    """A count and means; of no record there are no means."""
    if not counted.records:
        return {"count": 0, "impact": None, "sentiment_score": None}
    return {
        "count": counted.records,
        "impact": round(counted.impact / counted.records, 4),
        "sentiment_score": round(counted.score / counted.records / 1_000_000, 4),
    }


def _trend(count: int, before: int) -> dict[str, Any]:
    """How many there were before, and by which share the count has grown; None when there were none."""
    return {"previous_count": before, "trend": round(count / before - 1, 4) if before else None}
