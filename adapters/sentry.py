"""Sentry: issues, alerts, comments and user feedback by webhook. Wire format: docs/dialects/sentry.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from adapters.common import signatures
from adapters.common.hook_options import flag
from adapters.common.hosts import host_of
from adapters.common.markup import plain
from adapters.common.plain_text import first_line, one_line
from adapters.common.sentry_event import author_of, event_tags, sender_of
from adapters.common.sentry_words import evidence_of, failures_of, message_of, template_of
from adapters.common.severities import stated
from adapters.common.times import moment_or_seconds, stamp
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    first_url,
    list_of,
    needed,
    object_of,
    present,
)
from adapters.contract import Fault, Hook, Inbound, Signed, invalid
from adapters.contract.description import signature
from adapters.contract.record import ANY_SERVER, Author, Record, State

METRIC_SEVERITY = {"critical": 5, "open": 4, "warning": 3, "resolved": None}
ACTIONS = {"archived": "ignored"}  # Sentry's pages say the one, its code the other
ISSUE_STATES: dict[str, State] = {
    "created": "triggered",
    "unresolved": "triggered",
    "resolved": "resolved",
    "ignored": "suppressed",
}
SIGNATURES = ("sentry-hook-signature", "sentry-app-signature")
LONGEST_KEY = 500

Json = Mapping[str, Any]


def read(inbound: Inbound) -> list[Record]:
    return [replace(record, server=_server(record)) for record in _read(inbound)]


def _server(record: Record) -> str | None:
    """The host whose ids these are, by the record's address, which a comment has not."""
    host = host_of(str(record.subject.get("url", "")))
    return None if host == "sentry.io" or host.endswith(".sentry.io") else host or ANY_SERVER


def _read(inbound: Inbound) -> list[Record]:
    sent, resource = body_of(inbound), inbound.headers.get("sentry-hook-resource", "")
    if not resource and {"id", "project", "event"} <= sent.keys():
        return read_legacy(sent)
    if resource and resource not in RESOURCES:
        return []
    action, data = _needed(sent, "action"), _part(sent, "data")
    if not resource:  # a body alone, as in a preview
        resource = next((name for name, (part, _) in RESOURCES.items() if part in data), "")
    if not resource and isinstance(sent.get("installation"), dict):
        return []
    if not resource:
        raise invalid(Fault("Sentry-Hook-Resource", "Required"))
    return RESOURCES[resource][1](inbound, ACTIONS.get(action, action), data)


def read_issue(inbound: Inbound, action: str, data: Json) -> list[Record]:
    if action not in ISSUE_STATES:
        return []
    issue = _part(data, "issue")
    issue_id, culprit = _needed(issue, "id"), first_text(issue, "culprit")
    metadata, details = object_of(issue, "metadata"), object_of(issue, "statusDetails")
    value = first_text(metadata, "value") or first_text(issue, "title")
    happened = _moment(issue, "lastSeen", "firstSeen")
    # The issue's times are those of its events: when somebody changed its state is when Sentry sent it.
    if action != "created":
        happened = max(happened or 0, _sent_at(inbound)) or None
    content = [stamp(first_scalar(issue, "lastSeen")), *([_digest(details)] if details else [])]
    subject = {
        "url": first_url(issue, "web_url", "permalink"),
        "issue_id": issue_id,
        "short_id": first_scalar(issue, "shortId"),
        "culprit": culprit,
    }
    names = {
        "project": first_scalar(object_of(issue, "project"), "slug"),
        "platform": first_scalar(issue, "platform"),
        "category": first_scalar(issue, "issueCategory"),
    }
    title = first_text(issue, "title") or value or culprit or f"Sentry issue {issue_id}"
    record = Record(
        title=one_line(title),
        text="\n".join(dict.fromkeys(filter(None, (value, culprit)))) or title,
        type="alert",
        kind=f"issue.{action}",
        **stated(first_text(issue, "level")),
        subject=present(subject),
        tags=event_tags(list(names.items())),
        external_id=issue_id,
        occurred_at=happened,
        dedupe_key=":".join(["issue", issue_id, action, *(content if action != "created" else [])]),
        incident_key=f"issue:{issue_id}",
        state=ISSUE_STATES[action],
        counts=False,  # its events are what occurs
    )
    if "feedback" not in (issue.get("issueCategory"), issue.get("issueType")):
        return [record]
    # What becomes of its issue at Sentry says nothing of the message.
    return _message(record, metadata) if action == "created" else []


