"""grafana: alerts of Grafana's webhook contact point, and those before version 9. docs/dialects/grafana.md.

Wire facts: grafana/alerting (receivers/webhook, http/hmac.go) and Grafana's page on the webhook notifier.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from adapters.common.alerts import alert_record, option_words, read_alerts, shared_by
from adapters.common.hook_options import header, words
from adapters.common.plain_text import one_line
from adapters.common.severities import stated
from adapters.common.signatures import (
    Refusal,
    accepted,
    delivery,
    hmac_hex,
    is_fresh,
    refuse,
    same,
    shows_secret,
)
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    first_url,
    list_of,
    object_of,
    objects_of,
    present,
)
from adapters.contract import Adapter, Door, Fault, Hook, Inbound, Signed, invalid, tolerant
from adapters.contract.description import SECRET, signature
from adapters.contract.record import Record, State

# Made by the Test button, and alerts that fire for ever to show that alerting works.
IGNORED = ("TestAlert", "Watchdog", "DeadMansSwitch")
LEGACY_STATES: dict[str, State | None] = {
    "alerting": "triggered",
    "no_data": "triggered",
    "ok": "resolved",
    "paused": "suppressed",
    "pending": None,  # not yet an alert: ignored
}
LEGACY_PREFIX = re.compile(r"\A\s*\[(?:Alerting|OK|No Data|Paused|Pending|Unknown)\]\s*", re.IGNORECASE)

# A message that nobody wrote lists labels, annotations and links of every alert.
# Source: grafana/alerting, templates/default_template.go, `default.message`.
DEFAULT_MESSAGE = re.compile(r"\*\*(?:Firing|Resolved)\*\*\s++Value: |\*\*(?:Firing|Resolved)\*\*\s++Labels:")

SIGNATURE = "x-grafana-alerting-signature"

PLACE = """\
In Grafana, Alerting > Contact points, make a contact point of the type Webhook:

URL: {url}
HTTP method: POST (or PUT)
"""
ADVICE = f"""\
{PLACE}
and prove the origin in one of two ways:

HMAC signature, secret: {{secret}}
(if Grafana is to send a time as well, make the hook with --option timestamp_header=NAME_OF_THE_HEADER)

Authorization header, scheme Bearer, credentials: {{secret}}"""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    ignored = option_words(inbound.options, "ignore_alertnames", IGNORED)
    if "alerts" not in sent and first_scalar(sent, "ruleId", "ruleName"):
        return [] if first_text(sent, "ruleName") in ignored else _read_legacy(inbound, sent)
    group, message = shared_by(sent), first_text(sent, "message")
    # Grafana's message tells of the whole group.
    if len(list_of(sent, "alerts")) != 1 or DEFAULT_MESSAGE.match(message):
        message = ""
    return read_alerts(inbound, sent, ignored, lambda alert: _read_alert(alert, group, message))


def _read_alert(alert: Mapping[str, Any], group: Mapping[str, Any], message: str) -> Record:
    """One alert of a group. Annotations named `__...__` are Grafana's own and unread."""
    more = {
        "organisation": first_scalar(alert, "orgId") or first_scalar(group, "orgId"),
        "rule_uid": first_text(alert, "ruleUID"),
        "dashboard_url": first_url(alert, "dashboardURL"),
        "panel_url": first_url(alert, "panelURL"),
        "silence_url": first_url(alert, "silenceURL"),
        "image_url": first_url(alert, "imageURL"),
        "values": {name: value for name, value in object_of(alert, "values").items() if _is_number(value)},
        "value_string": first_text(alert, "valueString"),
    }
    url = first_url(alert, "panelURL", "dashboardURL", "generatorURL") or first_url(group, "externalURL")
    # The same labels may fire in several organisations of one Grafana.
    owner = first_scalar(alert, "orgId") or first_scalar(group, "orgId")
    return alert_record(alert, group, url=url, more=more, body=message, owner=owner)


