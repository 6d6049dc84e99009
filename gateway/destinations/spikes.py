"""Far more than usual: the last hour of what a filter means, against the same hour of the weeks before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from statistics import median
from typing import Any

from adapters.contract import Refused
from gateway.api import filters
from gateway.destinations import links, messages, subscription
from gateway.destinations.alarm import Alarm
from gateway.destinations.deliveries import change_of
from gateway.destinations.kind import Change
from gateway.destinations.shared_view import filter_of
from models.queries import feedback_query, selection
from models.queries.feedback_query import WITH, Filter
from models.tables import outbox
from models.tables.feedback import iso

HOUR, MINUTE = 3_600_000, 60_000  # milliseconds
COOLDOWN = 6 * HOUR
WEEKS, LEAST_WEEKS = 4, 2
LEAST = 5  # records of an hour that can be a spike
FAR = 5  # spreads above the usual
NORMAL = 1.4826  # by which the median of distances is a standard deviation
MOST_SHOWN = 3

Row = Mapping[str, Any]


def usual_of(count: int, before: Sequence[int]) -> float | None:
    """The usual count when one is far above it, else None.

    That is the median of those before; how far they spread is the median of their distances to it, and no
    less than counts of things that come by chance do.
    """
    usual = median(before)
    spread = max(NORMAL * median(abs(one - usual) for one in before), sqrt(max(usual, 1)))
    return float(usual) if count >= LEAST and count > usual + FAR * spread else None


def of(one: Row, now: int) -> Iterator[Alarm]:
    """The spike of what a destination's filter means, whatever its status, if there is one."""
    if outbox.SPIKE not in one["events"] or one["alarms"].get(outbox.SPIKE, 0) > now - COOLDOWN:
        return
    try:
        text = filter_of(one["workspace_id"], one["filter"])
        chosen = replace(filters.parse(text, now=now), status=())
    except Refused:  # whoever tells of records disables it
        return
    place, zone = (one["workspace_id"], one["project_id"]), subscription.of(one).zone
    end = now - now % MINUTE

    def count(until: int) -> int:
        return selection.count(*place, replace(chosen, since=until - HOUR, until=until))

    first, _ = feedback_query.page(*place, Filter(merged=WITH), sort="received_at", limit=1)
    if not first or (counted := count(end)) < LEAST:
        return
    ends = [subscription.earlier(end, week, zone) for week in range(1, WEEKS + 1)]
    before = [count(until) for until in ends if until - HOUR >= first[0]["received_at"]]
    usual = usual_of(counted, before) if len(before) >= LEAST_WEEKS else None
    if usual is None:
        return
    data = {"destination_id": one["id"], "filter": one["filter"], "count": counted, "usual": usual}
    data |= {"before": before, "since": iso(end - HOUR), "until": iso(end)}
    change = Change(outbox.SPIKE, now, one["workspace_id"], data, url=links.of_list(one["filter"]))
    hour = replace(chosen, since=end - HOUR, until=end)
    found, _ = feedback_query.page(*place, hour, sort="-impact", limit=MOST_SHOWN)
    told = {"type": outbox.CREATED, "at": now, "event_id": None, "data": None}
    told |= {"workspace_id": one["workspace_id"]}
    shown = [
        change_of(one, {**told, "feedback_id": row["id"], "project_id": row["project_id"]}, row, {})
        for row in found
    ]
    named = subscription.of(one).include_author
    message = messages.of_spike(change, shown, change.url, include_author=named)
    yield Alarm(outbox.SPIKE, now - COOLDOWN, change, message, [row["id"] for row in found])
