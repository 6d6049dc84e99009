"""newrelic: issues of New Relic's alerts, by a workflow's webhook. docs/dialects/newrelic.md.

Wire facts: docs.newrelic.com, "Workflow variables" and "Webhook" under Destinations; the names are those of
the payload template that New Relic proposes. A webhook signs nothing; it shows a bearer token or basic
authentication.
"""

from __future__ import annotations

from typing import Any

from adapters.common.plain_text import one_line
from adapters.common.severities import stated
from adapters.common.signatures import delivery, hook_adapter, shows_secret
from adapters.common.tags import tags_of
from adapters.common.times import moment_of, moment_or_seconds
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    first_url,
    list_of,
    needed,
    present,
)
from adapters.contract import Inbound, Signed
from adapters.contract.description import NOT_THE_SECRET, SECRET
from adapters.contract.record import Author, Record, State

STATES: dict[str, State] = {
    **dict.fromkeys(("created", "activated", "open", "active"), "triggered"),
    "acknowledged": "acknowledged",
    "unacknowledged": "triggered",
    "deactivated": "suppressed",
    **dict.fromkeys(("closed", "resolved"), "resolved"),
}

# `timestamp` and the names with underscores are those of notification channels, which came before workflows.
TIMES = ("updatedAt", "closedAt", "createdAt", "timestamp")

ADVICE = """\
In New Relic, Alerts > Destinations, add a webhook:

Endpoint URL: {url}
Authorization: bearer token, {secret}

Then let a workflow notify it when an issue is activated, acknowledged and closed. Keep its payload."""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    key = needed(first_scalar(sent, "id", "issueId", "issue_id", "incident_id"), "id")
    word = needed(first_text(sent, "state", "status", "current_state"), "state").lower()
    titles = _words(sent, "title", "issueTitle", "details", "condition_name")
    title = titles[0] if titles else f"Issue {key}"
    priority = first_text(sent, "priority", "severity")
    said = [*titles[1:], *_words(sent, "alertConditionDescription", "conditionDescription", "description")]
    entities, owner = _words(sent, "impactedEntities"), first_text(sent, "owner")
    state = STATES.get(word, "note")
    at = next(filter(None, (_moment(sent, name) for name in TIMES)), None)
    return [
        Record(
            title=one_line(title),
            text="\n".join(dict.fromkeys([title, *said])),
            type="alert",
            kind=word,
            **stated(priority),
            subject=present(
                {
                    "url": first_url(sent, "issueUrl", "issuePageUrl", "issue_url", "incident_url"),
                    "issue_id": key,
                    "priority": priority,
                    "entities": entities[:50],
                    "trigger": first_text(sent, "trigger", "triggerEvent"),
                    "incidents": first_scalar(sent, "totalIncidents"),
                    "runbook_url": first_url(sent, "runbookUrl"),
                }
            ),
            author=Author(name=owner or None) if state == "acknowledged" else Author(),
            tags=tags_of(
                [
                    *(
                        ("policy", name)
                        for name in _words(sent, "alertPolicyNames", "policyName", "policy_name")
                    ),
                    *(
                        ("condition", name)
                        for name in _words(sent, "alertConditionNames", "conditionName", "condition_name")
                    ),
                    ("workflow", first_text(sent, "workflowName")),
                ],
                most=100,
            ),
            external_id=key,
            occurred_at=at,
            dedupe_key=f"{key}:{word}:{at}" if at else None,
            incident_key=key,
            state=state,
            occurrence=key,  # created, and then activated
        )
    ]


def _words(sent: dict[str, Any], *names: str) -> list[str]:
    """The texts of the first of these that is there: a text, or an array of them."""
    for name in names:
        values = list_of(sent, name) or [sent.get(name)]
        if found := [value.strip() for value in values if isinstance(value, str) and value.strip()]:
            return found
    return []


def _moment(sent: dict[str, Any], name: str) -> int | None:
    """Milliseconds since the epoch, as a number or its digits; or an ISO time."""
    word = first_scalar(sent, name)
    if word.isascii() and word.isdigit() and len(word) < 16:
        return moment_or_seconds(int(word) / 1000)
    return moment_of(word)


ADAPTER = hook_adapter(
    "newrelic",
    "New Relic",
    read,
    shape=delivery(
        "Take a notification of New Relic.",
        {
            "id": "0ea2",
            "title": ["Basket answers slowly"],
            "state": "ACTIVATED",
            "priority": "CRITICAL",
        },
    ),
    signed=Signed(verify=shows_secret, advice=ADVICE, proofs=SECRET, unproven=NOT_THE_SECRET),
)
