"""One record: its words, why it is labelled so, what happened to it, and what people say of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import request
from flask.typing import ResponseReturnValue

from adapters.contract import CATEGORIES, SENTIMENTS
from gateway.inbox.asking import ask
from gateway.inbox.listing import CHANGE, ONE, change, changed
from gateway.inbox.web import go, local, page, show
from gateway.inbox.words import _
from models.access import list_projects
from models.feedback import STATUSES
from models.people import users_of

EVENTS = "GET /gateway/v1/feedback/<feedback_id>/events"
MOST_EVENTS = 100
LONGEST_RAW = 100_000  # characters of a payload on the page; all of it is in the API
LINKED = ("http", "https")


@page("/records/<feedback_id>", "viewer")
def record(feedback_id: str) -> ResponseReturnValue:
    row = ask(ONE, "explain=1&expand=similar", feedback_id=feedback_id)
    events = ask(EVENTS, f"limit={MOST_EVENTS}", feedback_id=feedback_id)
    people = {user["id"]: user["name"] for user in users_of(row["workspace_id"])}
    projects = {item["id"]: item["name"] for item in list_projects(row["workspace_id"])[0]}
    markdown = _markdown(row)
    return show(
        "record.html",
        row=row,
        history=[_told(event, people) for event in events["data"]],
        more=events["next_cursor"] is not None,
        notes=[_told(event, people) for event in events["data"] if event["type"] == "note"],
        raw=[_raw(event) for event in events["data"] if event["payload"]],
        subject=list(_subject(row["subject"])),
        projects=projects,
        markdown=markdown,
        issue=_issue_url(row, markdown),
        back=local(f"/inbox?{request.args['from']}") if request.args.get("from") else "/inbox",
        categories=CATEGORIES,
        sentiments=SENTIMENTS,
        statuses=STATUSES,
    )


@page("/records/<feedback_id>", "triager", method="POST")
def correct(feedback_id: str) -> ResponseReturnValue:
    """One change: a label or the status, with a way back, or a note."""
    back = local(request.full_path.rstrip("?"))
    sent: dict[str, Any] = {
        name: request.form[name] for name in ("category", "sentiment", "status") if request.form.get(name)
    }
    if impact := request.form.get("impact", ""):
        sent["impact"] = int(impact) if re.fullmatch("[0-9]{1,3}", impact) else impact
    if note := request.form.get("note", "").strip():
        ask(CHANGE, feedback_id=feedback_id, body={"note": note.replace("\r\n", "\n")})
        return go(f"{back}#notes", _("Noted."))
    if not sent:
        return go(back)
    done = change(feedback_id, sent)
    said = ", ".join(f"{_(name)}: {_(str(value))}" for name, value in sent.items())
    return changed(back, said, [done] if done else [])


def _told(event: Mapping[str, Any], people: Mapping[str, str]) -> dict[str, Any]:
    """An event with who did it and what it changed."""
    detail = event["detail"]
    who = detail.get("key_id", "")
    return {**event, "who": people.get(who, who), "changes": detail.get("changes", {})}


def _raw(event: Mapping[str, Any]) -> dict[str, Any]:
    """A delivery's payload as text, indented when it is JSON."""
    text: str = event["payload"]
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return {"at": event["at"], "text": text[:LONGEST_RAW], "cut": len(text) > LONGEST_RAW}


def _subject(subject: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """What the record is about: name, text, and where it leads when that is an address on the web."""
    for name, value in subject.items():
        if value in (None, "", [], {}):
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield name.replace("_", " "), text, link(text)


def link(text: str) -> str | None:
    """The text when a browser may follow it: an http or https address, and nothing else (javascript:)."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    plain = text.isprintable() and not any(mark in text for mark in ' "<>\\^`{|}')
    return text if parts.scheme in LINKED and parts.netloc and plain else None


def _markdown(row: Mapping[str, Any]) -> str:
    """The record for an issue or a chat; the words are quoted, so that they format nothing."""
    author = row["author"]["name"] or row["author"]["email"] or row["author"]["id"]
    facts = {
        "category": row["category"],
        "sentiment": row["sentiment"],
        "impact": f"{row['impact']}/14",
        "source": row["source"],
        "page": row["subject"].get("page") or row["subject"].get("url"),
        "from": author,
        "received": row["received_at"],
        "id": row["id"],
    }
    lines = [f"**{_escaped(row['title'])}**", ""]
    lines += [f"    {line}" for line in row["text"].splitlines()] + [""]
    lines += [f"- {name}: {_escaped(str(value))}" for name, value in facts.items() if value]
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return "".join(f"\\{mark}" if mark in "\\`*_[]<>#|!@" else mark for mark in " ".join(text.split()))


def _issue_url(row: Mapping[str, Any], markdown: str) -> str | None:
    """Where GitHub asks for a new issue with this record in it, when the record names a repository."""
    repository = row["subject"].get("repository")
    if row["source"] != "github" or not isinstance(repository, str):
        return None
    path = repository.removeprefix("https://github.com/").strip("/")
    parts = path.split("/")
    if len(parts) != 2 or not all(
        part.replace("-", "").replace("_", "").replace(".", "").isalnum() for part in parts
    ):
        return None
    query = urlencode({"title": row["title"][:200], "body": markdown[:4000]}, errors="replace")
    return f"https://github.com/{path}/issues/new?{query}"
