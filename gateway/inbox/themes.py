"""Themes as pages: what people talk about, and each of it with its people, places and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import g, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from gateway.core.config import learning_off
from gateway.core.ids import now_ms
from gateway.inbox import charts
from gateway.inbox.api_calls import ask, reply_of
from gateway.inbox.i18n import _, language, number
from gateway.inbox.overview import DAY, Span, label
from gateway.inbox.pages import page, sent_on, show
from gateway.inbox.reading import LIST
from gateway.inbox.session import base_url
from models.tables.feedback import iso
from models.tables.workspace import list_projects

THEMES, ONE = "GET /gateway/v1/themes", "GET /gateway/v1/themes/<theme_id>"
PERIODS = {"7d": 7, "30d": 30, "60d": 60}  # days; what is older is in no theme
LONGEST = list(PERIODS)[-1]  # before which there is nothing to compare with
USUAL = "7d"
MOST = 50  # themes of a page
NEWEST = 10  # records of a theme's page
GONE = 410


@page("/themes", "viewer")
def list_themes() -> ResponseReturnValue:
    period, span = _span()
    query = {"since": span.chosen["since"], "limit": str(MOST)}
    if "project" in span.given:
        query["project"] = span.given["project"]
    found = ask(THEMES, urlencode(query))
    rows = [
        {**_compared(one, period), "bars": charts.spark(_counts(one["trend"], span))} for one in found["data"]
    ]
    return show(
        "themes.html",
        rows=rows,
        found=found,
        off=learning_off(),
        projects={row["id"]: row["name"] for row in list_projects(g.session["user_workspace"])[0]},
        **_periods(period, span),
    )


@page("/themes/<theme_id>", "viewer")
def theme(theme_id: str) -> ResponseReturnValue:
    """One theme; that of one that ended says so and leads to what it became (410)."""
    period, span = _span()
    found = ask(ONE, urlencode({"since": span.chosen["since"]}), theme_id=theme_id)
    given = {"theme": theme_id, **({"project": span.given["project"]} if "project" in span.given else {})}
    span = Span(given, span.since, span.until, span.step)
    counts = _counts(found["trend"], span)
    labels, lists = [label(at, "day") for at in span.times], span.lists(counts)
    rows = ask(LIST, urlencode({**span.chosen, "limit": str(NEWEST)}))["data"] if found["count"] else []
    return show(
        "theme.html",
        GONE if found["ended_at"] else 200,
        theme=_compared(found, period),
        rows=rows,
        quotes=[{**one, "copied": _copied(one)} for one in found["quotes"]],
        languages=[{**one, "called": language(one["language"])} for one in found["languages"]],
        list_of=span.list_of,
        query=urlencode(span.chosen),
        trend=_chart(labels, counts, lists),
        trend_rows=list(zip(labels, counts, strict=True)),
        lists=lists,
        project=_project_of(found),
        **_periods(period, span),
    )


@page("/themes/<theme_id>/quotes.md", "viewer")
def quotes(theme_id: str) -> ResponseReturnValue:
    """The quotes of a theme as a Markdown file."""
    _period, span = _span()
    query = urlencode({"since": span.chosen["since"]})
    return sent_on(reply_of(f"{ONE}/quotes", query, theme_id=theme_id))


def _span() -> tuple[str, Span]:
    """The period that is asked for, by its name and as whole days of UTC, today's among them."""
    asked = request.args.get("period", USUAL)
    period = asked if asked in PERIODS else LONGEST if asked == "90d" else USUAL
    until = (now_ms() // DAY + 1) * DAY
    project = request.args.get("project", "")
    given = {"project": project} if project else {}
    return period, Span(given, until - PERIODS[period] * DAY, until, DAY)


def _compared(found: Mapping[str, Any], period: str) -> dict[str, Any]:
    """A theme without its growth where nothing is known of the period before."""
    return {**found, "change": None if period == LONGEST else found["change"]}


def _periods(period: str, span: Span) -> dict[str, Any]:
    """What leads to the other periods, and what is kept on the way to another page."""
    kept = {"project": span.given.get("project", "")}
    return {"period": period, "periods": PERIODS, "kept": {**kept, "period": period}, "given": kept}


def _counts(trend: Sequence[Mapping[str, Any]], span: Span) -> list[int]:
    """How many records there were on each day."""
    known = {one["day"]: one["count"] for one in trend}
    return [known.get(iso(at) or "", 0) for at in span.times]


def _chart(labels: Sequence[str], counts: Sequence[int], lists: Sequence[str]) -> Markup:
    told = _("%(n)s records.", n=number(sum(counts)))
    return charts.stacked(_("Records by day"), told, labels, {"impact-bar": counts}, charts.WIDER, lists)


def _copied(quote: Mapping[str, Any]) -> str:
    """What the button of a quote copies: the words, and the address of their record."""
    return f"“{quote['text']}”\n{base_url()}/records/{quote['id']}"


def _project_of(found: Mapping[str, Any]) -> str | None:
    """The project whose topic a theme may become: its own, or the only one."""
    known = list_projects(g.session["user_workspace"])[0]
    return found["project"] or (known[0]["id"] if len(known) == 1 else None)
