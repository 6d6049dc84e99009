"""opsgenie: alerts, by the outgoing webhook integration. docs/dialects/opsgenie.md.

Wire facts: support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data and
.../integrate-opsgenie-with-webhook; it signs nothing, and sends headers of one's own.
"""

from __future__ import annotations

from typing import Any

from adapters.common.markup import plain
from adapters.common.plain_text import one_line, without_status
from adapters.common.severities import stated
from adapters.common.signatures import delivery, hook_adapter, shows_secret
from adapters.common.tags import tags_of
from adapters.common.times import moment_or_seconds
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    list_of,
    needed,
    needed_object,
    object_of,
    objects_of,
    present,
)
from adapters.contract import Inbound, Signed
from adapters.contract.description import NOT_THE_SECRET, SECRET
from adapters.contract.record import Author, Record, State

# What tells the alert anew, all of it, and says nothing of its state.
RESTATED = ("updatepriority", "updatemessage", "updatedescription")
# Any other action, such as AssignOwnership or Escalate, is ignored.
ACTIONS: dict[str, State] = {
    "create": "triggered",
    "acknowledge": "acknowledged",
    "unacknowledge": "triggered",
    "snooze": "suppressed",
    "snoozeended": "triggered",
    "close": "resolved",
    "delete": "resolved",
    "addnote": "note",
    **dict.fromkeys(RESTATED, "note"),
}
SECONDS = (
    (10**11, 1),
    (10**14, 10**3),
    (10**17, 10**6),
    (10**20, 10**9),
)  # bounds and how many make a second

ADVICE = """\
In Opsgenie, Settings > Integrations, add a Webhook (outgoing) integration:

Webhook URL: {url}
Custom header: Authorization: Bearer {secret}
Add alert description and details to the payload. Alert actions: Create, Acknowledge, UnAcknowledge, Close,
  Delete, AddNote, Snooze, SnoozeEnded, UpdatePriority, UpdateMessage, UpdateDescription"""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    action = needed(first_text(sent, "action"), "action")
    state = ACTIONS.get(action.lower())
    if state is None:
        return []
    alert = needed_object(sent, "alert")
    key = needed(first_scalar(alert, "alertId"), "alert.alertId")
    title = without_status(first_text(alert, "message"))
    restates = action.lower() in RESTATED
    words = plain(first_text(alert, "note")) if state == "note" and not restates else ""
    priority, details = first_text(alert, "priority"), object_of(alert, "details")
    teams = [one for one in objects_of(alert, "responders") if first_text(one, "type") == "team"]
    updated, user = first_scalar(alert, "updatedAt"), first_text(alert, "username")
    return [
        Record(
            title=one_line(title or f"Alert {key}"),
            text=words or plain(first_text(alert, "description")) or title or f"Alert {key}",
            type="alert",
            kind=action,
            **stated(priority),
            subject=present(
                {
                    "alert_id": key,
                    "alias": first_text(alert, "alias"),
                    "number": first_scalar(alert, "tinyId"),
                    "entity": first_text(alert, "entity"),
                    "priority": priority,
                    "source": first_text(alert, "source"),
                    "teams": [team for team in list_of(alert, "teams") if isinstance(team, str)],
                    "details": {name: value for name, value in details.items() if isinstance(value, str)},
                }
            ),
            author=Author.of(first_scalar(alert, "userId"), user, user if "@" in user else ""),
            tags=tags_of(
                [
                    *(("tag", tag) for tag in list_of(alert, "tags")),
                    *(("team", first_text(one, "name")) for one in teams),
                ]
            ),
            external_id=key,
            occurred_at=_moment(
                alert.get("createdAt" if restates or action.lower() == "create" else "updatedAt")
            )
            or _moment(alert.get("createdAt")),
            dedupe_key=f"{key}:{action}:{updated or first_scalar(alert, 'createdAt')}",
            replaceable=restates,
            whole=restates,
            revised_at=_moment(alert.get("updatedAt")) if restates else None,
            counts=action.lower() == "create",
            incident_key=key,
            state=state,
            joins=first_text(alert, "alias") or None,
        )
    ]


def _moment(value: Any) -> int | None:
    """A number since the epoch: `createdAt` is in milliseconds, `updatedAt` in nanoseconds."""
    if type(value) is not int or not 0 < value < 10**20:
        return None
    return moment_or_seconds(value / next((parts for bound, parts in SECONDS if value < bound), 10**9))


ADAPTER = hook_adapter(
    "opsgenie",
    "Opsgenie",
    read,
    shape=delivery(
        "Take a webhook of Opsgenie.",
        {"action": "Create", "alert": {"alertId": "a1", "message": "Basket answers slowly"}},
    ),
    signed=Signed(verify=shows_secret, advice=ADVICE, proofs=SECRET, unproven=NOT_THE_SECRET),
)
