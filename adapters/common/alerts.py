"""Prometheus's alerts: Alertmanager's webhook and Grafana's carry the same list of them.

Each entry becomes a record here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import count
from typing import Any

from adapters.common.group_members import read_each
from adapters.common.plain_text import first_line, one_line, without_status
from adapters.common.schemas import type_name
from adapters.common.severities import stated
from adapters.common.times import moment_of, stamp
from adapters.common.untrusted_json import first_scalar, first_text, list_of, object_of, present
from adapters.contract import Fault, Inbound, invalid
from adapters.contract.record import Record, State

STATES: dict[str, State] = {"firing": "triggered", "resolved": "resolved"}
SHARED = 1_000  # characters of what a delivery says of several alerts, and each of them keeps
SEVERITY = ("severity", "priority")  # labels, the first that is there counts
# Grafana's names for a rule that could not be evaluated; the rule's own is then in the label `rulename`.
# Source: grafana/grafana, pkg/services/ngalert/state/state.go and its page "No data and error states".
UNEVALUATED = ("DatasourceError", "DatasourceNoData")
OWN_PLACE = ("summary", "title", "description", "message")  # annotations
ENVIRONMENT = ("env", "environment", "cluster", "namespace")  # labels, the first that is there counts


def option_words(options: Mapping[str, Any], name: str, default: Collection[str]) -> Collection[str]:
    """A hook option that lists words, as an array or with commas; the default when it is not given."""
    value = options.get(name)
    if isinstance(value, str):
        return {word.strip() for word in value.split(",")}
    return {word for word in value if isinstance(word, str)} if isinstance(value, list) else default


def labels_of(alert: Mapping[str, Any]) -> dict[str, str]:
    """An alert's labels by name, those with a value only."""
    labels = object_of(alert, "labels")
    return {name: first_scalar(labels, name) for name in sorted(labels) if first_scalar(labels, name)}


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """The fingerprint that Prometheus computes of labels: 64-bit FNV-1a over the sorted pairs, in hex.

    Senders before Alertmanager 0.19 leave it out; computed, a story survives their upgrade.
    """
    digest = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (name.encode(), labels[name].encode()):
            digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def shared_by(sent: Mapping[str, Any]) -> dict[str, str | int]:
    """The texts and numbers that a delivery says of all its alerts, cut when several are to keep them."""
    several = len(list_of(sent, "alerts")) > 1
    return {
        name: value
        if type(value) is int and value < 2**63
        else first_scalar(sent, name)[: SHARED if several else None]
        for name, value in sent.items()
    }


def read_alerts(
    inbound: Inbound,
    sent: Mapping[str, Any],
    ignored: Collection[str],
    read: Callable[[Mapping[str, Any]], Record],
) -> list[Record]:
    """The records of the entries of alerts[], but for those of the alert names that are to be ignored.

    Raises Refused (400) when alerts[] is no array, or no entry can be read.
    """
    alerts = sent.get("alerts")
    if not isinstance(alerts, list):
        wrong = f"Expected array, received {type_name(alerts)}" if "alerts" in sent else "Required"
        raise invalid(Fault("alerts", wrong))

    at = count()

    def read_one(alert: Any) -> list[Record]:
        place = f"alerts.{next(at)}"
        if not isinstance(alert, dict):
            raise invalid(Fault(place, f"Expected object, received {type_name(alert)}"))
        return [] if first_scalar(object_of(alert, "labels"), "alertname") in ignored else [read(alert)]

    return read_each(inbound, alerts, read_one, lambda bad: {**sent, "alerts": bad})


def _others(annotations: Mapping[str, Any]) -> str:
    """`name: value` of the annotations that have no place of their own: none that is an address."""
    shown = [name for name in annotations if name not in OWN_PLACE and not name.startswith("__")]
    pairs = ((name, first_scalar(annotations, name)) for name in shown if not name.endswith(("_url", "_uid")))
    return "\n".join(f"{name}: {value}" for name, value in pairs if value)


def alert_record(
    alert: Mapping[str, Any],
    group: Mapping[str, Any],
    *,
    url: str,
    more: Mapping[str, Any],
    body: str = "",
    owner: str = "",
) -> Record:
    """The record of one alert, in the state that this alert is in, whatever its group's.

    `group` is what the delivery says of all (`shared_by`), `url` the best address, `more` goes into
    the subject and `body` is the text of last resort. `owner` is whose fingerprints they are. Raises
    Refused (400) for a status that is neither firing nor resolved, and for an alert that has no name.

    A firing alert is sent again at every repeat_interval; its dedupe key stays the same. Grafana 12 ends an
    alert with another startsAt than it began with (grafana/grafana#106065): `family` finds what it ends.
    """
    status = first_text(alert, "status") or first_text(group, "status")
    if status not in STATES:
        raise invalid(Fault("alerts.status", "Invalid enum value. Expected 'firing' | 'resolved'"))
    labels, annotations = labels_of(alert), object_of(alert, "annotations")
    name, said = labels.get("alertname", ""), first_text(annotations, "description", "message")
    others = _others(annotations)
    if name in UNEVALUATED:
        others = "\n".join(filter(None, (name, others)))
        name = labels.get("rulename") or name
    title = without_status(first_text(annotations, "summary", "title")) or name or first_line(said)
    if not title:
        raise invalid(Fault("alerts.labels.alertname", "Required"))

    text = said or body or others or title
    runbook = first_text(annotations, "runbook_url")
    starts_at, ends_at = first_text(alert, "startsAt"), first_text(alert, "endsAt")
    fingerprint = first_text(alert, "fingerprint") or fingerprint_of(labels)
    began, family = moment_of(starts_at), f"{owner}:{fingerprint}" if owner else fingerprint
    start = stamp(starts_at)
    ended = moment_of(ends_at) if status == "resolved" else None
    truncated = group.get("truncatedAlerts")
    subject = {
        "url": url,
        "environment": next((labels[name] for name in ENVIRONMENT if name in labels), ""),
        "alertname": labels.get("alertname"),
        "fingerprint": fingerprint,
        "receiver": first_text(group, "receiver"),
        "group_key": first_scalar(group, "groupKey"),
        "runbook_url": runbook,
        "truncated_alerts": truncated if type(truncated) is int and truncated > 0 else None,
        **more,
    }
    return Record(
        title=one_line(title),
        text=f"{text}\n\nRunbook: {runbook}" if runbook and runbook not in text else text,
        type="alert",
        **stated(next((labels[name] for name in SEVERITY if name in labels), "")),
        subject=present(subject),
        tags=tuple(f"{name}:{value}" for name, value in labels.items()),
        external_id=fingerprint,
        occurred_at=began if ended is None else ended,
        # Without a start a new firing could not be told from the last one's reminder.
        dedupe_key=f"{family}:{start}:{status}" if start else None,
        incident_key=f"{family}:{start}" if start else family,
        state=STATES[status],
        family=family,
    )
