"""The list: what came in, found, seen arriving, and triaged many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Response, g, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

import adapters
from adapters.common.tags import SECRET
from adapters.contract import Fault, Refused
from adapters.contract.record import CATEGORIES, SENTIMENTS
from gateway.api.feedback_bulk import MOST
from gateway.api.filters import NONE
from gateway.inbox import active_filters, chosen_time, counts, team
from gateway.inbox.api_calls import ask
from gateway.inbox.bulk import Matching, counted
from gateway.inbox.density import density
from gateway.inbox.feedback_detail import opened
from gateway.inbox.i18n import _
from gateway.inbox.pages import START, hand_over, handed_over, page, show
from gateway.inbox.reading import LIST, OF_PAGES, Reading
from gateway.inbox.session import base_url
from gateway.inbox.team import AWAKE
from models.database.base import dumps
from models.queries.top_pages import sources
from models.tables import topic
from models.tables.feedback import STATUSES
from models.tables.user import views_of
from models.tables.workspace import list_projects

PAGE = 50
MOST_OFFERED = 60  # topics of all projects in the list of them
MOST_NEW = 50  # that the bar counts; more are "50+"

# What people look for most: a name and the query that finds it.
VIEWS = (
    ("Open", AWAKE),
    ("High impact", f"priority=high&{AWAKE}"),
    ("Unsure", f"any_confidence_below=0.6&{AWAKE}&sort=-doubt"),
    ("Alerts open", f"type=alert&{AWAKE}"),
    ("Questions", f"category=question&{AWAKE}"),
    ("Praise", "category=praise"),
    ("For everybody", urlencode({"tag!": ",".join(SECRET)})),
    ("Resolved", "status=resolved"),
    ("All", ""),
)


@page("/inbox", "viewer")
def inbox_list() -> ResponseReturnValue:
    given, cursor = asked(), request.args.get("cursor", "")
    rows: list[dict[str, Any]] = []
    faults: tuple[Fault, ...] = ()
    older = None
    try:
        answer = ask(LIST, _joined(given, limit=str(PAGE), cursor=cursor))
        rows, older = answer["data"], answer["next_cursor"]
    except Refused as refused:
        if refused.problem.status != 400:
            raise
        faults = refused.problem.faults
    query = urlencode(given)
    reading = Reading(_joined(given, cursor=cursor), request.args.get("at", ""), True, "stay" in request.args)
    every = None if faults or "all" not in request.args or not query else Matching.read(query)
    return _list_page(
        400 if faults else 200,
        reading=replace(reading, at="", beside=False),
        open=request.args.get("open", ""),
        pane=_pane(request.args.get("open", ""), reading),
        every=every,
        count=every and every.count,
        rows=rows,
        faults=faults,
        given=dict(given),
        asked_for=_address(),
        query=query,
        at=f"{chosen_time.beside(given)}_at",
        older=older and _joined(given, cursor=older),
        later=bool(cursor),
        newest="" if cursor else max((row["id"] for row in rows), default=""),
        key=handed_over().get("key"),
        first=not rows and query in ("", START.partition("?")[2]) and not cursor and not counts.any_record(),
    )


def _pane(feedback_id: str, reading: Reading) -> Markup | None:
    """The record that is read beside the list, if there is such."""
    if not feedback_id:
        return None
    try:
        return opened(
            feedback_id, reading, lambda **values: Markup(render_template("record-main.html", **values))
        )
    except Refused as refused:
        if refused.problem.status != 404:
            raise
        return None


def _list_page(status: int = 200, **values: Any) -> ResponseReturnValue:
    views = [(_(name), text) for name, text in VIEWS]
    view_counts = counts.of_views(text for _name, text in VIEWS)
    nothing: dict[str, Any] = {
        "rows": (),
        "at": "received_at",
        "faults": (),
        "given": {},
        "asked_for": (),
        "query": "",
        "older": None,
        "later": False,
        "pane": None,
        "every": None,
        "counted": counted,
        "bound": MOST,
    }
    mine = views_of(g.session["user_id"])
    shown = {**nothing, "newest": "", "first": True, "key": None, **choices(), **values}
    kept = [(view["name"], view["query"]) for view in mine]
    teams = team.views()
    names = {
        "project": shown["projects"],
        "topic": shown["topics"],
        **dict.fromkeys(active_filters.PEOPLE, team.called_by_id()),
    }
    return show(
        "inbox.html",
        status,
        views=views,
        view_counts=view_counts,
        mine=mine,
        teams=teams,
        heading=active_filters.heading(
            shown["query"], [*views, *((one.name, one.query) for one in teams), *kept]
        ),
        chips=active_filters.chips(shown["asked_for"], names),
        density=density(),
        list_count="" if shown["faults"] else counts.said(counts.total(shown["query"])),
        **shown,
    )


@page("/inbox/first-key", "admin", method="POST")
def first_key() -> ResponseReturnValue:
    """The empty list's command with a key in it, shown once."""
    made = ask("POST /gateway/v1/keys", body={"name": "first feedback", "scopes": ["ingest"]})
    return hand_over("/inbox", {"key": made["key"]})