def read_event_alert(inbound: Inbound, action: str, data: Json) -> list[Record]:
    if action != "triggered":
        return []
    event = _part(data, "event")
    rule = first_scalar(data, "triggered_rule") or first_scalar(object_of(data, "issue_alert"), "title")
    key = f"event_alert:{_needed(event, 'event_id')}:{rule}"
    return _event(event, key, "event_alert.triggered", {}, rule)


def read_error(inbound: Inbound, action: str, data: Json) -> list[Record]:
    """Every single event of the organisation: only on request."""
    if action != "created" or inbound.options.get("errors") not in (True, "true"):
        return []
    error = _part(data, "error")
    return _event(error, f"error:{_needed(error, 'event_id')}", "error.created", {}, "")


def read_legacy(sent: Json) -> list[Record]:
    event, rules = _part(sent, "event"), sent.get("triggering_rules")
    rule = ", ".join(rule for rule in rules if isinstance(rule, str)) if isinstance(rules, list) else ""
    event_id = first_scalar(event, "event_id", "id")
    return _event(event, f"legacy:{event_id}:{rule}" if event_id else None, "legacy", sent, rule)


def read_metric_alert(inbound: Inbound, action: str, data: Json) -> list[Record]:
    if action not in METRIC_SEVERITY:
        return []
    metric = _part(data, "metric_alert")
    metric_id, rule = _needed(metric, "id"), object_of(metric, "alert_rule")
    title = first_text(data, "description_title") or first_text(rule, "name") or f"Metric alert {metric_id}"
    # The end has a time of its own. Source: Sentry's page "Metric alerts", integration platform webhooks.
    happened = _moment(metric, "date_detected", "date_started", "date_created")
    if action == "resolved":
        happened = _moment(metric, "date_closed") or _sent_at(inbound) or happened
    # A resolution comes once, whatever its times say.
    key = [
        "metric_alert",
        metric_id,
        action,
        *([] if action == "resolved" else [stamp(first_scalar(metric, "date_detected"))]),
    ]
    subject = {
        "url": first_url(data, "web_url"),
        "environment": first_scalar(rule, "environment"),
        "metric_alert_id": metric_id,
        "rule": first_scalar(rule, "name"),
    }
    return [
        Record(
            title=one_line(title),
            # Sentry's own example has the two characters \n where a line ends.
            text=first_text(data, "description_text").replace("\\n", "\n") or title,
            type="alert",
            kind=f"metric_alert.{action}",
            severity=METRIC_SEVERITY[action],
            subject=present(subject),
            author=_actor(inbound),
            tags=event_tags([("project", slug) for slug in list_of(metric, "projects")]),
            external_id=metric_id,
            occurred_at=happened,
            dedupe_key=":".join(key),
            incident_key=f"metric_alert:{metric_id}",
            state="resolved" if action == "resolved" else "triggered",
            occurrence=stamp(first_scalar(metric, "date_detected")) or None,
        )
    ]


def read_comment(inbound: Inbound, action: str, data: Json) -> list[Record]:
    """A remark in the history of its issue."""
    if action not in ("created", "updated", "deleted"):
        return []
    comment_id, issue_id = _needed(data, "comment_id"), _needed(data, "issue_id")
    if action == "deleted":
        return [Record(text="", comment=f"comment:{comment_id}", retracts=True)]
    words = plain(first_text(data, "comment"))
    if not words:
        return []
    # Its time may stay that of the beginning when it is changed.
    said = [stamp(first_scalar(data, "timestamp")), *([_digest(words)] if action == "updated" else [])]
    return [
        Record(
            title=first_line(words),
            text=words,
            kind=f"comment.{action}",
            subject={"issue_id": issue_id},
            author=_actor(inbound),
            tags=event_tags([("project", first_scalar(data, "project_slug"))]),
            external_id=comment_id,
            occurred_at=_moment(data, "timestamp"),
            dedupe_key=":".join(["comment", comment_id, action, *said]),
            incident_key=f"issue:{issue_id}",
            state="note",
            comment=f"comment:{comment_id}",
        )
    ]


