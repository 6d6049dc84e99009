"""Answers in the thread of Slack that a record came from, by the bot of its hook (option `bot_token`).

Wire facts: docs.slack.dev, "chat.postMessage" (scope `chat:write`; thread_ts is the parent's ts; mrkdwn,
parse, link_names, metadata), "Formatting message text" (&, < and > are escaped) and "Rate limits" (429 with
Retry-After). Slack knows no key by which it takes a message once: the answer's id stands in its metadata.
"""

from __future__ import annotations

import json
from typing import Any

from gateway.background.fetch_credentials import hook_token
from gateway.core import outbound
from gateway.core.mail import NotSent
from gateway.core.outbound import Forbidden, Unreachable
from gateway.replies.channel import Channel, Row

SERVER = "slack.com"
POST = "https://slack.com/api/chat.postMessage"
# What Slack says of itself, and not of the message: the same one may be taken later.
PASSING = (
    "fatal_error",
    "internal_error",
    "ratelimited",
    "rate_limited",
    "request_timeout",
    "service_unavailable",
)
UNARMED = "its hook has no option bot_token, or GATEWAY_SECRET_KEY cannot open it"
METADATA = "feedback_reply"  # the event type under which the answer's id is kept with the message


def _lacks(record: Row) -> str:
    subject = record["subject"]
    if record["source"] != "slack":
        return "the record is not from Slack"
    if not (subject.get("channel_id") and subject.get("ts")):
        return "the record names no message of Slack's"
    if hook_token(record["id"], "bot_token") is None:
        return UNARMED
    return ""


def _shown(row: Row, record: Row) -> dict[str, Any]:
    return {"to": record["subject"].get("channel_id"), "subject": None, "text": row["text"]}


def _send(row: Row, record: Row) -> str:
    subject, token = record["subject"], hook_token(record["id"], "bot_token")
    if token is None:
        raise NotSent(UNARMED, permanent=False)
    escaped = row["text"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    sent = {
        "channel": subject["channel_id"],
        "thread_ts": subject.get("thread_ts") or subject["ts"],
        "text": escaped,
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {"event_type": METADATA, "event_payload": {"reply_id": row["id"]}},
    }
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=utf-8"}
    try:
        answer = outbound.request("POST", POST, headers, json.dumps(sent).encode())
    except (Forbidden, Unreachable) as error:
        raise NotSent(str(error), permanent=isinstance(error, Forbidden)) from None
    try:
        said = json.loads(answer.body)
        why = "" if said["ok"] is True else str(said["error"]).encode("utf-8", "replace").decode()
    except (ValueError, TypeError, KeyError):
        raise NotSent(f"Slack answered {answer.status} and no JSON of its own", permanent=False) from None
    if why:
        passes = answer.status == 429 or answer.status >= 500 or why in PASSING
        raise NotSent(f"Slack answered: {why[:100]}", permanent=not passes)
    return ""


SLACK = Channel("slack", _lacks, lambda record: None, lambda record: SERVER, _shown, _send)
