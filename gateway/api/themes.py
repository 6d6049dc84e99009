"""GET /gateway/v1/themes: what people talk about, over a period."""

from __future__ import annotations

from typing import Any

from adapters.contract import Fault, Inbound, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import query_parameters
from gateway.background.themes import DAY
from models.tables import theme
from models.tables.feedback import iso

PERIOD = 7 * DAY  # when nobody says since when
LIMIT, MOST = 20, 100  # themes that are shown
EXAMPLES = 3


def list_themes(caller: Caller, inbound: Inbound) -> Reply:
    """Themes of records received from `since` until `until` (the last week), those with most records first.

    Each is compared with the period of the same length before. Raises Refused (400).
    """
    faults = query_parameters.unknown(inbound, ("since", "until", "project", "limit"))
    limit = query_parameters.whole(inbound, "limit", 1, MOST, faults) or LIMIT
    since, until = (
        query_parameters.moment(inbound, "since", faults),
        query_parameters.moment(inbound, "until", faults),
    )
    until = inbound.received_at + 1 if until is None else until
    since = until - PERIOD if since is None else since
    if not faults and since >= until:
        faults.append(Fault("since", "Must be before until"))
    if faults:
        raise invalid(*faults)
    run = _run_for(caller, inbound.query.get("project"))
    found = themes_of(run["id"], since, until, limit) if run else []
    covered = max(since, run["since"]) if run else None
    return Reply(
        200,
        {
            "data": found,
            "next_cursor": None,
            "since": iso(since),
            "until": iso(until),
            "covered_since": iso(covered),
            "computed_at": iso(run["computed_at"]) if run else None,
        },
    )


def _run_for(caller: Caller, project_id: str | None) -> dict[str, Any] | None:
    """What was computed for the project asked for, or for all that the caller may see."""
    if caller.project_id is not None:
        if project_id not in (None, caller.project_id):
            return None
        project_id = caller.project_id
    return theme.newest_run(caller.workspace_id, project_id)


def themes_of(run_id: str, since: int, until: int, limit: int) -> list[dict[str, Any]]:
    """The themes of a computation with most records of a period, each compared with the period before."""
    counted = theme.counts(run_id, 2 * since - until, since, until)
    most = sorted((item for item in counted if item[1]), key=lambda item: (-item[1], item[0]))[:limit]
    ids = [theme_id for theme_id, _, _ in most]
    told = theme.told(ids, since, until)
    categories: dict[str, dict[str, int]] = {}
    for theme_id, category, number in theme.categories(ids, since, until):
        categories.setdefault(theme_id, {})[category] = number
    return [
        {
            "id": told[theme_id]["lasting_id"],
            "label": told[theme_id]["label"],
            "terms": told[theme_id]["terms"],
            "count": count,
            "previous": previous,
            "change": round((count - previous) / previous, 3) if previous else None,
            "sentiment": round(told[theme_id]["sentiment"], 3),
            "impact": told[theme_id]["impact"],
            "categories": categories[theme_id],
            "first_at": iso(told[theme_id]["first"]),
            "last_at": iso(told[theme_id]["last"]),
            "examples": theme.examples(theme_id, since, until, EXAMPLES),
        }
        for theme_id, count, previous in most
        if theme_id in told  # its last record may have been erased since
    ]
