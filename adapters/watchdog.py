"""watchdog: a dead man's switch. What must be heard from, such as Prometheus's Watchdog, and its silence.

Wire facts: prometheus-operator/runbooks, general/Watchdog: it always fires, and belongs to a receiver that
alerts when it stops. In a delivery of Alertmanager it is resolved when Prometheus is silent.
What becomes what: docs/dialects/watchdog.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.common.hook_options import wrong
from adapters.common.plain_text import one_line
from adapters.common.signatures import delivery, hook_adapter, secret_or_address
from adapters.common.tags import tags_of
from adapters.common.times import moment_of
from adapters.common.untrusted_json import first_text, object_of, objects_of
from adapters.contract import Inbound, Refused, Signed, called_shortly
from adapters.contract.description import NOT_THE_SECRET, SECRET
from adapters.contract.record import Record, State

OPTION = "silence"  # of the hook: how long it may be silent, such as 15m
UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
USUAL, SHORTEST, LONGEST = 15 * UNITS["m"], 2 * UNITS["m"], 31 * UNITS["d"]  # milliseconds
LENGTH = re.compile(r"(\d{1,7}) ?([smhd])", re.ASCII)
WORST = 5

# What is repeated each minute is heard within the shortest silence.
STEPS = """

From Alertmanager, a route and a receiver for the alert that always fires:

  route:
    {{ matchers: ["alertname = Watchdog"], receiver: watchdog, group_interval: 30s, repeat_interval: 1m }}
  webhook_configs: [{{ url: "{url}"%s }}]

When nothing came for 15 minutes, or what the option silence says (--option silence=1h), that is an alert."""
ADVICE = """\
Let what must not fall silent send POST to {url} again and again, with the header
Authorization: Bearer {secret}"""
ADVICE += STEPS % ', http_config: {{ authorization: {{ credentials: "{secret}" }} }}'
UNSIGNED = "Let what must not fall silent send POST to {url} again and again." + STEPS % ""


def read(inbound: Inbound) -> list[Record]:
    """Nothing, as every delivery is a sign of life; but an alert that says itself that it has stopped."""
    try:
        sent = inbound.json
    except Refused:
        return []
    alerts = objects_of(sent, "alerts")
    if not alerts or any(first_text(alert, "status") != "resolved" for alert in alerts):
        return []
    ended = moment_of(first_text(alerts[0], "endsAt")) or inbound.received_at
    name = first_text(object_of(alerts[0], "labels"), "alertname") or "The watchdog"
    hook_id = inbound.params.get("hook_id", "")
    return [story(hook_id, f"{name} has stopped firing", ended, "triggered", f"stopped:{ended}")]


def silence_of(options: Mapping[str, Any]) -> int:
    """How long a hook may be silent, in milliseconds: from 2 minutes to 31 days; 15 minutes unless said."""
    return _milliseconds(options.get(OPTION)) or USUAL


def _milliseconds(value: Any) -> int | None:
    found = LENGTH.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    length = int(found[1]) * UNITS[found[2]] if found else 0
    return length if SHORTEST <= length <= LONGEST else None


def _silence(value: Any) -> str:
    """How long a hook may be silent."""
    if _milliseconds(value) is None:
        raise wrong("Must be a number with s, m, h or d, from 2m to 31d")
    return str(value)


def story(hook_id: str, words: str, at: int, state: State, key: str) -> Record:
    """The record of a silence, or of its end, `at` milliseconds UTC; `key` is its own in the hook."""
    return Record(
        text=words,
        title=one_line(words),
        type="alert",
        kind="silence",
        severity=WORST if state == "triggered" else None,
        tags=tags_of([("hook", called_shortly(hook_id))]),
        occurred_at=at,
        dedupe_key=f"{hook_id}:{key}",
        incident_key=hook_id,
        state=state,
    )


ADAPTER = hook_adapter(
    "watchdog",
    "Dead man's switch",
    read,
    shape=delivery("Take a sign of life, whatever it is.", {"status": "firing", "alerts": []}),
    signed=Signed(
        verify=secret_or_address,
        advice=ADVICE,
        proofs=SECRET,
        unsigned_advice=UNSIGNED,
        unproven=NOT_THE_SECRET,
        options={OPTION: _silence},
    ),
)
