"""What pages tell of colleagues: who may be assigned, who is here, what they share, where one is named."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import g

from gateway.access import assignees, mentions
from gateway.core.ids import now_ms
from gateway.inbox import counts
from gateway.inbox.i18n import _
from models.database.base import dumps, writing
from models.queries.actor_names import called
from models.tables import mention, presence, saved_view

AWAKE = "status=open&snoozed=without"
# Whose work it is: a name and the query that finds it. Those that one waits for are counted.
VIEWS = (
    ("Mine", "assignee=me&status=open%2Cacknowledged&snoozed=without"),
    ("Nobody's", f"assignee=none&{AWAKE}"),
    ("Mentions", "mentioned=me"),
    ("Snoozed", "snoozed=only"),
)
COUNTED = ("Mine", "Mentions")
# For how long a record is put aside; a day is told beside.
SNOOZES = {
    "1h": "For an hour",
    "tomorrow": "Until tomorrow, 9:00",
    "monday": "Until Monday, 9:00",
    "delivery": "Until something new comes",
}
MOST_NAMES = 200  # people whose names a note completes


class View(NamedTuple):
    """A view beside the list; of a shared one the `id`."""

    name: str
    query: str
    records: str
    id: str | None = None


def people() -> list[dict[str, Any]]:
    """Who may take care of records, asked for once a page."""
    if "team_people" not in g:
        g.team_people = assignees.people_of(g.session["user_workspace"])
    found: list[dict[str, Any]] = g.team_people
    return found


def name_of(user_id: str | None) -> str:
    """What somebody is called, who may be gone, asked for once a page; of who is not known the id."""
    if user_id is None:
        return str(_("Nobody"))
    if "team_names" not in g:
        g.team_names = {one["id"]: one["name"] for one in people()}
    if user_id not in g.team_names:
        g.team_names[user_id] = called(g.session["user_workspace"], [user_id]).get(user_id, user_id)
    return str(g.team_names[user_id])


def called_by_id() -> dict[str, str]:
    """What people are called by what a filter names them by."""
    return {**{one["id"]: one["name"] for one in people()}, "me": _("Me"), "none": _("Nobody")}


def initials(name: str) -> str:
    """Up to two letters for a name."""
    words = [word for word in name.split() if word[0].isalnum()] or [name]
    return "".join(word[0] for word in (words[0], *words[1:][-1:])).upper()[:2]


def views() -> list[View]:
    """Views of whose work it is, and those that the workspace shares, with how many records each has."""
    shared = saved_view.shared_in(g.session["user_workspace"])
    known = [View(_(name), query, _count(query) if name in COUNTED else "") for name, query in VIEWS]
    return known + [View(row["name"], row["query"], _count(row["query"]), row["id"]) for row in shared]


def _count(query: str) -> str:
    return counts.said(counts.total(query))


def unread() -> str:
    """How many mentions the reader has not seen, or nothing."""
    found = mention.unread(g.session["user_id"]) if g.session else 0
    return f"{found}+" if found == mention.MOST else str(found or "")


def read(feedback_id: str) -> None:
    """Notes that the reader sees a record in whose notes they are named."""
    user_id = g.session["user_id"]
    if mention.is_unread(user_id, feedback_id):
        with writing():
            mention.read(user_id, feedback_id, now_ms())


def looking(feedback_id: str) -> str:
    """Which colleagues look at a record now, in a sentence; empty for nobody."""
    found = presence.others(g.session["user_workspace"], feedback_id, g.session["user_id"], now_ms())
    if not found:
        return ""
    shown = ", ".join(found[:3])
    if len(found) > 1:
        return str(_("%(names)s are looking at this", names=shown if len(found) <= 3 else f"{shown}, …"))
    return str(_("%(name)s is looking at this", name=shown))


def names() -> str:
    """The names that a note completes, as JSON."""
    found = mentions.people_of(g.session["user_workspace"])[:MOST_NAMES]
    return dumps([one["name"] for one in found if one["id"] != g.session["user_id"]])
