"""datadog: monitors and events through Datadog's Webhooks integration. docs/dialects/datadog.md.

The body is whatever template the operator pasted, with $VARIABLES filled in: read here are Datadog's
default, the recommended one below, and flat or nested templates with the usual names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from adapters.common.plain_text import one_line
from adapters.common.severities import severity_of, unknown_word
from adapters.common.signatures import delivery, hook_adapter, refuse_retryable, same, shows_secret
from adapters.common.times import believable, moment_of
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_url,
    form_of,
    json_in,
    looks_like_json,
    present,
)
from adapters.contract import Fault, Hook, Inbound, Refused, Signed, invalid
from adapters.contract.description import SECRET, Proof
from adapters.contract.record import Author, Record, State

TEMPLATE = {
    "schema": "datadog/1",
    "event_id": "$ID",
    "title": "$EVENT_TITLE",
    "text": "$TEXT_ONLY_MSG",
    "markdown": "$EVENT_MSG",
    "event_type": "$EVENT_TYPE",
    "date": "$DATE",
    "last_updated": "$LAST_UPDATED",
    "aggreg_key": "$AGGREG_KEY",
    "link": "$LINK",
    "tags": "$TAGS",
    "env": "$TAGS[env]",
    "service": "$TAGS[service]",
    "hostname": "$HOSTNAME",
    "user": "$USER",
    "username": "$USERNAME",
    "email": "$EMAIL",
    "priority": "$PRIORITY",
    "snapshot": "$SNAPSHOT",
    "alert": {
        "id": "$ALERT_ID",
        "title": "$ALERT_TITLE",
        "transition": "$ALERT_TRANSITION",
        "type": "$ALERT_TYPE",
        "priority": "$ALERT_PRIORITY",
        "status": "$ALERT_STATUS",
        "metric": "$ALERT_METRIC",
        "query": "$ALERT_QUERY",
        "scope": "$ALERT_SCOPE",
        "cycle_key": "$ALERT_CYCLE_KEY",
    },
    "org": {"id": "$ORG_ID", "name": "$ORG_NAME"},
}
# Names that templates use, with nested ones joined by an underscore; the first that says something counts.
NAMES: dict[str, tuple[str, ...]] = {
    "id": ("event_id", "id"),
    "title": ("alert_title", "event_title", "title"),
    "text": ("text_only_msg", "text", "body", "message", "event_msg", "markdown"),
    "date": ("date", "event_date", "timestamp", "last_updated"),
    "link": ("link", "url", "event_link", "alert_url"),
    "transition": ("alert_transition", "transition"),
    "priority": ("alert_priority", "severity", "monitor_priority", "priority"),
    "type": ("alert_type",),
    "story": ("aggreg_key", "aggregation_key", "aggregate", "alert_cycle_key", "cycle_key"),
    "monitor": ("alert_id", "monitor_id"),
    "scope": ("alert_scope", "scope", "scopes"),
    "environment": ("env", "environment"),
    "tags": ("tags", "event_tags"),
}
SUBJECT = {
    "event_type": ("event_type",),
    "scope": NAMES["scope"],
    "service": ("service",),
    "hostname": ("hostname", "host"),
    "metric": ("alert_metric", "metric"),
    "query": ("alert_query", "query"),
    "alert_status": ("alert_status",),
    "snapshot": ("snapshot",),
    "organisation": ("org_name",),
}
STATES: dict[str, State] = {
    "triggered": "triggered",
    "re-triggered": "triggered",
    "warn": "triggered",
    "re-warn": "triggered",
    "no data": "triggered",
    "re-no data": "triggered",
    "recovered": "resolved",
}
REMINDER = "renotify"  # the monitor says again what it has said
TYPES = {"error": 4, "warning": 3, "success": 1, "info": 1}
TEST = (
    "[TEST]"  # among the prefixes of what the Test Notifications button sends; a monitor's name may hold it
)

MISSING = re.compile(r"(?:null|None|\$[A-Z][A-Z0-9_]*(?:\[[^\]]*\])?)?")
WORDS = "|".join(sorted((*STATES, REMINDER), key=len, reverse=True))
PREFIXES = re.compile(rf"\A\s*(?:\[(?:P[0-5]|TEST|(?:{WORDS})(?: on \{{.*?\}})?)\]\s*)*", re.IGNORECASE)
WORD_IN_PREFIX = re.compile(rf"\[({WORDS})\b", re.IGNORECASE)
PRIORITY_IN_PREFIX = re.compile(r"\[(P[0-5])\]", re.IGNORECASE)
MONITOR_IN_URL = re.compile(r"/monitors[/#](\d{1,20})", re.ASCII)
STATUS_LINK = re.compile(r"\[Monitor Status\]\((https?://[^\s()]+)\)")
FOOTER = re.compile(r"^[ \t]*\[\[[^\n]*\]\([^\n]*$", re.MULTILINE)
IMAGE = re.compile(r"\[?!\[[^\[\]\n]*\]\([^\s()]*\)(?:\]\([^\s()]*\))?")
RULE = re.compile(r"^[ \t]*-(?: ?-){2,}[ \t]*$", re.MULTILINE)
MENTION = re.compile(r"(?<![\w.@/-])@[\w.+-]*\w(?:@[\w.-]*\w)?")

ADVICE = """\
In Datadog, Integrations > Webhooks, make a webhook:

