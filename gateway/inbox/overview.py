"""The overview: how much came in, of what kind, in which mood, about what, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import g
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from adapters.contract import Refused
from adapters.contract.record import CATEGORIES
from gateway.api import filters
from gateway.core.config import learning_off
from gateway.core.ids import now_ms
from gateway.inbox import charts
from gateway.inbox.api_calls import ask, has
from gateway.inbox.chosen_time import asked_for
from gateway.inbox.feedback_list import asked, choices
from gateway.inbox.i18n import _, day, moment
from gateway.inbox.pages import page, show, url
from gateway.intake.outcomes import OUTCOMES
from models.queries.statistics import impacts
from models.queries.top_pages import pages
from models.tables.feedback import iso
from models.tables.workspace import list_projects

STATS = "GET /gateway/v1/stats"
THEMES = "GET /gateway/v1/themes"
HOUR, DAY = 3_600_000, 86_400_000
# What can be chosen: a name, how long it is, and what its charts go by.
PERIODS = {"24h": (DAY, "hour"), "7d": (7 * DAY, "day"), "30d": (30 * DAY, "day"), "90d": (90 * DAY, "day")}
USUAL = "7d"
NEWEST = 2000  # records whose pages are counted
TOP = 8


@dataclass(frozen=True, slots=True)
class Span:
    """What charts are of: a period, cut into hours or days, and the filter beside it.

    All times are milliseconds UTC.
    """

    given: Mapping[str, str]
    since: int
    until: int  # the end of the last hour or day
    step: int

    @property
    def chosen(self) -> dict[str, str]:
        """The filter with the period, and which time that is about."""
        return {**self.given, "since": iso(self.since) or "", "time": asked_for([*self.given.items()])}

    @property
    def times(self) -> range:
        """When each hour or day begins."""
        return range(self.since, self.until, self.step)

    def list_of(self, **more: str) -> str:
        """The list of the records that are counted, or of those with `more`."""
        return url("/inbox", **{**self.chosen, **more})

    def lists(self, counts: Sequence[int]) -> list[str]:
        """The list of each hour or day that has records, "" for the others."""
        every = (self.list_of(since=iso(at) or "", until=iso(at + self.step) or "") for at in self.times)
        return [one if count else "" for one, count in zip(every, counts, strict=True)]


@page("/overview", "viewer")
def overview() -> ResponseReturnValue:
    given = dict(asked())
    period = given.pop("period", USUAL)
    period = period if period in PERIODS else USUAL
    length, unit = PERIODS[period]
    step = HOUR if unit == "hour" else DAY
    now = now_ms()
    until = (now // step + 1) * step  # whole hours or days, today's among them
    span = Span(given, until - length, until, step)
    query, chosen = urlencode(given), span.chosen
    try:
        counted = ask(STATS, urlencode({**chosen, "by": f"{unit},category,source"}))
    except Refused as refused:
        if refused.problem.status != 400:
            raise
        return _page(400, period, given, query, faults=refused.problem.faults)
    times = span.times
    labels = [label(at, unit) for at in times]
    groups = counted["data"]
    series = _series(groups, unit, times)
    lists = span.lists([sum(values) for values in zip(*series.values(), strict=True)])
    return _page(
        200,
        period,
        given,
        query,
        total=counted["total"],
        list_of=span.list_of,
        volume=_volume(labels, series, lists),
        volume_rows=list(zip(labels, *series.values(), strict=True)),
        lists=lists,
        **_mood(groups, unit, times, labels, lists),
        **_impact(span),
        pages=pages(
            g.session["user_workspace"],
            filters.parse(urlencode(chosen), me=g.session["user_id"]),
            newest=NEWEST,
            limit=TOP,
        ),
        by_source=_sources(groups),
        outcomes=_outcomes(chosen["since"]),
        themes=_themes(chosen, given),
        themes_off=learning_off(),
        themes_of=_only_project(given),
    )


def _only_project(given: dict[str, str]) -> str | None:
    """The project that themes shown are of, when it is one."""
    found = list_projects(g.session["user_workspace"])[0]
    return given.get("project") or (found[0]["id"] if len(found) == 1 else None)


def _page(status: int, period: str, given: Any, query: str, **values: Any) -> ResponseReturnValue:
    shown = {"total": None, "faults": (), **choices(), **values}
    links = {name: urlencode({**given, "period": name}) for name in PERIODS}
    kept = {"period": period, "project": given.get("project", "")}
    shown |= {"period": period, "periods": links, "given": given, "query": query, "kept": kept}
    nothing = not query and shown["total"] is not None and not shown["total"]["count"]
    return show("overview-empty.html" if nothing else "overview.html", status, **shown)


def label(at: int, unit: str) -> str:
    """What an hour or a day is called on a chart."""
    if unit == "day":  # whole days are counted in UTC
        return day(at + DAY // 2)
    when = moment(at)
    return f"{when:%H:%M}" if when else ""


def _series(rows: Sequence[dict[str, Any]], unit: str, times: range) -> dict[str, list[int]]:
    """How many of each category there were at each time."""
    counts = Counter[tuple[str, str]]()
    for row in rows:
        counts[row[unit], row["category"]] += row["count"]
    return {name: [counts[iso(at) or "", name] for at in times] for name in CATEGORIES}


def _sources(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sources that most came from, and how many from each."""
    counts = Counter[str]()
    for row in rows:
        counts[row["source"]] += row["count"]
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"source": name, "count": count} for name, count in most[:TOP]]


