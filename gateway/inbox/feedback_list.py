"""The list: what came in, found, seen arriving, and triaged many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Response, g, request
from flask.typing import ResponseReturnValue

import adapters
from adapters.common.tags import SECRET
from adapters.contract import Fault, Refused
from adapters.contract.record import CATEGORIES, SENTIMENTS
from gateway.api.filters import NONE
from gateway.core.ids import new_id
from gateway.inbox import active_filters, changing
from gateway.inbox.api_calls import ask
from gateway.inbox.density import density
from gateway.inbox.i18n import _
from gateway.inbox.pages import go, hand_over, handed_over, local, page, show
from gateway.inbox.session import base_url
from models.database.base import dumps, writing
from models.queries.top_pages import sources
from models.tables import topic
from models.tables.feedback import STATUSES
from models.tables.user import SavedView, views_of
from models.tables.workspace import list_projects

LIST = "GET /gateway/v1/feedback"
ONE = "GET /gateway/v1/feedback/<feedback_id>"
PAGE = 50
MOST_OFFERED = 60  # topics of all projects in the list of them
MOST_NEW = 50  # that the bar counts; more are "50+"

# What people look for most: a name and the query that finds it.
VIEWS = (
    ("All", ""),
    ("High impact", "min_impact=9&status=open"),
    ("Unsure", "any_confidence_below=0.6&status=open&sort=-doubt"),
    ("Alerts open", "type=alert&status=open"),
    ("Questions", "category=question&status=open"),
    ("Praise", "category=praise"),
    ("For everybody", urlencode({"tag!": ",".join(SECRET)})),
)


@page("/inbox", "viewer")
def inbox_list() -> ResponseReturnValue:
    given, cursor = asked(), request.args.get("cursor", "")
    rows: list[dict[str, Any]] = []
    faults: tuple[Fault, ...] = ()
    older = total = None
    try:
        answer = ask(LIST, _joined(given, limit=str(PAGE), cursor=cursor))
        rows, older, total = answer["data"], answer["next_cursor"], answer.get("total")
    except Refused as refused:
        if refused.problem.status != 400:
            raise
        faults = refused.problem.faults
    query = urlencode(given)
    return _list_page(
        400 if faults else 200,
        rows=rows,
        faults=faults,
        given=dict(given),
        asked_for=given,
        counted=active_filters.counted(rows, total, more=bool(older), later=bool(cursor)),
        query=query,
        older=older and _joined(given, cursor=older),
        later=bool(cursor),
        newest="" if cursor else max((row["id"] for row in rows), default=""),
        key=handed_over().get("key"),
        first=not rows and not given and not cursor,
    )


def _list_page(status: int = 200, **values: Any) -> ResponseReturnValue:
    views = [(_(name), text) for name, text in VIEWS]
    nothing: dict[str, Any] = {
        "rows": (),
        "faults": (),
        "given": {},
        "asked_for": (),
        "counted": "",
        "query": "",
        "older": None,
        "later": False,
    }
    mine = views_of(g.session["user_id"])
    shown = {**nothing, "newest": "", "first": True, "key": None, **choices(), **values}
    kept = [(view["name"], view["query"]) for view in mine]
    return show(
        "inbox.html",
        status,
        views=views,
        mine=mine,
        heading=active_filters.heading(shown["query"], [*views, *kept]),
        chips=active_filters.chips(
            shown["asked_for"], {"project": shown["projects"], "topic": shown["topics"]}
        ),
        density=density(),
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
    given = parse_qsl(request.query_string.decode("utf-8", "replace"))
    return [(name, value) for name, value in given if name != "cursor"]


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


@page("/inbox/bulk", "triager", method="POST")
def bulk() -> ResponseReturnValue:
    """One change to every chosen record; what each had before is kept for Undo."""
    back = local(request.form.get("back", ""))
    name, _colon, value = request.form.get("set", "").partition(":")
    chosen = dict(islice(changing.statuses_seen(request.form).items(), 4 * PAGE))
    if not chosen:
        return go(back, _("Choose records first."), bad=True)
    done = changing.change(chosen, {name: value})
    said = _("%(count)s changed to %(value)s", count=len(done.changes), value=_(value))
    return changing.answer(back, said, done)


@page("/inbox/views", "viewer", method="POST")
def save_view() -> ResponseReturnValue:
    """Keeps the list's query under a name, or forgets one."""
    back = local(request.form.get("back", ""))
    forget, user_id = request.form.get("forget", ""), g.session["user_id"]
    if forget:
        with writing():
            SavedView.delete().where((SavedView.id == forget) & (SavedView.user == user_id)).execute()
        return go(back, _("Forgotten."))
    name = "".join(mark for mark in request.form.get("name", "") if mark.isprintable()).strip()[:40]
    query = urlencode(parse_qsl(request.form.get("query", "")[:2000].replace("\0", "")))
    if not name or not query or len(views_of(user_id)) >= 20:
        return go(back, _("A view needs a name and a filter."), bad=True)
    with writing():
        SavedView.create(
            id=new_id("view"), user=user_id, name=name, query=query, created_at=g.session["seen_at"]
        )
    return go(f"/inbox?{query}", _("Saved."))