URL: {url}
Custom headers: {{"Authorization": "Bearer {secret}"}}
(better: put the secret into a hidden custom variable and write its $NAME there)
Payload:
""" + json.dumps(TEMPLATE, indent=2).replace("{", "{{").replace("}", "}}")


def read(inbound: Inbound) -> list[Record]:
    sent = _flat(inbound)
    title, text = _pick(sent, "title"), _plain(_pick(sent, "text"))
    if not title and not text:
        raise invalid(Fault("title", "Required"))
    titles = [_given(sent, name) for name in NAMES["title"]]
    prefixes = " ".join(_split(title)[0] for title in titles)
    found = WORD_IN_PREFIX.search(prefixes)
    transition = _pick(sent, "transition") or (found[1] if found else "")
    if TEST in prefixes.upper() or transition.lower() == REMINDER:
        return []

    title = one_line(_split(title)[1]) or one_line(title or text)
    body = _raw_text(sent)
    status = STATUS_LINK.search(body)
    url = first_url({"url": _pick(sent, "link")}, "url") or (status[1] if status else "")
    tags = _tags(sent)
    # An unknown transition is history: it says neither that the trouble began nor that it ended.
    state = STATES.get(transition.lower(), "note") if transition else None
    in_url = MONITOR_IN_URL.search(f"{url} {body}")
    monitor = _pick(sent, "monitor") or (in_url[1] if in_url else "")
    scoped = f"{monitor}:{_pick(sent, 'scope')}".strip(":") if monitor else ""
    story = (_pick(sent, "story") or scoped) if state else ""
    event_id = _pick(sent, "id") or hashlib.sha256(inbound.body).hexdigest()[:32]
    subject = {
        "url": url,
        "environment": _pick(sent, "environment") or _environment(tags),
        "transition": transition,
        "monitor_id": monitor,
        **{name: _first(sent, names) for name, names in SUBJECT.items()},
    }
    severity = _severity(sent, prefixes)
    return [
        Record(
            title=title,
            text=text or title,
            type="alert",
            kind=_given(sent, "event_type") or None,
            severity=severity,
            severity_word=unknown_word(_first(sent, NAMES["priority"][:-1])) if severity is None else None,
            subject=present(subject),
            author=_author(sent),
            tags=tags,
            external_id=_pick(sent, "id") or None,
            occurred_at=_moment(_pick(sent, "date")),
            dedupe_key=f"{event_id}:{transition}" if transition else event_id,
            incident_key=story or None,
            state=state if story else None,
            counts=not transition.lower().startswith("re-"),  # says again what it has said
        )
    ]


def verify(inbound: Inbound, hook: Hook) -> bool:
    """The secret as bearer, as basic auth's password, or as the whole value of X-Gateway-Secret."""
    given = inbound.headers.get("x-gateway-secret")
    if given is not None:
        return any(same(given, secret) for secret in hook.secrets)
    return shows_secret(inbound, hook)


