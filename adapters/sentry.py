"""Sentry: issues, alerts, comments and user feedback by webhook. Wire format: docs/dialects/sentry.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from adapters import signatures
from adapters.alerts import (
    body_of,
    moment_of,
    object_of,
    objects_of,
    one_line,
    present,
    text_of,
    url_of,
    word_of,
)
from adapters.contract import (
    Adapter,
    Author,
    Door,
    Fault,
    Hook,
    Inbound,
    Record,
    Signed,
    State,
    invalid,
    tolerant,
)
from adapters.text import first_line, list_of

LEVELS = {"fatal": 5, "error": 4, "warning": 3, "info": 1, "debug": 1}
METRIC_SEVERITY = {"critical": 5, "open": 4, "warning": 3, "resolved": None}
ACTIONS = {"archived": "ignored"}  # Sentry's pages say the one, its code the other
ISSUE_STATES: dict[str, State] = {
    "created": "triggered",
    "unresolved": "triggered",
    "resolved": "resolved",
    "ignored": "suppressed",
}
SIGNATURES = ("sentry-hook-signature", "sentry-app-signature")
MOST_TAGS, TAG_LENGTH, LONGEST_KEY = 100, 200, 500

Json = Mapping[str, Any]


def read(inbound: Inbound) -> list[Record]:
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
    issue_id, culprit = _needed(issue, "id"), text_of(issue, "culprit")
    metadata, details = object_of(issue, "metadata"), object_of(issue, "statusDetails")
    value = text_of(metadata, "value") or text_of(issue, "title")
    happened = _moment(issue, "lastSeen", "firstSeen")
    if action == "unresolved":  # by hand there is no new event: lastSeen is then older than the resolution
        happened = max(happened or 0, _sent_at(inbound)) or None
    content = [word_of(issue, "lastSeen"), *([_digest(details)] if details else [])]
    subject = {
        "url": url_of(issue, "web_url", "permalink"),
        "issue_id": issue_id,
        "short_id": word_of(issue, "shortId"),
        "culprit": culprit,
    }
    names = {
        "project": word_of(object_of(issue, "project"), "slug"),
        "platform": word_of(issue, "platform"),
        "category": word_of(issue, "issueCategory"),
    }
    title = text_of(issue, "title") or value or culprit or f"Sentry issue {issue_id}"
    record = Record(
        title=one_line(title),
        text="\n".join(dict.fromkeys(filter(None, (value, culprit)))) or title,
        type="alert",
        kind=f"issue.{action}",
        severity=LEVELS.get(text_of(issue, "level")),
        subject=present(subject),
        tags=_tags(list(names.items())),
        external_id=issue_id,
        occurred_at=happened,
        dedupe_key=":".join(["issue", issue_id, action, *(content if action != "created" else [])]),
        incident_key=f"issue:{issue_id}",
        state=ISSUE_STATES[action],
    )
    if "feedback" not in (issue.get("issueCategory"), issue.get("issueType")):
        return [record]
    # What becomes of its issue at Sentry says nothing of the message.
    return _message(record, metadata) if action == "created" else []


def read_event_alert(inbound: Inbound, action: str, data: Json) -> list[Record]:
    if action != "triggered":
        return []
    event = _part(data, "event")
    rule = word_of(data, "triggered_rule") or word_of(object_of(data, "issue_alert"), "title")
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
    event_id = word_of(event, "event_id", "id")
    return _event(event, f"legacy:{event_id}:{rule}" if event_id else None, "legacy", sent, rule)


def read_metric_alert(inbound: Inbound, action: str, data: Json) -> list[Record]:
    if action not in METRIC_SEVERITY:
        return []
    metric = _part(data, "metric_alert")
    metric_id, rule = _needed(metric, "id"), object_of(metric, "alert_rule")
    title = text_of(data, "description_title") or text_of(rule, "name") or f"Metric alert {metric_id}"
    # A resolution comes once, whatever its times say.
    key = [
        "metric_alert",
        metric_id,
        action,
        *([] if action == "resolved" else [word_of(metric, "date_detected")]),
    ]
    subject = {
        "url": url_of(data, "web_url"),
        "environment": word_of(rule, "environment"),
        "metric_alert_id": metric_id,
        "rule": word_of(rule, "name"),
    }
    return [
        Record(
            title=one_line(title),
            # Sentry's own example has the two characters \n where a line ends.
            text=text_of(data, "description_text").replace("\\n", "\n") or title,
            type="alert",
            kind=f"metric_alert.{action}",
            severity=METRIC_SEVERITY[action],
            subject=present(subject),
            author=_actor(inbound),
            tags=_tags([("project", slug) for slug in list_of(metric, "projects")]),
            external_id=metric_id,
            occurred_at=_moment(metric, "date_detected"),
            dedupe_key=":".join(key),
            incident_key=f"metric_alert:{metric_id}",
            state="resolved" if action == "resolved" else "triggered",
        )
    ]


def read_comment(inbound: Inbound, action: str, data: Json) -> list[Record]:
    """A remark in the history of its issue."""
    if action != "created":
        return []
    comment_id, issue_id = _needed(data, "comment_id"), _needed(data, "issue_id")
    words = text_of(data, "comment")
    if not words:
        return []
    return [
        Record(
            title=first_line(words),
            text=words,
            kind="comment.created",
            severity=LEVELS["info"],
            subject={"issue_id": issue_id, "comment_id": comment_id},
            author=_actor(inbound),
            tags=_tags([("project", word_of(data, "project_slug"))]),
            external_id=comment_id,
            occurred_at=_moment(data, "timestamp"),
            dedupe_key=f"comment:{comment_id}:{action}:{word_of(data, 'timestamp')}",
            incident_key=f"issue:{issue_id}",
            state="note",
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
    issue_id, event_id = word_of(outer, "id") or _issue_id(event), word_of(event, "event_id")
    words = text_of(outer, "message") or _words(event)
    culprit = text_of(event, "culprit") or text_of(outer, "culprit")
    named = text_of(event, "title") or words or culprit
    title = named or f"Sentry issue {issue_id}"
    subject = {
        "url": url_of(event, "web_url") or url_of(outer, "url"),
        "environment": word_of(event, "environment") or tagged.get("environment"),
        "release": word_of(event, "release") or tagged.get("sentry:release") or tagged.get("release"),
        "issue_id": issue_id,
        "event_id": event_id,
        "culprit": culprit,
        "rule": rule,
    }
    level = text_of(outer, "level") or text_of(event, "level") or tagged.get("level", "")
    record = Record(
        title=one_line(title),
        text=words or title,
        type="alert",
        kind=kind,
        severity=LEVELS.get(level),
        subject=present(subject),
        author=_user(event, tagged.get("user", "")),
        tags=_tags([*tags, ("project", word_of(outer, "project_slug", "project"))]),
        external_id=issue_id or event_id or None,
        occurred_at=_moment(event, "datetime", "timestamp", "received"),
        dedupe_key=key,
        incident_key=f"issue:{issue_id}" if issue_id else None,
        state="triggered" if issue_id else None,
    )
    if feedback := object_of(object_of(event, "contexts"), "feedback"):
        return _message(record, feedback)
    if not (named or issue_id):
        raise invalid(Fault("title", "Required"))
    return [record]


def _message(record: Record, feedback: Json) -> list[Record]:
    """The record of a person's words; without any there is nothing to keep, as at Sentry."""
    words, user = text_of(feedback, "message"), record.author
    if not words:
        return []
    about = {name: word_of(feedback, name) for name in ("associated_event_id", "source", "replay_id")}
    name, email = word_of(feedback, "name") or user.name, word_of(feedback, "contact_email") or user.email
    subject = {**record.subject, "culprit": None, "page": url_of(feedback, "url"), **about}
    author = Author(user.id, name, email)
    message = replace(record, text=words, subject=present(subject), author=author, severity=LEVELS["info"])
    # Each feedback is an issue of its own, of which issue.created and an alert rule may both tell.
    key = f"feedback:{record.external_id}:{_digest(words)}" if record.incident_key else record.dedupe_key
    return [replace(message, type="message", dedupe_key=key, incident_key=None, state=None)]


