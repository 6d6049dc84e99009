"""One change to many records: those that were chosen in the list, or all that its filter means.

All that a filter means are changed in steps, each by a request of its own, which shows how far it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Response, g, request
from flask.typing import ResponseReturnValue

from adapters.contract import Refused
from gateway.api import filters
from gateway.api.feedback_bulk import MOST, Meant
from gateway.api.feedback_list import position_of
from gateway.core.ids import now_ms
from gateway.inbox import changing, chosen_time
from gateway.inbox.api_calls import caller
from gateway.inbox.i18n import _, number
from gateway.inbox.pages import go, local, page, show
from gateway.inbox.reading import NO_FILTER
from models.database.base import dumps
from models.queries import feedback_query, selection
from models.tables import topic

AT_ONCE = 500  # records of one step; as many can be undone
CHOSEN = 200  # that one form names


@dataclass(frozen=True)
class Matching:
    """The records that a filter means, as it was when a page was shown; `count` is MOST + 1 for more."""

    query: str
    chosen: feedback_query.Filter
    until: int

    @classmethod
    def read(cls, query: str, until: int | None = None) -> Matching:
        """What an address of the list means. Raises Refused (400)."""
        filter_only = urlencode([one for one in parse_qsl(query) if one[0] not in NO_FILTER])
        until = min(until or now_ms(), now_ms()) + 1
        chosen = filters.parse(chosen_time.usual(filter_only))
        return cls(filter_only, feedback_query.as_of(chosen, until), until)

    @property
    def count(self) -> int:
        who = caller()
        return selection.count(who.workspace_id, who.project_id, self.chosen, most=MOST + 1)


def counted(count: int) -> str:
    """How many records match, as far as they are counted."""
    return f"{number(MOST)}+" if count > MOST else number(count)


@page("/inbox/matching", "triager", seen=False)
def matching() -> ResponseReturnValue:
    """How many a list's filter means: JSON, for the page to say when all that it shows are chosen."""
    count = Matching.read(request.query_string.decode("utf-8", "replace")).count
    said = _("Choose all %(count)s that match", count=counted(count))
    return Response(dumps({"count": count, "say": said}), content_type="application/json")


@page("/inbox/bulk", "triager", method="POST")
def bulk() -> ResponseReturnValue:
    """One change to every chosen record; what each had before is kept for Undo."""
    back, form = local(request.form.get("back", "")), request.form
    sent = _change(form)
    if not sent:
        return go(back, _("Say what to change."), bad=True)
    if form.get("filter"):
        return _all_that_match(back, form["filter"], sent)
    chosen = dict(islice(changing.chosen_in(form).items(), CHOSEN))
    if not chosen:
        return go(back, _("Choose records first."), bad=True)
    done = changing.change(chosen, sent)
    return changing.answer(back, _said(len(done.changes), sent), done)


def _all_that_match(back: str, query: str, sent: Mapping[str, Any]) -> ResponseReturnValue:
    """A step of the change; before the first of several the reader is asked."""
    form = request.form
    try:
        found = Matching.read(query, _whole(form.get("until", "")))
    except Refused as refused:
        if refused.problem.status != 400:
            raise
        return go(back, _("The filter is not understood."), bad=True)
    if not found.query:
        return go(back, _("Choose records first."), bad=True)
    total = _whole(form.get("total", "")) or found.count
    fields = [(name, value) for name, value in form.items(multi=True) if name not in _OF_STEPS]
    fields += [("until", str(found.until - 1)), ("total", str(total)), ("sure", "1")]
    if total > AT_ONCE and not form.get("sure"):
        return show(
            "bulk.html", fields=fields, back=back, what=_said(min(total, MOST), sent), more=total > MOST
        )
    meant = Meant(caller(), chosen=found.chosen, most=AT_ONCE)
    columns = feedback_query.place_columns(found.chosen, meant.sort)
    after = meant.after = position_of(form.get("cursor", ""), meant.sort, columns)
    done = changing.change({}, sent, meant)
    if after is None and done.next_cursor is None:
        return changing.answer(back, _said(len(done.changes), sent), done)
    now = _whole(form.get("done", "")) + len(done.changes)
    reached = _whole(form.get("reached", "")) + done.matched
    if done.next_cursor is None or reached >= MOST:
        return go(back, " ".join((_said(now, sent), _("That many cannot be undone at once."))))
    fields += [("cursor", done.next_cursor), ("done", str(now)), ("reached", str(reached))]
    return show(
        "bulk.html",
        fields=fields,
        back=back,
        what=_said(now, sent),
        reached=reached,
        total=min(total, MOST),
    )


_OF_STEPS = ("until", "total", "sure", "cursor", "done", "reached", "id", "seen")


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 16 else 0


def _change(form: Any) -> dict[str, Any]:
    """What a form of the list sets; empty when it says nothing."""
    name, _colon, value = form.get("set", "").partition(":")
    if name == "tags":
        return changing.tags_in(form)
    if name == "topic":
        value = form.get("topic", "")
        return {"topic": None if value == filters.NONE else value} if value else {}
    if name == "note":
        note = form.get("note", "").strip().replace("\r\n", "\n")
        return {"note": note} if note else {}
    return {name: value}


def _said(count: int, sent: Mapping[str, Any]) -> str:
    """What a change did to so many records."""
    (name, value), said = next(iter(sent.items())), number(count)
    if name == "tags":
        return _("%(count)s with other tags", count=said)
    if name == "note":
        return _("%(count)s with a note", count=said)
    if name == "topic":
        value = (
            topic.names(g.session["user_workspace"], [value]).get(value, value) if value else _("No topic")
        )
        return _("%(count)s changed to %(value)s", count=said, value=value)
    return _("%(count)s changed to %(value)s", count=said, value=_(value))
