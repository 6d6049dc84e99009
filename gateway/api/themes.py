"""GET /gateway/v1/themes, and of each one: what people talk about, over a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import query_parameters, theme_quotes
from gateway.background.themes import DAY
from models.queries import theme_summary
from models.tables import theme
from models.tables.feedback import iso

PERIOD = 7 * DAY  # when nobody says since when
LIMIT, MOST = 20, 100  # themes that are shown
EXAMPLES = 3
QUOTES, MOST_QUOTES = 5, 20
TOP = 8  # pages, languages and sources of a theme
MARKDOWN = "text/markdown; charset=utf-8"
# What a theme says of which there is no record in a period.
_NOTHING: dict[str, Any] = {
    "count": 0,
    "people": 0,
    "trend": [],
    "sentiment": None,
    "impact": None,
    "categories": {},
    "first_at": None,
    "last_at": None,
    "examples": [],
}


def list_themes(caller: Caller, inbound: Inbound) -> Reply:
    """Themes of records received from `since` until `until` (the last week), those with most records first.

    Each is compared with the period of the same length before. Raises Refused (400).
    """
    faults = query_parameters.unknown(inbound, ("since", "until", "project", "limit"))
    limit = query_parameters.whole(inbound, "limit", 1, MOST, faults) or LIMIT
    since, until = _period(inbound, faults)
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


def show_theme(caller: Caller, inbound: Inbound) -> Reply:
    """One theme over a period (the last week), compared with the one before, and quotes from its records.

    One that ended has no records; it tells when it ended and what it became. Raises Refused (400, 404).
    """
    faults = query_parameters.unknown(inbound, ("since", "until", "quotes"))
    limit = query_parameters.whole(inbound, "quotes", 0, MOST_QUOTES, faults)
    since, until = _period(inbound, faults)
    row = _find(caller, inbound)
    chosen = theme_quotes.quotes(row["id"], _terms(row), since, until, QUOTES if limit is None else limit)
    counted = {
        name: [{name: value, "count": count} for value, count in found]
        for name, found in (
            ("page", theme_summary.pages(row["id"], since, until, TOP)),
            ("language", theme_summary.counted_by("language", row["id"], since, until, TOP)),
            ("source", theme_summary.counted_by("source", row["id"], since, until, TOP)),
        )
    }
    became = row["terms"]["became"] if theme.is_ended(row) else []
    labels = theme.labels(caller.workspace_id, caller.project_id, became)
    return Reply(
        200,
        {
            **_one(row, since, until),
            "project": row["project_id"],
            "pages": counted["page"],
            "languages": counted["language"],
            "sources": counted["source"],
            "quotes": chosen,
            "since": iso(since),
            "until": iso(until),
            "covered_since": iso(max(since, row["since"])),
            "computed_at": iso(row["computed_at"]),
            "ended_at": iso(row["terms"]["ended_at"]) if theme.is_ended(row) else None,
            "became": [{"id": name, "label": labels[name]} for name in became if name in labels],
        },
    )


def show_quotes(caller: Caller, inbound: Inbound) -> Reply:
    """Quotes from a theme's records of a period (the last week), as Markdown. Raises Refused (400, 404)."""
    faults = query_parameters.unknown(inbound, ("since", "until", "limit"))
    limit = query_parameters.whole(inbound, "limit", 1, MOST_QUOTES, faults) or QUOTES
    since, until = _period(inbound, faults)
    row = _find(caller, inbound)
    chosen = theme_quotes.quotes(row["id"], _terms(row), since, until, limit)
    text = theme_quotes.as_markdown(row["label"], row["lasting_id"], chosen)
    headers = {"Content-Disposition": f'attachment; filename="{theme_quotes.file_name(row["lasting_id"])}"'}
    return Reply(200, text.encode("utf-8", "replace"), headers, MARKDOWN)


def _period(inbound: Inbound, faults: list[Fault]) -> tuple[int, int]:
    """Since and until when records count. Raises Refused (400) with these faults and its own."""
    asked_since = query_parameters.moment(inbound, "since", faults)
    asked_until = query_parameters.moment(inbound, "until", faults)
    until = inbound.received_at + 1 if asked_until is None else asked_until
    since = until - PERIOD if asked_since is None else asked_since
    if not faults and since >= until:
        faults.append(Fault("since", "Must be before until"))
    if faults:
        raise invalid(*faults)
    return since, until


def _find(caller: Caller, inbound: Inbound) -> dict[str, Any]:
    """The theme that a path names. Raises Refused (404)."""
    row = theme.find(caller.workspace_id, caller.project_id, inbound.params["theme_id"])
    if row is None:
        raise Refused(Problem(404, "not_found", "No such theme."))
    return row


def _terms(row: Mapping[str, Any]) -> list[str]:
    return [] if theme.is_ended(row) else row["terms"]


def _one(row: Mapping[str, Any], since: int, until: int) -> dict[str, Any]:
    """A theme as the list tells it, also without a record of the period."""
    count, previous = theme.count_of(row["id"], 2 * since - until, since, until)
    if found := _told([(row["id"], count, previous)], since, until):
        return found[0]
    change = -1.0 if previous else None
    named = {"id": row["lasting_id"], "label": row["label"], "terms": _terms(row)}
    return {**named, **_NOTHING, "previous": previous, "change": change}


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
    return _told(most, since, until)


def _told(counted: Sequence[tuple[str, int, int]], since: int, until: int) -> list[dict[str, Any]]:
    """Themes with what their records of a period say, by their rows and how many there were, and before."""
    ids = [theme_id for theme_id, _, _ in counted]
    named, people = theme.named(ids), theme.voices(ids, since, until)
    parts: dict[str, list[dict[str, Any]]] = {}
    for part in theme_summary.by_category(ids, since, until):
        parts.setdefault(part["theme"], []).append(part)
    trend: dict[str, list[dict[str, Any]]] = {}
    for theme_id, day, number in theme_summary.by_day(ids, since, until):
        trend.setdefault(theme_id, []).append({"day": iso(day), "count": number})
    return [
        {
            "id": named[theme_id]["lasting_id"],
            "label": named[theme_id]["label"],
            "terms": named[theme_id]["terms"],
            "count": count,
            "previous": previous,
            "change": round((count - previous) / previous, 3) if previous else None,
            "people": people[theme_id],
            "trend": trend[theme_id],
            **_summed(parts[theme_id]),
            "examples": theme.examples(theme_id, since, until, EXAMPLES),
        }
        for theme_id, count, previous in counted
        if theme_id in named.keys() & people.keys() & trend.keys() & parts.keys()  # else erased since
    ]


def _summed(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the records of a theme say, of which its categories are the parts."""
    records = sum(part["records"] for part in parts)
    return {
        "sentiment": round(sum(part["score"] for part in parts) / records, 3),
        "impact": max(part["impact"] for part in parts),
        "categories": {part["category"]: part["records"] for part in parts},
        "first_at": iso(min(part["first"] for part in parts)),
        "last_at": iso(max(part["last"] for part in parts)),
    }
