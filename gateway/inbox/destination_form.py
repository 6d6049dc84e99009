"""The form of a destination: what it says to the API, what it shows again, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import g, request
from werkzeug.datastructures import MultiDict

from adapters.contract import Fault, Refused
from gateway.destinations.kind import Kind
from gateway.inbox.refusals import refusal
from gateway.inbox.settings import told

# Of each type of change, what happened. A type that is not here is shown by its name alone.
EVENTS_SAID = {
    "feedback.created": "A record begins",
    "feedback.updated": "Its sender says more, or others report the same",
    "feedback.retracted": "Its sender takes it back",
    "feedback.relabelled": "Its labels change",
    "feedback.status_changed": "Its status changes",
    "feedback.tagged": "Its tags change",
    "feedback.noted": "Somebody adds a note",
    "feedback.deleted": "It is deleted",
    "feedback.erased": "A person is taken out of it",
    "destination.disabled": "Another destination is given up",
    "destination.test": "A test",
}
# What to give as the address, by the kind.
ADDRESSES = {
    "webhook": "https://hooks.example.com/feedback",
}
WITH_HEADERS = ("webhook",)  # kinds whose receivers may want headers of their own
SORTED_BY = ("sort", "limit", "cursor", "fields")  # what an address of the list has beside its filter
NUMBERS = ("window", "hour", "weekday")
# Which fields of a subscription count, by when people are told.
TIMES = {"each": ("window",), "daily": ("hour", "zone"), "weekly": ("weekday", "hour", "zone")}
SUBJECTS: dict[str, dict[str, Any]] = {
    "changes": {"content": "changes", "watch": None},
    "digest": {"content": "digest", "watch": None},
    "spike": {"content": "changes", "watch": "spike"},
    "silence": {"content": "changes", "watch": "silence"},
}

Faults = dict[str, list[str]]  # what is wrong, by field
Given = dict[str, Any]


def empty(kind: Kind) -> Given:
    """What a new form shows."""
    zone = getattr(g.zone, "key", "UTC")
    made: Given = {"events": ["feedback.created"], "about": "changes", "when": "each", "zone": zone}
    return {**made, "window": 10, "hour": 8, "weekday": 0}


def of_row(kind: Kind, row: Mapping[str, Any]) -> Given:
    """What the form of a destination shows, as the API has it; headers are known by their names alone."""
    known = {
        name: row[name] for name in ("name", "url", "events", "filter", "thin", "ordered") if name in row
    }
    kept = {name: value for name, value in (row.get("subscription") or {}).items() if value is not None}
    about = kept.get("watch") or kept.get("content") or "changes"
    return {**empty(kind), **known, **kept, "about": about, "headers": ""}


def given() -> Given:
    """The form that was sent, as it was typed."""
    form: MultiDict[str, str] = request.form
    typed = {name: form[name].strip() for name in form if name != "events"}
    return {**typed, "events": form.getlist("events")}


def sent(kind: Kind, form: Given, *, new: bool) -> dict[str, Any]:
    """What the API is asked for. Headers that are left empty stay as they are, unless they are to go."""
    asked: dict[str, Any] = {name: form.get(name, "") for name in ("url", "name")}
    asked |= {"events": form["events"], "filter": plain_filter(form.get("filter", ""))}
    headers = _headers(form.get("headers", ""))
    if headers or new or form.get("no_headers"):
        asked["headers"] = headers
    if kind.write is None:
        asked |= {name: bool(form.get(name)) for name in ("thin", "ordered")}
    else:
        asked["subscription"] = _subscription(form)
    if new and form.get("project_id"):
        asked["project_id"] = form["project_id"]
    return asked


def plain_filter(text: str) -> str:
    """A filter as it was pasted, an address of the list perhaps, without what only orders a list."""
    text = text.partition("?")[2] if text.startswith(("http://", "https://", "/", "?")) else text
    pairs = parse_qsl(text, keep_blank_values=True)
    left = [pair for pair in pairs if pair[0] not in SORTED_BY]
    return text if left == pairs else urlencode(left)


def by_field(refused: Refused) -> Faults:
    """What the API says is wrong, by the field of the form: filter.color is told at filter."""
    told(refused)
    found: Faults = {}
    for fault in refused.problem.faults or (Fault("body", refused.problem.message),):
        name, _dot, inner = fault.field.partition(".")
        if name == "subscription":
            name, inner = inner or "when", ""
            name = "about" if name in ("content", "watch") else name
        which = f"{inner}: " if inner and name != "events" else ""
        said = f"{which}{refusal(fault.message)}"
        if said not in found.setdefault(name, []):
            found[name].append(said)
    return found


def _subscription(form: Given) -> dict[str, Any]:
    when = form.get("when", "each")
    names = TIMES.get(when, ())
    chosen: dict[str, Any] = {"when": when, "include_author": bool(form.get("include_author"))}
    for name in names:
        text = form.get(name, "")
        chosen[name] = (
            int(text) if name in NUMBERS and text.isascii() and text.isdigit() and len(text) < 6 else text
        )
    return chosen | SUBJECTS.get(form.get("about", ""), {"content": form.get("about", "")})


def _headers(text: str) -> dict[str, str]:
    """Headers as they were typed, one a line. A line without a colon is a name without a value."""
    lines = (line.partition(":") for line in text.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _colon, value in lines}