def _volume(labels: Sequence[str], series: dict[str, list[int]], lists: Sequence[str]) -> Markup:
    told = ", ".join(f"{_(name)} {sum(values)}" for name, values in series.items())
    return charts.stacked(_("Volume by category"), told, labels, series, charts.WIDER, lists)


def _mood(
    rows: Sequence[dict[str, Any]], unit: str, times: range, labels: Sequence[str], lists: Sequence[str]
) -> dict[str, Any]:
    counts, sums = Counter[str](), Counter[str]()
    for row in rows:
        counts[row[unit]] += row["count"]
        sums[row[unit]] += row["count"] * row["sentiment_score"]
    moments = [iso(at) or "" for at in times]
    values = [round(sums[at] / counts[at], 4) if counts[at] else None for at in moments]
    known = [value for value in values if value is not None]
    told = _("No records.")
    if known:
        told = _(
            "From %(first)s to %(last)s, the lowest %(least)s, the highest %(most)s.",
            first=f"{known[0]:+.2f}",
            last=f"{known[-1]:+.2f}",
            least=f"{min(known):+.2f}",
            most=f"{max(known):+.2f}",
        )
    chart = charts.line(_("Mean sentiment"), told, labels, values, lists)
    return {"mood": chart, "mood_rows": list(zip(labels, values, strict=True))}


def _impact(span: Span) -> dict[str, Any]:
    chosen = filters.parse(urlencode(span.chosen), me=g.session["user_id"])
    counts = impacts(g.session["user_workspace"], None, chosen)
    labels = [str(level) for level in range(len(counts))]
    high = sum(counts[9:])
    told = _("%(high)s of %(all)s have an impact of 9 or more.", high=high, all=sum(counts))
    lists = [
        span.list_of(min_impact=level, max_impact=level) if count else ""
        for level, count in zip(labels, counts, strict=True)
    ]
    chart = charts.stacked(_("Impact"), told, labels, {"impact-bar": counts}, links=lists)
    rows = list(zip(labels, counts, strict=True))
    return {"impact": chart, "impact_rows": rows, "impact_lists": lists}


def _outcomes(since: str) -> list[tuple[str, dict[str, int], int]]:
    """What became of requests, by source: its name, requests by outcome, all of them."""
    rows: dict[str, dict[str, int]] = {}
    for row in ask("GET /gateway/v1/outcomes", urlencode({"by": "source,outcome", "since": since}))["data"]:
        rows.setdefault(row["source"], {})[row["outcome"]] = row["requests"]
    shown = [(name, {kind: of[kind] for kind in OUTCOMES if kind in of}) for name, of in rows.items()]
    return sorted(((name, of, sum(of.values())) for name, of in shown), key=lambda row: -row[2])[:TOP]


def _themes(chosen: dict[str, Any], given: dict[str, str]) -> Any:
    if not has(THEMES):
        return None
    query = {"since": chosen["since"], "limit": str(TOP)}
    if "project" in given:
        query["project"] = given["project"]
    return ask(THEMES, urlencode(query))
