"""What a list is filtered and sorted by, as chips: a name, a value, and the list without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import g

from gateway.api.filters import NONE, WORDS
from gateway.inbox.i18n import _, moment
from gateway.inbox.pages import url
from models.tables import theme

# The filters of the API in people's words; tests/inbox/test_looks.py checks that none is missing.
NAMES = {
    "q": "Search",
    "source": "Source",
    "type": "Type",
    "category": "Category",
    "sentiment": "Sentiment",
    "category_origin": "Category by",
    "sentiment_origin": "Sentiment by",
    "topic": "Topic",
    "status": "Status",
    "project": "Project",
    "language": "Language",
    "min_impact": "Impact",
    "max_impact": "Impact",
    "confidence_below": "Sure of the category",
    "any_confidence_below": "Sure",
    "tag": "Tag",
    "tag!": "Without tag",
    "author": "Author",
    "page": "Page",
    "trace_id": "Trace",
    "incident_key": "Story",
    "external_id": "The sender's id",
    "theme": "Theme",
    "priority": "Priority",
    "time": "Time",
    "assignee": "Assignee",
    "mentioned": "Mentioned",
    "snoozed": "Snoozed",
    "alert_group": "Alert group",
    "merged": "Merged",
    "merged_into": "Merged into",
    "replied": "Answered",
    "since": "Since",
    "until": "Until",
    "sort": "Sorted by",
}
SORTED = {
    "-received_at": "newest first",
    "received_at": "oldest first",
    "-occurred_at": "newest first, by when it happened",
    "occurred_at": "oldest first, by when it happened",
    "-impact": "impact",
    "impact": "least impact",
    "-doubt": "what is most in doubt",
    "doubt": "what is surest",
}
_BOUNDS = {
    "min_impact": "≥ {}",
    "max_impact": "≤ {}",
    "confidence_below": "< {}",
    "any_confidence_below": "< {}",
}
LONGEST = 60  # characters of a value
PEOPLE = ("assignee", "mentioned")
YES_OR_WORDS = ("replied", "snoozed", "priority", "merged")  # whose values are words of ours
TIMES = {"occurred": "when it occurred", "received": "when it was received"}
USUAL = ("snoozed", "without")  # what every view of open records has


@dataclass(frozen=True)
class Chip:
    """One thing that a list is filtered by, and the list without it."""

    name: str
    value: str
    without: str


def chips(given: Sequence[tuple[str, str]], names: Mapping[str, Mapping[str, str]]) -> list[Chip]:
    """A chip for each parameter of a list's address, in their order.

    `names` are what ids are called, by the parameter: of projects and topics.
    """
    return [
        Chip(
            _(NAMES[name]) if name in NAMES else name,
            _said(name, value, names.get(name, {})),
            url("/inbox") + _rest([*given[:at], *given[at + 1 :]]),
        )
        for at, (name, value) in enumerate(given)
        if (name, value) != USUAL
    ]


def heading(query: str, views: Sequence[tuple[str, str]]) -> str:
    """What the list of a query is called: a view's name, or that it is a choice of somebody's own."""
    named = {frozenset(text.split("&")): name for name, text in reversed(views)}
    return named.get(frozenset(query.split("&"))) or _("Filtered")


def _rest(given: Sequence[tuple[str, str]]) -> str:
    return f"?{urlencode(given)}" if given else ""


def _said(name: str, value: str, names: Mapping[str, str]) -> str:
    """A value in the reader's words, cut where it is long."""
    if name in WORDS:
        said = ", ".join(_(word) for word in value.split(","))
    elif name == "sort":
        said = _(SORTED.get(value, value))
    elif name == "topic":
        said = ", ".join(_("No topic") if one == NONE else names.get(one, one) for one in value.split(","))
    elif name in ("project", *PEOPLE):
        said = ", ".join(names.get(one, one) for one in value.split(","))
    elif name == "theme":
        said = _theme(value)
    elif name in ("since", "until"):
        said = _time(value)
    elif name == "time":
        said = _(TIMES.get(value, value))
    elif name in YES_OR_WORDS:
        said = _(value)
    else:
        said = _BOUNDS.get(name, "{}").format(value)
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"


def _theme(lasting_id: str) -> str:
    known = "\0" not in lasting_id and theme.is_of(lasting_id, g.session["user_workspace"], None)
    return theme.label_of(lasting_id) if known else lasting_id


def _time(value: str) -> str:
    """A day or a time in the reader's zone; how long ago stays as it was said."""
    try:
        at = moment(value) if "T" in value else None  # a day is a day in any zone
    except ValueError:
        return value
    return value if at is None else f"{at:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
