"""pagerduty: incidents through v3 webhook subscriptions, and the older messages. docs/dialects/pagerduty.md.

Wire facts: PagerDuty/developer-docs, docs/webhooks/01-Overview.md and 04-Signatures.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.common.group_members import read_each
from adapters.common.markup import plain
from adapters.common.plain_text import one_line, without_status
from adapters.common.schemas import type_name
from adapters.common.severities import severity_of, stated
from adapters.common.signatures import accepted, delivery, hmac_hex, hook_adapter, same, shows_secret
from adapters.common.tags import tags_of
from adapters.common.times import moment_of
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    first_url,
    needed,
    object_of,
    objects_of,
    present,
)
from adapters.contract import Fault, Hook, Inbound, Signed, invalid
from adapters.contract.description import SECRET, signature
from adapters.contract.record import Author, Record, State

# Every other event, such as incident.escalated, responder.added or pagey.ping, is ignored.
STATES: dict[str, State] = {
    "incident.triggered": "triggered",
    "incident.reopened": "triggered",
    "incident.unacknowledged": "triggered",
    "incident.acknowledged": "acknowledged",
    "incident.resolved": "resolved",
    "incident.annotated": "note",
    "incident.status_update_published": "note",
    "incident.priority_updated": "note",
}
# Of an incident itself, which an update of its priority tells.
STATUSES: dict[str, State] = {
    "triggered": "triggered",
    "acknowledged": "acknowledged",
    "resolved": "resolved",
}
# What is told of an incident that is known, and is no other one.
NOT_ANEW = ("incident.unacknowledged", "incident.unacknowledge", "incident.priority_updated")
OLD_STATES: dict[str, State] = {
    "incident.trigger": "triggered",
    "incident.unacknowledge": "triggered",
    "incident.acknowledge": "acknowledged",
    "incident.resolve": "resolved",
    "incident.annotate": "note",
}

ADVICE = """\
In PagerDuty, Integrations > Generic Webhooks (v3), make a webhook:

Webhook URL: {url}
Event subscription: all that begin with "incident."

PagerDuty then shows its signing secret, once. Give it to this hook, unless you already have:

feedback-gateway hook rotate {hook_id} --secret THE_SIGNING_SECRET