def _words(event: Json) -> str:
    """What an event says: the first of its several messages that is there, else its last exception."""
    logged, older = object_of(event, "logentry"), object_of(event, "sentry.interfaces.Message")
    values = objects_of(object_of(event, "exception"), "values")
    raised = [text_of(values[-1], "type"), text_of(values[-1], "value")] if values else []
    said = [text_of(part, "formatted", "message") for part in (logged, older)]
    said = [text_of(event, "message"), *said, text_of(object_of(event, "metadata"), "value")]
    return next(filter(None, said), ": ".join(filter(None, raised)))


def _issue_id(event: Json) -> str:
    """The issue's id, which older versions show only within an address."""
    addresses = f"{text_of(event, 'issue_url')} {text_of(event, 'web_url')}"
    found = re.search(r"/issues/(\d{1,20})\b", addresses, re.ASCII)
    return word_of(event, "issue_id") or (found[1] if found else "")


def _user(event: Json, tagged: str) -> Author:
    """The event's user; one known only by an address or by the tag `user` has that as id, as at Sentry."""
    user = object_of(event, "user") or object_of(event, "sentry.interfaces.User")
    user_id, name, email = word_of(user, "id"), word_of(user, "username", "name"), word_of(user, "email")
    if not (user_id or name or email):
        user_id = f"ip:{word_of(user, 'ip_address')}" if word_of(user, "ip_address") else tagged
    return Author(user_id or None, name or None, email or None)


