"""One record: its words, why it is labelled so, what happened to it, and what people say of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from flask import g, request
from flask.typing import ResponseReturnValue

from adapters.contract.record import CATEGORIES, SENTIMENTS
from gateway.api.filters import NONE
from gateway.background.second_reading import EVENT as SECOND_READING
from gateway.inbox import changing, team
from gateway.inbox.api_calls import ask
from gateway.inbox.attachments import attachments_of
from gateway.inbox.field_names import field_name
from gateway.inbox.github_issue import issue_url
from gateway.inbox.i18n import _
from gateway.inbox.marked import marks_of
from gateway.inbox.pages import go, page, show
from gateway.inbox.reading import ONE, Reading
from gateway.inbox.reasons import as_written
from gateway.inbox.session import base_url
from gateway.inbox.web_link import link
from gateway.replies.writing import LONGEST_TEXT
from gateway.transfer.record_markdown import markdown
from models.queries.actor_names import called
from models.tables import merge, topic
from models.tables.feedback import STATUSES
from models.tables.workspace import list_projects

CHANGE = "PATCH /gateway/v1/feedback/<feedback_id>"
EVENTS = "GET /gateway/v1/feedback/<feedback_id>/events"
REPLIES = "GET /gateway/v1/feedback/<feedback_id>/replies"
MOST_EVENTS = 100
Shown = TypeVar("Shown")
LONGEST_RAW = 100_000  # characters of a payload on the page; all of it is in the API


@page("/records/<feedback_id>", "viewer")
def record(feedback_id: str) -> ResponseReturnValue:
    return opened(feedback_id, Reading.asked(), partial(show, "record.html"))


def opened(feedback_id: str, reading: Reading, show: Callable[..., Shown]) -> Shown:
    """A record as `show` makes it of what a page needs to know. Raises Refused (404)."""
    row = ask(ONE, "explain=1&expand=similar,related,merged", feedback_id=feedback_id)
    team.read(feedback_id)
    events = ask(EVENTS, f"limit={MOST_EVENTS}", feedback_id=feedback_id)
    replies = ask(REPLIES, f"limit={MOST_EVENTS}", feedback_id=feedback_id)
    by = [event["detail"].get("key_id", "") for event in events["data"]]
    by += [item["key_id"] for item in replies["data"]]
    names = called(row["workspace_id"], by)
    projects = {item["id"]: item for item in list_projects(row["workspace_id"])[0]}
    project = projects.get(row["project_id"], {})
    topics = {item["id"]: item["name"] for item in topic.used(row["project_id"])}
    address = f"{base_url()}/records/{row['id']}"
    return show(
        reading=reading,
        near=reading.neighbours(feedback_id),
        here=reading.record(feedback_id, reading.at),
        back=reading.list_path(),
        replies={
            **replies,
            "data": [{**item, "who": names.get(item["key_id"], item["key_id"])} for item in replies["data"]],
        },
        longest_reply=LONGEST_TEXT,
        row={**row, "impact_reasons": as_written(row["impact_reasons"], row["explanation"]["impact"])},
        marks=marks_of(row),
        undecided=_undecided(row),
        history=[_told(event, names) for event in events["data"]],
        more=events["next_cursor"] is not None,
        notes=[_told(event, names) for event in events["data"] if event["type"] == "note"],
        raw=[raw for event in events["data"] for raw in _raw(event)],
        subject=list(_subject(row["subject"])),
        files=attachments_of(feedback_id),
        project=project.get("name"),
        markdown=markdown(row, address=address),
        issue=issue_url(row, project.get("repository"), address),
        categories=CATEGORIES,
        sentiments=SENTIMENTS,
        statuses=STATUSES,
        topics=topics,
    )


@page("/records/<feedback_id>", "triager", method="POST")
def correct(feedback_id: str) -> ResponseReturnValue:
    """One change: a label, tags or a status, with a way back, or a note. A status leads on."""
    reading = Reading.asked()
    if "seen-status" in request.form:
        reading = replace(reading, stay="then" not in request.form)
    back = reading.back(feedback_id)
    sent: dict[str, Any] = {
        name: request.form[name] for name in ("category", "sentiment", "status") if request.form.get(name)
    }
    if chosen := request.form.get("topic"):
        sent["topic"] = None if chosen == NONE else chosen
    if impact := request.form.get("impact", ""):
        sent["impact"] = int(impact) if re.fullmatch("[0-9]{1,3}", impact) else impact
    if note := request.form.get("note", "").strip():
        ask(CHANGE, feedback_id=feedback_id, body={"note": note.replace("\r\n", "\n")})
        return go(f"{back}#notes", _("Noted."))
    if tags := changing.tags_in(request.form):
        return changing.answer(back, _("Tags changed."), changing.change({feedback_id: {}}, tags))
    if not sent:
        return go(back)
    shown = {name: changing.seen_of(request.form, name) for name in sent}
    seen = {name: value for name, value in shown.items() if value is not None}
    leads_on = sent.get("status", "open") != "open" and reading.query is not None and not reading.stay
    near = reading.neighbours(feedback_id) if leads_on else None  # as the list is before the change
    done = changing.change({feedback_id: seen}, sent)
    if done.stale:
        said = _meanwhile(done.stale[feedback_id], seen, sent)
        return go(back, _("Somebody else was quicker, nothing was changed: %(what)s.", what=said), bad=True)
    words = _in_words(sent)
    if near is not None:
        back = reading.path(near.next) if near.next else reading.list_path()
    return changing.answer(back, ", ".join(f"{_(name)}: {value}" for name, value in words.items()), done)


def _undecided(row: Mapping[str, Any]) -> set[str]:
    """Those of the alike records that may be merged with this one, and nobody said are not the same."""
    pairs = {merge.pair(row["id"], other["id"]): other["id"] for other in row["similar"]}
    return {pairs[pair] for pair in merge.undecided(pairs)}


def _meanwhile(row: Mapping[str, Any], seen: Mapping[str, str], sent: Mapping[str, Any]) -> str:
    """What of a change met another one: both values."""
    now, mine = _in_words({name: row[name] for name in seen}), _in_words(sent)
    return ", ".join(
        _("%(name)s is %(now)s, and you chose %(mine)s", name=_(name), now=now[name], mine=mine[name])
        for name in seen
    )


def _in_words(values: Mapping[str, Any]) -> dict[str, str]:
    """Fields' values in the reader's language."""
    words = {name: _(str(value)) for name, value in values.items()}
    return words | _named({name: values[name] for name in values if name == "topic"})


def _told(event: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """An event with who did it and what it changed."""
    detail = event["detail"]
    who = detail.get("key_id", "")
    said = _said(detail["said"]) if event["type"] == SECOND_READING else None
    changes = detail.get("changes", {})
    if "topic" in changes:
        changes = {**changes, "topic": _named(changes["topic"])}
    if "assignee" in changes:
        both = changes["assignee"]
        changes = {**changes, "assignee": {place: team.name_of(who) for place, who in both.items()}}
    return {**event, "who": names.get(who, who), "changes": changes, "said": said}


def _named(topics: Mapping[str, str | None]) -> dict[str, str]:
    """Topics by their names, which are in no language of ours; none is told as such."""
    names = topic.names(g.session["user_workspace"], filter(None, topics.values()))
    return {place: names.get(one, one) if one else _("No topic") for place, one in topics.items()}


def _said(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a second reader said of each question and how sure it was, in the reader's language."""
    words = {name: _(answer["label"]) for name, answer in answers.items()}
    return words | {f"{name}_share": round(100 * answer["confidence"]) for name, answer in answers.items()}


def _raw(event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A delivery's payload as text, indented when it is JSON, and what other records share with it."""
    for text in filter(None, (event["payload"], event["envelope"])):
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        yield {"at": event["at"], "text": text[:LONGEST_RAW], "cut": len(text) > LONGEST_RAW}


def _subject(subject: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """What the record is about: name, text, and where it leads when that is an address on the web."""
    for name, value in subject.items():
        if value in (None, "", [], {}):
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield field_name(name), text, link(text)
