"""Replies to the message of Discord that somebody reported, by the bot of its hook (option `bot_token`).

Wire facts: docs.discord.com, "Message resource", "Create Message" (POST /channels/:id/messages with
`Bot TOKEN`, 200; content of 2,000 characters; a message_reference makes it a reply, also when what it names
is gone; allowed_mentions; of a nonce of 25 characters that is enforced one message is made within some
minutes) and "Rate limits" (429 with Retry-After). What was said by a command or a form is no message.
"""

from __future__ import annotations

from typing import Any

from gateway.background.fetch_credentials import hook_token
from gateway.core.mail import NotSent
from gateway.replies.channel import Channel, Row
from gateway.replies.in_issues import escaped
from gateway.replies.in_slack import UNARMED
from gateway.replies.posting import not_sent, post

API = "https://discord.com/api/v10"
SERVER = "discord.com"
LONGEST = 2_000  # characters, as they are sent
LONGEST_NONCE = 25  # characters
TOO_LONG = "Discord takes 2,000 characters at most, of which each sign counts twice"


def _lacks(record: Row) -> str:
    subject = record["subject"]
    if record["source"] != "discord":
        return "the record is not from Discord"
    if not (
        str(subject.get("channel_id", "")).isdecimal() and str(subject.get("message_id", "")).isdecimal()
    ):
        return "the record names no message of Discord's"
    if hook_token(record["id"], "bot_token") is None:
        return UNARMED
    return ""


def _refuses(text: str) -> str:
    return TOO_LONG if len(escaped(text).encode("utf-16-le", "replace")) // 2 > LONGEST else ""


def _shown(row: Row, record: Row) -> dict[str, Any]:
    return {"to": record["subject"].get("channel_id"), "subject": None, "text": row["text"]}


def _send(row: Row, record: Row) -> str:
    subject, token = record["subject"], hook_token(record["id"], "bot_token")
    if token is None:
        raise NotSent(UNARMED, permanent=False)
    sent = {
        "content": escaped(row["text"]),
        "message_reference": {"message_id": subject["message_id"], "fail_if_not_exists": False},
        "allowed_mentions": {"parse": []},
        "nonce": row["id"][-LONGEST_NONCE:],
        "enforce_nonce": True,
    }
    url = f"{API}/channels/{subject['channel_id']}/messages"
    answer = post(url, {"Authorization": f"Bot {token}"}, sent)
    if answer.status != 200:
        passes = answer.status in (408, 429) or answer.status >= 500
        raise not_sent(f"Discord answered {answer.status}", answer, passes=passes)
    return ""


DISCORD = Channel(
    "discord", _lacks, lambda record: None, lambda record: SERVER, _shown, _send, refuses=_refuses
)
