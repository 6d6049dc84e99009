"""The form of a destination: what it says to the API, what it shows again, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import g, request

from adapters.contract import Fault, Refused
from gateway.core import outbound
from gateway.core.outbound import Forbidden
from gateway.destinations import subscription
from gateway.destinations.kind import Kind
from gateway.destinations.managing import EVENTS
from gateway.inbox.refusals import refusal
from gateway.inbox.settings import told
from models.tables import outbox

# Of each type of change, what happened. A type that is not here is shown by its name alone.
EVENTS_SAID = {
    "feedback.created": "A record begins",
    "feedback.updated": "Its sender says more, or others report the same",
    "feedback.retracted": "Its sender takes it back",
    "feedback.relabelled": "Its labels change",
    "feedback.status_changed": "Its status changes",
    "feedback.tagged": "Its tags change",
    "feedback.noted": "Somebody adds a note",
    "feedback.assigned": "Somebody else takes care of it, or nobody",
    "feedback.snoozed": "It is put aside for a while",
    "feedback.woken": "It is back before its time, or when it is",
    "feedback.replied": "Its author is answered",
    "feedback.merged": "It is merged with others",
    "feedback.unmerged": "It is taken apart again",
    "feedback.deleted": "It is deleted",
    "feedback.erased": "A person is taken out of it",
    "quarantine.held": "A delivery is held in quarantine",
    "run.completed": "A run has ended",
    "run.failed": "A run has failed",
    "key.expiring": "A key ends within a week",
    "spike.started": "Much more comes than usual",
    "hook.silent": "A hook that usually sends is quiet",
    "destination.disabled": "Another destination is given up",
}
WITHOUT_HEADERS = ("apprise", "discord", "email", "mattermost", "teams")  # kinds whose address says it all
LIST_ONLY = ("sort", "limit", "cursor", "fields")  # what an address of the list has beside its filter
NUMBERS = ("window", "hour", "weekday")
# Which fields of a subscription count, by when people are told.
TIMES = {
    subscription.EACH: ("window",),
    subscription.DAILY: ("hour", "zone"),
    subscription.WEEKLY: ("weekday", "hour", "zone"),
}

Faults = dict[str, list[str]]  # what is wrong, by field
Given = dict[str, Any]


def empty(kind: Kind) -> Given:
    """What a new form shows."""
    if not kind.is_for_people:
        return {"events": [outbox.CREATED]}
    zone = getattr(g.zone, "key", "UTC")
    return {"events": subscription.EVENTS, **asdict(subscription.Subscription(zone=zone))}


def of_row(row: Mapping[str, Any]) -> Given:
    """What the form of a destination shows, as the API has it; headers are known by their names alone."""
    known = {name: row[name] for name in ("name", "url", "events", "filter", "thin", "ordered")}
    return {**known, **(row["subscription"] or {}), "headers": ""}


def given() -> Given:
    """The form that was sent, as it was typed."""
    form = request.form
    typed = {name: form[name].strip() for name in form if name != "events"}
    return {**typed, "events": form.getlist("events")}


def sent(kind: Kind, form: Given, *, new: bool) -> dict[str, Any]:
    """What the API is asked for. Headers that are left empty stay as they are, unless they are to go."""
    asked: dict[str, Any] = {name: form.get(name, "") for name in ("url", "name")}
    asked |= {"events": form["events"], "filter": plain_filter(form.get("filter", ""))}
    headers = _headers(form.get("headers", ""))
    if headers or form.get("no_headers"):
        asked["headers"] = headers
    if kind.is_for_people:
        asked["subscription"] = _subscription(form)
    else:
        asked |= {name: bool(form.get(name)) for name in ("thin", "ordered")}
    if new and form.get("project_id"):
        asked["project_id"] = form["project_id"]
    return asked


def events(kind: Kind) -> list[str]:
    """What a destination of a kind may be told."""
    return [name for name in EVENTS if not (kind.is_for_people and name in outbox.GONE)]


def advice(kind: Kind) -> str:
    """What to give as the address, in the words with which a kind refuses anything else."""
    if kind.check is outbound.check:
        return ""
    try:
        kind.check("")
    except Forbidden as error:
        said = refusal(str(error))
        return f"{said[:1].upper()}{said[1:]}."
    return ""


def plain_filter(text: str) -> str:
    """A filter as it was pasted, an address of the list perhaps, without what only orders a list."""
    text = text.partition("?")[2] if text.startswith(("http://", "https://", "/", "?")) else text
    pairs = parse_qsl(text, keep_blank_values=True)
    left = [pair for pair in pairs if pair[0] not in LIST_ONLY]
    return text if left == pairs else urlencode(left)


def by_field(refused: Refused) -> Faults:
    """What the API says is wrong, by the field of the form: filter.color is told at filter."""
    told(refused)
    found: Faults = {}
    for fault in refused.problem.faults or (Fault("body", refused.problem.message),):
        name, _dot, inner = fault.field.partition(".")
        if name == "subscription":
            name, inner = inner or "when", ""
        which = f"{inner}: " if inner and name != "events" else ""
        said = f"{which}{refusal(fault.message)}"
        if said not in found.setdefault(name, []):
            found[name].append(said)
    return found


def _subscription(form: Given) -> dict[str, Any]:
    """When people are told; of its fields those that count then."""
    when = form.get("when", subscription.EACH)
    names = TIMES.get(when, ())
    chosen = {name: _number(form.get(name, "")) if name in NUMBERS else form.get(name, "") for name in names}
    content = subscription.CHANGES if when == subscription.EACH else form.get("content", subscription.CHANGES)
    return {**chosen, "when": when, "content": content, "include_author": bool(form.get("include_author"))}


def _number(text: str) -> int | str:
    """A whole number; what is none as it was typed, for the API to refuse."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else text


def _headers(text: str) -> dict[str, str]:
    """Headers as they were typed, one a line. A line without a colon is a name without a value."""
    lines = (line.partition(":") for line in text.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _colon, value in lines}