# What Sentry-Hook-Resource names: the part of `data` that tells it without the header, and its reader.
# Any other resource (installation, seer, activity_alert, ...) is ignored.
RESOURCES: dict[str, tuple[str, Callable[[Inbound, str, Json], list[Record]]]] = {
    "issue": ("issue", read_issue),
    "event_alert": ("event", read_event_alert),
    "metric_alert": ("metric_alert", read_metric_alert),
    "error": ("error", read_error),
    "comment": ("comment_id", read_comment),
}
_is_signed = signatures.hex_header(*SIGNATURES)


def verify(inbound: Inbound, hook: Hook) -> bool:
    """Only hooks made for it take unsigned requests; a signature that is there must be good everywhere."""
    return _is_signed(inbound, hook) if any(name in inbound.headers for name in SIGNATURES) else hook.unsigned


def _event(event: Json, key: str | None, kind: str, outer: Json, rule: str) -> list[Record]:
    """An event of an issue; `outer` is what the legacy plugin writes around it."""
    if key is not None and len(key) > LONGEST_KEY:  # of many long rules
        key = f"{kind}:{_digest(key)}"
    tags = _pairs(list_of(event, "tags"))
    tagged = dict(reversed(tags))  # the first of a name counts
    issue_id, event_id = first_scalar(outer, "id") or _issue_id(event), first_scalar(event, "event_id")
    said = list(dict.fromkeys(filter(None, (first_text(outer, "message"), *_words(event)))))
    words = "\n".join(said)
    culprit = first_text(event, "culprit") or first_text(outer, "culprit")
    named = first_text(event, "title") or first_text(object_of(event, "occurrence"), "issueTitle")
    # A template is no name where its values are there.
    named = (named if named != template_of(event) else "") or next(iter(said), culprit)
    title = named or f"Sentry issue {issue_id}"
    subject = {
        "url": first_url(event, "web_url") or first_url(outer, "url"),
        "environment": first_scalar(event, "environment") or tagged.get("environment"),
        "release": first_scalar(event, "release") or tagged.get("sentry:release") or tagged.get("release"),
        "issue_id": issue_id,
        "event_id": event_id,
        "culprit": culprit,
        "rule": rule,
    }
    level = first_text(outer, "level") or first_text(event, "level") or tagged.get("level", "")
    record = Record(
        title=one_line(title),
        text=words or title,
        type="alert",
        kind=kind,
        **stated(level),
        subject=present(subject),
        author=_user(event, tagged.get("user", "")),
        tags=event_tags([*tags, ("project", first_scalar(outer, "project_slug", "project"))]),
        external_id=issue_id or event_id or None,
        occurred_at=_moment(event, "datetime", "timestamp", "received"),
        dedupe_key=key,
        incident_key=f"issue:{issue_id}" if issue_id else None,
        state="triggered" if issue_id else None,
        occurrence=event_id or None,  # of which several alert rules may tell
    )
    if feedback := object_of(object_of(event, "contexts"), "feedback"):
        return _message(record, feedback)
    if not (named or issue_id):
        raise invalid(Fault("title", "Required"))
    return [record]


def _message(record: Record, feedback: Json) -> list[Record]:
    """The record of a person's words; without any there is nothing to keep, as at Sentry."""
    words = first_text(feedback, "message")
    if not words:
        return []
    about = {name: first_scalar(feedback, name) for name in ("associated_event_id", "source", "replay_id")}
    subject = {**record.subject, "culprit": None, "page": first_url(feedback, "url"), **about}
    author = sender_of(feedback, record.author)
    # Level and title are the event's: how bad it is, the person's own words say.
    message = replace(record, title=first_line(words), text=words, severity=None, severity_word=None)
    message = replace(message, subject=present(subject), author=author)
    # Each feedback is an issue of its own, of which issue.created and an alert rule may both tell.
    key = f"feedback:{record.external_id}:{_digest(words)}" if record.incident_key else record.dedupe_key
    return [replace(message, type="message", dedupe_key=key, incident_key=None, state=None, occurrence=None)]