def _flat(inbound: Inbound) -> dict[str, Any]:
    """The payload with lower-case names, nested ones joined: alert.id, alert[id] and alert_id are one."""
    if looks_like_json(inbound) or b"=" not in inbound.body:
        sent = body_of(inbound)
    else:
        sent = {name: _unpacked(inbound, value) for name, value in form_of(inbound).items()}
    flat: dict[str, Any] = {}
    for name, value in sent.items():
        if isinstance(value, dict):
            flat.update({f"{name}_{inner}".lower(): part for inner, part in value.items()})
    named = {re.sub(r"[.\[]", "_", name.lower()).rstrip("]"): value for name, value in sent.items()}
    return flat | {name: value for name, value in named.items() if not isinstance(value, dict)}


def _unpacked(inbound: Inbound, value: str) -> Any:
    """A form's field that holds a JSON object, as that object."""
    try:
        return json_in(inbound, value) if value.startswith("{") else value
    except Refused:
        return value


def _given(sent: Mapping[str, Any], name: str) -> str:
    """A variable's value; "" for those that had none, which arrive as nothing, null, None or $NAME."""
    value = first_scalar(sent, name)
    return "" if MISSING.fullmatch(value) else value


def _first(sent: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((value for value in (_given(sent, name) for name in names) if value), "")


def _pick(sent: Mapping[str, Any], what: str) -> str:
    texts = {name: value for name, value in sent.items() if isinstance(value, str)}
    return _first(texts if what in ("title", "text") else sent, NAMES[what])


def _raw_text(sent: Mapping[str, Any]) -> str:
    """Every text of the message, markdown too, for the links in it."""
    return "\n".join(_given(sent, name) for name in NAMES["text"])


def _split(title: str) -> tuple[str, str]:
    """A title's prefixes in brackets, such as `[P1] [Triggered on {host:a}] `, and the rest."""
    rest = PREFIXES.sub("", title, count=1)
    return title[: len(title) - len(rest)], rest


def _plain(text: str) -> str:
    """A message without what Datadog wraps it in: %%% marks, mentions, snapshot and the footer of links.

    Text without %%% is the text-only message and stays as it is.
    """
    if "%%%" not in text:
        return text
    text = RULE.sub("", FOOTER.sub("", text.replace("%%%", "")))
    text = MENTION.sub("", IMAGE.sub("", text))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in text.splitlines())).strip()


def _severity(sent: Mapping[str, Any], prefix: str) -> int | None:
    """P1..P5 of the monitor, else the alert's type; $PRIORITY, which is normal or low, is never meant."""
    for name in NAMES["priority"]:
        word = _given(sent, name)
        severity = severity_of(word) if name != "priority" or re.fullmatch("[Pp][0-5]", word) else None
        if severity is not None:
            return severity
    found = PRIORITY_IN_PREFIX.search(prefix)
    return TYPES.get(_pick(sent, "type").lower(), severity_of(found[1]) if found else None)


def _tags(sent: Mapping[str, Any]) -> tuple[str, ...]:
    """Tags, separated by commas with or without spaces, each once."""
    listed = next((sent[name] for name in NAMES["tags"] if isinstance(sent.get(name), list)), None)
    words = _pick(sent, "tags").split(",") if listed is None else [w for w in listed if isinstance(w, str)]
    return tuple(dict.fromkeys(word.strip() for word in words if not MISSING.fullmatch(word.strip())))


def _environment(tags: tuple[str, ...]) -> str:
    found = (tag.partition(":")[2] for tag in tags if tag.startswith(("env:", "environment:")))
    return next(found, "")


def _author(sent: Mapping[str, Any]) -> Author:
    """Who posted the event, if a person did."""
    user, username, email = (_given(sent, name) or None for name in ("user", "username", "email"))
    return Author(id=username, name=user or username, email=email)


def _moment(text: str) -> int | None:
    """Epoch milliseconds, epoch seconds or an ISO time."""
    if re.fullmatch(r"\d{12,14}", text, re.ASCII):
        return believable(int(text))
    return believable(int(text) * 1000) if re.fullmatch(r"\d{9,10}", text, re.ASCII) else moment_of(text)


ADAPTER = hook_adapter(
    "datadog",
    "Datadog",
    read,
    shape=delivery(
        "Take a webhook of Datadog.",
        {"id": "8001", "title": "[Triggered] Basket queue is full", "alert_transition": "Triggered"},
    ),
    refuse=refuse_retryable,
    signed=Signed(
        verify=verify,
        advice=ADVICE,
        unproven="No header shows the secret of this hook.",
        proofs=(*SECRET, Proof("header", "X-Gateway-Secret")),
    ),
)
