"""Answers in the thread of Slack that a record came from, by the bot of its hook (option `bot_token`).

Wire facts: docs.slack.dev, "chat.postMessage" (scope `chat:write`; thread_ts is the parent's ts; mrkdwn,
parse, link_names, metadata). Slack knows no key by which it takes a message once: the answer's id stands in
its metadata.
"""

from __future__ import annotations

from typing import Any

from gateway.background.fetch_credentials import hook_token
from gateway.core import slack
from gateway.core.mail import NotSent
from gateway.replies.channel import Channel, Row
from gateway.replies.posting import not_sent, post

SERVER = "slack.com"
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
    sent = {
        "channel": subject["channel_id"],
        "thread_ts": subject.get("thread_ts") or subject["ts"],
        "text": slack.escaped(row["text"]),
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {"event_type": METADATA, "event_payload": {"reply_id": row["id"]}},
    }
    answer = post(slack.POST, {"Authorization": f"Bearer {token}"}, sent)
    said = slack.said_of(answer.status, answer.body)
    if said is None:
        raise not_sent(f"Slack answered {answer.status} and no JSON of its own", answer, passes=True)
    if said.error:
        raise not_sent(f"Slack answered: {said.error}", answer, passes=said.passes)
    return ""


SLACK = Channel("slack", _lacks, lambda record: None, lambda record: SERVER, _shown, _send)