def choices() -> dict[str, Any]:
    """What the filters offer."""
    found = list_projects(g.session["user_workspace"])[0]
    projects = {row["id"]: row["name"] for row in found}
    return {
        "projects": projects,
        **_topics(projects),
        "sources": sorted(
            {adapter.source or adapter.name for adapter in adapters.load().values()}
            | set(sources(g.session["user_workspace"]))  # imports are filed under any name
        ),
        "categories": CATEGORIES,
        "sentiments": SENTIMENTS,
        "statuses": STATUSES,
        "base": base_url(),
    }


def _topics(projects: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The names of topics by their ids, when there are several projects each with its project's.

    `topics` are all of them. `topics_offered` are those of the project that is asked for; without one all,
    unless they are more than a list is looked through for, and always the one that is asked for.
    """
    found, several = topic.of_workspace(g.session["user_workspace"]), len(projects) > 1
    names = {
        row["id"]: f"{row['name']} ({projects.get(row['project'], '')})" if several else row["name"]
        for row in found
    }
    given = dict(asked())
    mine = {row["id"] for row in found if row["project"] == given.get("project")}
    offered = mine or (names.keys() if len(names) <= MOST_OFFERED else set())
    chosen, shown = given.get("topic", NONE), {one: name for one, name in names.items() if one in offered}
    if chosen not in (*shown, NONE, ""):  # of another project, several, or one that ended
        former = topic.names(g.session["user_workspace"], [chosen] if chosen.isprintable() else [])
        shown[chosen] = names.get(chosen) or former.get(chosen) or _("Other topics")
    return {"topics": names, "topics_offered": shown}


def asked() -> list[tuple[str, str]]:
    """The filter in this request's address; fields a form left empty are none."""
    return chosen_time.said(_address())


def _address() -> list[tuple[str, str]]:
    """What of this request's address is about the list."""
    given = parse_qsl(request.query_string.decode("utf-8", "replace"))
    return [one for one in given if one[0] not in (*OF_PAGES, "cursor")]


def _joined(given: Sequence[tuple[str, str]], **more: str) -> str:
    return urlencode([*given, *((name, value) for name, value in more.items() if value)])


@page("/inbox/fresh", "viewer", seen=False)
def fresh() -> ResponseReturnValue:
    """How many the list on the screen lacks: JSON, for the page to ask now and then."""
    given = [(name, value) for name, value in asked() if name != "after"]
    rows = ask(LIST, _joined(given, limit=str(MOST_NEW)))["data"]
    count = sum(row["id"] > request.args.get("after", "") for row in rows)
    more = count == MOST_NEW
    said = _("%(count)s new", count=f"{count}+" if more else count)
    return Response(dumps({"count": count, "say": said}), content_type="application/json")


@page("/inbox/counts", "viewer", seen=False)
def view_counts() -> ResponseReturnValue:
    """How many records each view has now: JSON, for the page to ask once it has changed some."""
    return Response(dumps(counts.of_views(text for _name, text in VIEWS)), content_type="application/json")