def _words(event: Json) -> list[str]:
    """What an event says: its message, else its exceptions, and what an occurrence shows as its evidence."""
    message = message_of(event) or first_text(object_of(event, "metadata"), "value")
    failures = failures_of(event)
    # The exception that the message tells of is not named twice, its causes are.
    known = failures[:1] if message and failures and message in failures[0] else []
    return [*filter(None, [message]), *(one for one in failures if one not in known), *evidence_of(event)]


def _issue_id(event: Json) -> str:
    """The issue's id, which older versions show only within an address."""
    addresses = f"{first_text(event, 'issue_url')} {first_text(event, 'web_url')}"
    found = re.search(r"/issues/(\d{1,20})\b", addresses, re.ASCII)
    return first_scalar(event, "issue_id") or (found[1] if found else "")


def _user(event: Json, tagged: str) -> Author:
    """The event's user; one known only by an address or by the tag `user` has that as id, as at Sentry."""
    user = object_of(event, "user") or object_of(event, "sentry.interfaces.User")
    address = first_scalar(user, "ip_address")
    author = author_of(user)
    return author if author != Author() else Author((f"ip:{address}" if address else tagged) or None)


def _actor(inbound: Inbound) -> Author:
    """The person who acted, if it was one."""
    actor = object_of(body_of(inbound), "actor")
    if actor.get("type") != "user":
        return Author()
    return Author.of(first_scalar(actor, "id"), first_text(actor, "name"))


def _pairs(tags: list[Any]) -> list[tuple[str, str]]:
    """An event's tags, each a pair of key and value; whatever else is in the array is left out."""
    pairs = [item for item in tags if isinstance(item, list) and len(item) == 2]
    return [(key, value) for key, value in pairs if isinstance(key, str) and isinstance(value, str)]


def _moment(sent: Json, *names: str) -> int | None:
    """The first of these times that is one."""
    moments = (moment_or_seconds(sent.get(name)) for name in names)
    return next((moment for moment in moments if moment is not None), None)


def _digest(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _sent_at(inbound: Inbound) -> int:
    """When Sentry sent the webhook, 0 when it does not say; not signed."""
    seconds = inbound.headers.get("sentry-hook-timestamp", "")
    return int(seconds) * 1000 if re.fullmatch(r"\d{1,11}", seconds, re.ASCII) else 0


def _part(sent: Json, name: str) -> Json:
    """The object that a delivery is about. Raises Refused."""
    if not isinstance(sent.get(name), dict):
        raise invalid(Fault(name, "Expected object"))
    return object_of(sent, name)


def _needed(sent: Json, name: str) -> str:
    """A word without which a delivery cannot be understood. Raises Refused."""
    return needed(first_scalar(sent, name), name)


ADVICE = """\
In Sentry: Settings > Custom Integrations > the internal integration whose Client Secret this hook has.
  Webhook URL: {url}
  Alert Rule Action: on. Permissions: Issue & Event: Read. Webhooks: issue, comment.
Then add the integration as an action to your alert rules.
The legacy WebHooks plugin does not sign: for it make a hook with --unsigned and paste that hook's URL."""
UNSIGNED = """\
In Sentry: the project's Settings > Legacy Integrations > WebHooks, enable the plugin.
  Callback URLs: {url}
Then add it as an action to your alert rules: Send a notification via WebHooks."""

ADAPTER = signatures.hook_adapter(
    "sentry",
    "Sentry",
    read,
    shape=signatures.delivery("Take a webhook of Sentry.", {"action": "created", "data": {}}),
    signed=Signed(
        verify=verify,
        advice=ADVICE,
        new_secret=None,
        unsigned_advice=UNSIGNED,
        options={"errors": flag},
        proofs=(signature("Sentry-Hook-Signature"),),
    ),
)
