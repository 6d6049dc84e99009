"""statuspage: incidents and components of others' status pages, by Atlassian Statuspage's webhooks.

Wire facts: support.atlassian.com/statuspage/docs/enable-webhook-notifications. Statuspage signs nothing;
Instatus and Better Stack send the same shape. docs/dialects/statuspage.md.
"""

from __future__ import annotations

from typing import Any

from adapters.common.markup import plain
from adapters.common.plain_text import one_line
from adapters.common.severities import stated
from adapters.common.signatures import delivery, hook_adapter, secret_or_address
from adapters.common.tags import tags_of
from adapters.common.times import moment_of, stamp
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
from adapters.contract import Fault, Inbound, Signed, invalid
from adapters.contract.description import NOT_THE_SECRET, SECRET
from adapters.contract.record import Record, State

STATUSES: dict[str, State] = {
    "investigating": "triggered",
    "identified": "acknowledged",
    "monitoring": "acknowledged",
    "resolved": "resolved",
    "postmortem": "note",
    "scheduled": "note",
    "in_progress": "triggered",
    "verifying": "acknowledged",
    "completed": "resolved",
}
COMPONENTS = {"major_outage": 5, "partial_outage": 4, "degraded_performance": 3, "under_maintenance": 1}

ADVICE = """\
On the status page choose Subscribe to updates, then the tab for webhooks:

URL: {url}

Statuspage signs nothing. Either make the hook with --unsigned, whose address nobody can guess, or write its
secret into the address: https://hook:{secret}@..."""
UNSIGNED = """\
On the status page choose Subscribe to updates, then the tab for webhooks:

URL: {url}"""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    page = object_of(sent, "page")
    if isinstance(sent.get("incident"), dict):
        return [_incident(page, sent["incident"])]
    if isinstance(sent.get("component_update"), dict):
        return _component(page, sent["component_update"], object_of(sent, "component"))
    raise invalid(Fault("incident", "Required"))


def _incident(page: dict[str, Any], incident: dict[str, Any]) -> Record:
    key = needed(first_scalar(incident, "id"), "incident.id")
    title = needed(first_text(incident, "name"), "incident.name")
    updates = objects_of(incident, "incident_updates")
    # The newest comes first at Statuspage; others are not that sure.
    newest = max(updates, key=lambda update: moment_of(first_text(update, "created_at")) or 0, default={})
    status, impact = (
        first_text(newest, "status") or first_text(incident, "status"),
        first_text(incident, "impact"),
    )
    word = status.lower().replace(" ", "_")
    return Record(
        title=one_line(title),
        text=plain(first_text(newest, "body")) or title,
        type="alert",
        kind=f"incident.{word}" if word else "incident",
        **stated(impact),
        subject=present(
            {
                "url": first_url(incident, "shortlink", "url"),
                "page_id": first_scalar(page, "id"),
                "page_status": first_text(page, "status_description"),
                "impact": impact,
                "incident_status": status,
            }
        ),
        tags=tags_of(("component", first_text(part, "name")) for part in objects_of(incident, "components")),
        external_id=key,
        occurred_at=moment_of(
            first_text(newest, "created_at") or first_text(incident, "updated_at", "created_at")
        ),
        dedupe_key=f"{key}:{first_scalar(newest, 'id') or stamp(first_text(incident, 'updated_at'))}:{word}",
        incident_key=f"{first_scalar(page, 'id')}:{key}",
        state=STATUSES.get(word, "note"),
        occurrence=key,  # of which several updates may tell
        whole=True,  # the newest update says how it is now
    )


def _component(page: dict[str, Any], update: dict[str, Any], component: dict[str, Any]) -> list[Record]:
    key = first_scalar(update, "component_id") or first_scalar(component, "id")
    status = first_text(update, "new_status") or first_text(component, "status")
    if not key or not status:
        raise invalid(
            Fault("component_update.component_id" if not key else "component_update.new_status", "Required")
        )
    name, word = first_text(component, "name") or key, status.lower()
    at = first_text(update, "created_at")
    return [
        Record(
            title=one_line(name),
            text=f"{name} went from {first_text(update, 'old_status') or 'unknown'} to {status}".replace(
                "_", " "
            ),
            type="alert",
            kind="component_update",
            severity=COMPONENTS.get(word),
            subject=present(
                {
                    "page_id": first_scalar(page, "id"),
                    "page_status": first_text(page, "status_description"),
                    "component_status": status,
                }
            ),
            tags=tags_of([("component", name)]),
            external_id=key,
            occurred_at=moment_of(at),
            dedupe_key=f"component:{key}:{first_scalar(update, 'id') or stamp(at)}:{word}",
            incident_key=f"{first_scalar(page, 'id')}:component:{key}",
            state="resolved" if word == "operational" else "triggered",
            quiet=word == "operational",  # a component that was never down is no story
        )
    ]


ADAPTER = hook_adapter(
    "statuspage",
    "Statuspage",
    read,
    shape=delivery(
        "Take a webhook of a status page.",
        {
            "page": {"id": "p1"},
            "incident": {"id": "i1", "name": "Basket answers slowly", "status": "investigating"},
        },
    ),
    signed=Signed(
        verify=secret_or_address,
        advice=ADVICE,
        unsigned_advice=UNSIGNED,
        unproven=NOT_THE_SECRET,
        proofs=SECRET,
        conceals=("unsubscribe",),
    ),
)
