"""What senders of alerts have in common: JSON read without trust, words for severity, Prometheus's alerts.

Alertmanager's webhook and Grafana's carry the same list of alerts; each entry becomes a record here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from adapters.contract import Fault, Inbound, Record, State, invalid
from adapters.payload import type_name
from adapters.times import milliseconds

TITLE_LENGTH = 200  # characters

# How bad it is, 5 worst; "none" and words that are not listed say nothing.
SEVERITY = {
    **dict.fromkeys(("critical", "crit", "fatal", "page", "emergency", "disaster", "p1", "sev1", "sev-1"), 5),
    **dict.fromkeys(("high", "error", "err", "major", "p2", "sev2", "sev-2"), 4),
    **dict.fromkeys(("medium", "warning", "warn", "minor", "p3", "sev3", "sev-3"), 3),
    **dict.fromkeys(("low", "p4", "sev4", "sev-4"), 2),
    **dict.fromkeys(("info", "information", "informational", "notice", "p5", "sev5", "sev-5"), 1),
}
STATES: dict[str, State] = {"firing": "triggered", "resolved": "resolved"}
ENVIRONMENT = ("env", "environment", "cluster", "namespace")  # labels, the first that is there counts


def text_of(sent: Mapping[str, Any], *names: str) -> str:
    """The first of these that is a text other than white space, stripped; "" when none is."""
    for name in names:
        value = sent.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def word_of(sent: Mapping[str, Any], *names: str) -> str:
    """As `text_of`, taking numbers for texts too: ids are written either way."""
    for name in names:
        value = sent.get(name)
        word = str(value) if type(value) in (str, int, float) else ""
        if word.strip():
            return word.strip()
    return ""


def url_of(sent: Mapping[str, Any], *names: str) -> str:
    """The first of these that is an http or https address; "" when none is."""
    texts = (text_of(sent, name) for name in names)
    return next((text for text in texts if re.match(r"https?://\S", text)), "")


def object_of(sent: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object of this name, empty when it is absent or something else."""
    value = sent.get(name)
    return value if isinstance(value, dict) else {}


def objects_of(sent: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects in the array of this name, without what else is in it."""
    value = sent.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def body_of(inbound: Inbound) -> dict[str, Any]:
    """The request's body, which must be a JSON object. Raises Refused (400)."""
    sent = inbound.json
    if not isinstance(sent, dict):
        raise invalid(Fault("body", f"Expected object, received {type_name(sent)}"))
    return sent


def one_line(text: str) -> str:
    """A title: white space as single spaces, cut with an ellipsis."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1] + "…"


def severity_of(word: str) -> int | None:
    """A sender's word for how bad it is as 1..5; None when it says nothing."""
    return SEVERITY.get(word.strip().lower())


def moment_of(text: str) -> int | None:
    """Milliseconds UTC of an ISO time (offsets and nanoseconds too); None for anything else.

    Also for the year 1, with which Go programs say that there is no time.
    """
    try:
        return milliseconds(text.strip().replace(" UTC", "+00:00"))
    except (ValueError, OverflowError):
        return None


def present(values: Mapping[str, Any]) -> dict[str, Any]:
    """A subject without what the sender left empty."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def option_words(options: Mapping[str, Any], name: str, default: Collection[str]) -> Collection[str]:
    """A hook option that lists words, as an array or with commas; the default when it is not given."""
    value = options.get(name)
    if isinstance(value, str):
        return [word.strip() for word in value.split(",")]
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else default


def labels_of(alert: Mapping[str, Any]) -> dict[str, str]:
    """An alert's labels by name, those with a value only."""
    labels = object_of(alert, "labels")
    return {name: word_of(labels, name) for name in sorted(labels) if word_of(labels, name)}


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """The fingerprint that Prometheus computes of labels: 64-bit FNV-1a over the sorted pairs, in hex.

    Senders before Alertmanager 0.19 leave it out; computed, a story survives their upgrade.
    """
    digest = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (name.encode(), labels[name].encode()):
            digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def alerts_in(sent: Mapping[str, Any], ignored: Collection[str]) -> Iterator[dict[str, Any]]:
    """The entries of alerts[], without those of the alert names that are to be ignored.

    Raises Refused (400) when alerts[] or an entry is something else.
    """
    alerts = sent.get("alerts")
    if not isinstance(alerts, list):
        wrong = f"Expected array, received {type_name(alerts)}" if "alerts" in sent else "Required"
        raise invalid(Fault("alerts", wrong))
    for index, alert in enumerate(alerts):
        if not isinstance(alert, dict):
            raise invalid(Fault(f"alerts.{index}", f"Expected object, received {type_name(alert)}"))
        if word_of(object_of(alert, "labels"), "alertname") not in ignored:
            yield alert


def alert_record(
    alert: Mapping[str, Any], group: Mapping[str, Any], *, url: str, more: Mapping[str, Any], body: str = ""
) -> Record:
    """The record of one alert, in the state that this alert is in, whatever its group's.

    `group` is the delivery, `url` the best address, `more` goes into the subject and `body` is the
    text of last resort. Raises Refused (400) for a status that is neither firing nor resolved, and
    for an alert that has no name.

    A firing alert is sent again at every repeat_interval; its dedupe key stays the same.
    """
    status = text_of(alert, "status") or text_of(group, "status")
    if status not in STATES:
        raise invalid(Fault("alerts.status", "Invalid enum value. Expected 'firing' | 'resolved'"))
    labels, annotations = labels_of(alert), object_of(alert, "annotations")
    title = text_of(annotations, "summary", "title") or labels.get("alertname", "")
    if not title:
        raise invalid(Fault("alerts.labels.alertname", "Required"))

    text = text_of(annotations, "description", "message") or body or title
    runbook = text_of(annotations, "runbook_url")
    starts_at, ends_at = text_of(alert, "startsAt"), text_of(alert, "endsAt")
    fingerprint = text_of(alert, "fingerprint") or fingerprint_of(labels)
    began = moment_of(starts_at)
    ended = moment_of(ends_at) if status == "resolved" else None
    truncated = group.get("truncatedAlerts")
    subject = {
        "url": url,
        "environment": next((labels[name] for name in ENVIRONMENT if name in labels), ""),
        "alertname": labels.get("alertname"),
        "fingerprint": fingerprint,
        "receiver": text_of(group, "receiver"),
        "group_key": word_of(group, "groupKey"),
        "runbook_url": runbook,
        "truncated_alerts": truncated if type(truncated) is int and truncated > 0 else None,
        **more,
    }
    return Record(
        title=one_line(title),
        text=f"{text}\n\nRunbook: {runbook}" if runbook and runbook not in text else text,
        type="alert",
        severity=severity_of(labels.get("severity", "")),
        subject=present(subject),
        tags=tuple(f"{name}:{value}" for name, value in labels.items()),
        external_id=fingerprint,
        occurred_at=began if ended is None else ended,
        # Without a start a new firing could not be told from the last one's reminder.
        dedupe_key=f"{fingerprint}:{starts_at}:{status}" if starts_at else None,
        incident_key=f"{fingerprint}:{starts_at}" if starts_at else fingerprint,
        state=STATES[status],
    )