def _read_legacy(inbound: Inbound, sent: Mapping[str, Any]) -> list[Record]:
    """The one alert of Grafana's alerting before version 9, which has no time of its own.

    Raises Refused (400) for a state that it does not know.
    """
    state = first_text(sent, "state")
    if state not in LEGACY_STATES:
        listed = " | ".join(f"'{word}'" for word in LEGACY_STATES)
        raise invalid(Fault("state", f"Invalid enum value. Expected {listed}"))
    if LEGACY_STATES[state] is None:
        return []
    rule, organisation = first_scalar(sent, "ruleId", "ruleName"), first_scalar(sent, "orgId")
    title = LEGACY_PREFIX.sub("", first_text(sent, "title")) or first_text(sent, "ruleName") or f"Rule {rule}"
    tags = object_of(sent, "tags")
    matches = [
        (first_scalar(match, "metric"), match.get("value")) for match in objects_of(sent, "evalMatches")
    ]
    subject = {
        "url": first_url(sent, "ruleUrl"),
        "environment": first_scalar(tags, "env", "environment", "cluster", "namespace"),
        "alertname": first_text(sent, "ruleName"),
        "organisation": organisation,
        "rule_id": rule,
        "image_url": first_url(sent, "imageUrl"),
        "values": {name: value for name, value in matches if name and _is_number(value)},
    }
    return [
        Record(
            title=one_line(title),
            text=first_text(sent, "message") or title,
            type="alert",
            **stated(first_scalar(tags, "severity", "priority")),
            subject=present(subject),
            tags=tuple(
                f"{name}:{first_scalar(tags, name)}" for name in sorted(tags) if first_scalar(tags, name)
            ),
            external_id=rule,
            dedupe_key=f"{rule}:{state}:{hashlib.sha256(inbound.body).hexdigest()[:32]}",
            incident_key=f"{organisation}:{rule}" if organisation else rule,
            state=LEGACY_STATES[state],
        )
    ]


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def verify(inbound: Inbound, hook: Hook) -> bool:
    """The hex HMAC of the body, or of `time:body` for hooks that name a time header; else the secret itself.

    A request that has the signature header must have it right. One without must show the secret as
    bearer or basic, unless the hook's options say that it signs.
    """
    header = first_text(hook.options, "signature_header").lower()
    clock = first_text(hook.options, "timestamp_header").lower()
    given = inbound.headers.get(header or SIGNATURE)
    if given is None:
        return not (header or clock) and shows_secret(inbound, hook)
    signed = inbound.body
    if clock:
        moment = inbound.headers.get(clock, "")
        if not is_fresh(moment, inbound):
            return False
        signed = moment.encode() + b":" + signed
    return any(same(given, hmac_hex(secret, signed)) for secret in hook.secrets)


def advise(secret: str, options: Mapping[str, Any]) -> str:
    """The steps for a hook whose options say that it signs: nothing else is taken there."""
    header, clock = options.get("signature_header"), options.get("timestamp_header")
    if not (header or clock):
        return ADVICE
    names = [f"Header: {header or 'X-Grafana-Alerting-Signature'}"]
    names += [f"Timestamp header: {clock}"] if clock else []
    return "\n".join([PLACE, "HMAC signature, which this hook asks for:", "Secret: {secret}", *names])


ADAPTER = Adapter(
    name="grafana",
    title="Grafana",
    error=Refusal,
    doors=(
        Door(
            "/hooks/grafana/<hook_id>",
            tolerant(read),
            accepted(),
            shape=delivery(
                "Take a webhook of Grafana.",
                {"alerts": [{"status": "firing", "labels": {"alertname": "DiskFull"}}]},
            ),
        ),
        Door(
            "/hooks/grafana/<hook_id>",
            tolerant(read),
            accepted(),
            method="PUT",
            shape=delivery(
                "Take a webhook of Grafana that is set to PUT.",
                {"alerts": [{"status": "firing", "labels": {"alertname": "DiskFull"}}]},
            ),
        ),
    ),
    refuse=refuse,
    owns=("/hooks/grafana",),
    signed=Signed(
        verify=verify,
        advice=ADVICE,
        advise=advise,
        unproven="Neither the secret nor the signature holds.",
        proofs=(*SECRET, signature("X-Grafana-Alerting-Signature")),
        options={"signature_header": header, "timestamp_header": header, "ignore_alertnames": words},
    ),
)