An older v2 webhook signs nothing; add this custom header to it: Authorization: Bearer {secret}"""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    messages = sent.get("messages")
    if isinstance(messages, list):
        return read_each(inbound, messages, _read_old, lambda bad: {"messages": bad})
    event = sent.get("event")
    if not isinstance(event, dict):
        wrong = f"Expected object, received {type_name(event)}" if "event" in sent else "Required"
        raise invalid(Fault("event", wrong))
    kind = needed(first_text(event, "event_type"), "event.event_type")
    if kind not in STATES:
        return []

    data = object_of(event, "data")
    # Notes and status updates only refer to their incident; what they are about is data itself.
    incident = object_of(data, "incident") or data
    title = first_text(incident, "title", "summary")
    priority = first_text(object_of(incident, "priority"), "summary")
    state = STATES[kind]
    if kind == "incident.priority_updated":
        said = f"Priority: {priority or 'none'}"
        if first_text(incident, "status") in STATUSES:  # it tells the incident anew, and not in other words
            state, said = STATUSES[first_text(incident, "status")], ""
    else:
        said = plain(first_text(data, "content", "message") or _resolution(data))
    agent = object_of(event, "agent")
    delivery = inbound.headers.get("x-webhook-id", "").strip()
    return [
        _record(
            incident,
            kind=kind,
            state=state,
            title=title,
            text=said,
            tags=[
                ("service", first_text(object_of(incident, "service"), "summary")),
                *(("team", first_text(team, "summary")) for team in objects_of(incident, "teams")),
                ("incident_type", first_text(object_of(incident, "incident_type"), "name")),
            ],
            author=Author.of(first_text(agent, "id"), first_text(agent, "summary")),
            occurred_at=first_text(event, "occurred_at"),
            # An event's id is the same in every subscription, the header in every attempt of one.
            dedupe_key=delivery or _joined(first_text(event, "id"), kind),
        )
    ]


def _read_old(message: Any) -> list[Record]:
    """One of messages[]: version 2 has `event` and `incident`, version 1 `type` and `data.incident`."""
    if not isinstance(message, dict):
        raise invalid(Fault("messages", "Expected array of objects"))
    kind = needed(first_text(message, "event", "type"), "messages.event")
    if kind not in OLD_STATES:
        return []
    incident = object_of(message, "incident") or object_of(object_of(message, "data"), "incident")
    summary = object_of(incident, "trigger_summary_data")
    entry = next(iter(objects_of(message, "log_entries")), {})
    agent = object_of(entry, "agent") or object_of(incident, "last_status_change_by")
    note = (
        first_text(object_of(entry, "channel"), "content", "summary") if kind == "incident.annotate" else ""
    )
    return [
        _record(
            incident,
            kind=kind,
            state=OLD_STATES[kind],
            title=first_text(incident, "title") or first_text(summary, "subject", "description"),
            text=plain(note) or first_text(incident, "description") or first_text(summary, "description"),
            tags=[
                ("service", first_text(object_of(incident, "service"), "summary", "name")),
                *(("team", first_text(team, "summary", "name")) for team in objects_of(incident, "teams")),
            ],
            author=Author.of(first_text(agent, "id"), first_text(agent, "summary", "name")),
            occurred_at=first_text(message, "created_on"),
            dedupe_key=_joined(first_scalar(message, "id"), kind),
        )
    ]


def _record(
    incident: Mapping[str, Any],
    *,
    kind: str,
    state: State,
    title: str,
    text: str,
    tags: list[tuple[str, str]],
    author: Author,
    occurred_at: str,
    dedupe_key: str,
) -> Record:
    """The record of what one delivery says of an incident.

    Raises Refused (400) for an incident without an id.
    """
    key = needed(first_scalar(incident, "id"), "incident.id")
    number = first_scalar(incident, "number", "incident_number")
    title = without_status(title) or f"Incident {number or key}"
    subject = {
        "url": first_url(incident, "html_url"),
        "incident_id": key,
        "incident_number": number,
        "incident_key": first_scalar(incident, "incident_key"),
        "priority": first_text(object_of(incident, "priority"), "summary"),
        "urgency": first_text(incident, "urgency"),
    }
    return Record(
        title=one_line(title),
        text=text or title,
        type="alert",
        kind=kind,
        **_severity(subject["priority"], subject["urgency"]),
        subject=present(subject),
        author=author,
        tags=tags_of(tags),
        external_id=key,
        occurred_at=moment_of(occurred_at),
        dedupe_key=dedupe_key or None,
        incident_key=key,
        state=state,
        counts=kind not in NOT_ANEW,
        joins=subject["incident_key"] or None,
    )


def _severity(priority: str, urgency: str) -> dict[str, Any]:
    """Of the priority, whose names an account makes up itself, else of the urgency: high or low."""
    return stated(priority) if severity_of(priority) is not None or not urgency else stated(urgency)


def _resolution(data: Mapping[str, Any]) -> str:
    """Why an incident was resolved: words, or the incident that it was merged into."""
    into = object_of(object_of(data, "resolve_reason"), "incident")
    merged = first_text(into, "summary", "id")
    return first_text(data, "resolve_reason") or (f"Merged into {merged}" if merged else "")


def _joined(name: str, kind: str) -> str:
    return f"{name}:{kind}" if name else ""


def verify(inbound: Inbound, hook: Hook) -> bool:
    """Any of the v1 signatures by any live secret; without the header, the secret as bearer or basic.

    PagerDuty signs with each of its secrets while one is rotated. Version 2 webhooks sign nothing,
    but send headers of one's own.
    """
    header = inbound.headers.get("x-pagerduty-signature")
    if header is None:
        return shows_secret(inbound, hook)
    given = [entry.strip() for entry in header.split(",")]
    signed = [f"v1={hmac_hex(secret, inbound.body)}" for secret in hook.secrets]
    return any(same(entry, expected) for entry in given for expected in signed)


ADAPTER = hook_adapter(
    "pagerduty",
    "PagerDuty",
    read,
    reply=accepted(202),
    shape=delivery(
        "Take a version 3 webhook of PagerDuty.",
        {
            "event": {
                "id": "01EVU",
                "event_type": "incident.triggered",
                "occurred_at": "2026-05-07T08:00:00Z",
                "data": {"id": "PINC1", "type": "incident", "title": "Basket answers slowly"},
            }
        },
        202,
    ),
    signed=Signed(
        verify=verify,
        advice=ADVICE,
        unproven="Neither the secret nor the signature holds.",
        proofs=(*SECRET, signature("X-PagerDuty-Signature")),
    ),
)
