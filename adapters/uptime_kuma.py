"""uptime_kuma: monitors that go down and up, by Uptime Kuma's webhook notification.

What becomes what: docs/dialects/uptime_kuma.md.

Wire facts: louislam/uptime-kuma, server/notification-providers/webhook.js, server/model/heartbeat.js and
src/util.ts (the numbers of a heartbeat's status). It signs nothing, and sends headers of one's own.
"""

from __future__ import annotations

from adapters.common.forms import sent_of
from adapters.common.plain_text import one_line
from adapters.common.signatures import delivery, hook_adapter, shows_secret
from adapters.common.tags import tags_of
from adapters.common.times import moment_of, stamp
from adapters.common.untrusted_json import (
    first_scalar,
    first_text,
    first_url,
    int_of,
    needed,
    object_of,
    objects_of,
    present,
)
from adapters.contract import Fault, Inbound, Signed, invalid
from adapters.contract.description import NOT_THE_SECRET, SECRET
from adapters.contract.record import Record, State

# DOWN, UP, PENDING and MAINTENANCE.
STATUSES: dict[int, tuple[str, State]] = {
    0: ("down", "triggered"),
    1: ("up", "resolved"),
    2: ("pending", "note"),
    3: ("in maintenance", "suppressed"),
}

# What a monitor is made with to get in somewhere; old versions send it along. Source: uptime-kuma,
# server/model/monitor.js, toJSON.
CREDENTIALS = (
    *("headers", "basic_auth_pass", "oauth_client_secret", "pushToken", "databaseConnectionString", "tlsKey"),
    *("radiusPassword", "radiusSecret", "mqttPassword", "rabbitmqPassword"),
)
ADVICE = """\
In Uptime Kuma, Settings > Notifications, set up a notification of the type Webhook:

Post URL: {url}
Request body: Preset - application/json
Additional headers: {{"Authorization": "Bearer {secret}"}}"""


def read(inbound: Inbound) -> list[Record]:
    sent = sent_of(inbound)
    if not isinstance(sent, dict):
        raise invalid(Fault("body", "Expected an object"))
    beat, monitor, said = object_of(sent, "heartbeat"), object_of(sent, "monitor"), first_text(sent, "msg")
    number, name = first_scalar(monitor, "id") or first_scalar(beat, "monitorID"), first_text(monitor, "name")
    status = int_of(beat, "status")
    if status is None:
        needed(said, "msg")
        # A test, or that a certificate or a domain will end: it belongs to no heartbeat.
        return [_record(inbound, name or one_line(said), said, monitor, number)]
    if status not in STATUSES or not number:
        raise invalid(Fault("heartbeat.status" if number else "monitor.id", f"Unknown: {status}"))
    word, state = STATUSES[status]
    record = _record(inbound, name or f"Monitor {number}", first_text(beat, "msg") or said, monitor, number)
    time = first_text(beat, "time")
    record.kind, record.state, record.occurred_at = word, state, moment_of(time)
    record.counts = beat.get("important") is not False  # else it says again what it has said
    # A server's numbers begin at 1, so they are those of this hook.
    record.incident_key = f"{inbound.params.get('hook_id', '')}:{number}"
    record.dedupe_key = f"{record.incident_key}:{stamp(time)}:{status}" if time else None
    return [record]


def _record(inbound: Inbound, title: str, words: str, monitor: dict[str, object], number: str) -> Record:
    host = ":".join(filter(None, (first_scalar(monitor, "hostname"), first_scalar(monitor, "port"))))
    return Record(
        title=one_line(title),
        text=words or title,
        type="alert",
        subject=present(
            {
                "url": first_url(monitor, "url"),
                "monitor_id": number,
                "monitor": first_text(monitor, "pathName", "name"),
                "monitor_type": first_text(monitor, "type"),
                "host": host,
                "about": first_text(monitor, "description"),
            }
        ),
        tags=tags_of(
            (first_text(tag, "name"), first_text(tag, "value") or "yes")
            for tag in objects_of(monitor, "tags")
        ),
        external_id=number or None,
    )


ADAPTER = hook_adapter(
    "uptime_kuma",
    "Uptime Kuma",
    read,
    shape=delivery(
        "Take a notification of Uptime Kuma.",
        {
            "heartbeat": {
                "monitorID": 1,
                "status": 0,
                "time": "2026-05-07 08:00:00.000",
                "msg": "timeout",
            },
            "monitor": {"id": 1, "name": "Basket"},
            "msg": "[Basket] [Down] timeout",
        },
    ),
    signed=Signed(
        verify=shows_secret, advice=ADVICE, proofs=SECRET, unproven=NOT_THE_SECRET, conceals=CREDENTIALS
    ),
)