def _actor(inbound: Inbound) -> Author:
    """The person who acted, if it was one."""
    actor = object_of(body_of(inbound), "actor")
    if actor.get("type") != "user":
        return Author()
    return Author(word_of(actor, "id") or None, text_of(actor, "name") or None)


def _pairs(tags: list[Any]) -> list[tuple[str, str]]:
    """An event's tags, each a pair of key and value; whatever else is in the array is left out."""
    pairs = [item for item in tags if isinstance(item, list) and len(item) == 2]
    return [(key, value) for key, value in pairs if isinstance(key, str) and isinstance(value, str)]


def _tags(pairs: list[tuple[str, Any]]) -> tuple[str, ...]:
    words = (
        f"{key}:{value}"[:TAG_LENGTH] for key, value in pairs if key and isinstance(value, str) and value
    )
    return tuple(dict.fromkeys(words))[:MOST_TAGS]


def _moment(sent: Json, *names: str) -> int | None:
    """The first of these times, an ISO text or seconds since the epoch, in milliseconds UTC."""
    for value in (sent.get(name) for name in names):
        if isinstance(value, str) and (found := moment_of(value)) is not None:
            return found
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 250_000_000_000:
            return round(value * 1000)
    return None


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
    if not word_of(sent, name):
        raise invalid(Fault(name, "Required"))
    return word_of(sent, name)


ADVICE = """\
In Sentry: Settings > Custom Integrations > the internal integration whose Client Secret this hook has.
  Webhook URL: {url}
  Alert Rule Action: on. Permissions: Issue & Event: Read. Webhooks: issue, comment.
Then add the integration as an action to your alert rules.
The legacy WebHooks plugin does not sign: for it make a hook with --unsigned and paste that hook's URL."""

ADAPTER = Adapter(
    name="sentry",
    doors=(Door("/hooks/sentry/<hook_id>", tolerant(read), signatures.accepted()),),
    refuse=signatures.refuse,
    owns=("/hooks/sentry",),
    signed=Signed(verify=verify, advice=ADVICE, new_secret=None, may_be_unsigned=True),
)
