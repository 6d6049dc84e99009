"""The digest as a page: what matters of a day, a week, a month or of the days that an address names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import g, request
from flask.typing import ResponseReturnValue

from gateway.api.digest.blocks import Block, Grid, Heading, Items, Link
from gateway.api.digest.composition import whole
from gateway.api.digest.figures import figures
from gateway.api.digest.period import DAYS, BadPeriod, Period, period_of, zone_of
from gateway.core.ids import now_ms
from gateway.inbox.pages import page, show
from models.tables.workspace import list_projects

USUAL = "week"


@page("/digest", "viewer")
def digest() -> ResponseReturnValue:
    """In the reader's language, and in the reader's zone where the address names none.

    Unlike a digest that is sent, a week ends with today: who looks wants to see what has just come.
    """
    workspace_id, asked = g.session["user_workspace"], request.args
    period, zone = asked.get("period", USUAL), asked.get("zone", "")
    projects = {row["id"]: row["name"] for row in list_projects(workspace_id)[0]}
    project = asked.get("project", "") if asked.get("project") in projects else None
    given = {"project": project or "", "zone": zone}
    kept = {name: value for name, value in given.items() if value}
    shown: dict[str, Any] = {"project": project, "projects": projects, "period": period, "zone": zone}
    shown |= {"periods": {name: urlencode({**kept, "period": name}) for name in DAYS}}
    faults: dict[str, str] = {}
    here, when = getattr(g.zone, "key", "UTC"), None
    try:
        known = zone_of(zone or here)
    except BadPeriod as error:
        faults["zone"], known = str(error), zone_of(here)
    try:
        when = _period(period, known)
    except BadPeriod as error:
        faults["period"] = str(error)
    if faults or when is None:
        return show("digest.html", 400, **shown, faults=faults, sections=())
    _title, blocks = whole(figures(workspace_id, project, when), g.language, "")
    return show("digest.html", **shown, faults={}, sections=[*map(_section, _apart(blocks))])


def _period(text: str, zone: ZoneInfo) -> Period:
    """What is meant by one of DAYS or by two dates. Raises BadPeriod."""
    now = now_ms()
    if text in DAYS:
        today = datetime.fromtimestamp(now / 1000, zone).date()
        text = f"{today - timedelta(days=DAYS[text] - 1)}..{today}"
    return period_of(text, zone, now)


def _apart(blocks: Sequence[Block]) -> list[list[Block]]:
    """The blocks of each heading, those before the first one by themselves."""
    found: list[list[Block]] = [[]]
    for block in blocks:
        if isinstance(block, Heading):
            found.append([])
        found[-1].append(block)
    return found


def _section(blocks: Sequence[Block]) -> dict[str, Any]:
    """A section with the kind of each block; what `counts`, or is no list of records, stands `aside`."""
    named = [(type(block).__name__, block) for block in blocks]
    lists = [block.items for block in blocks if isinstance(block, Items)]
    counts = any(isinstance(block, Grid) for block in blocks)
    notes = any(not isinstance(first[0], Link) for items in lists for first, _ in items)
    return {"blocks": named, "counts": counts, "aside": counts or notes}
