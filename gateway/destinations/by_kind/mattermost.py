"""Mattermost: an incoming webhook, on any host.

The message is one attachment of Markdown (developers.mattermost.com/integrate/reference/message-attachments),
in which mentions count: there are none but those that are broken. Servers before 5.0 take 7,900 characters of
attachments, as they write them; later ones more.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.destinations import message_text
from gateway.destinations.chat_post import checking, post_json
from gateway.destinations.kind import Answer, Delivery, Kind
from gateway.destinations.markdown_text import Markdown
from gateway.destinations.message import Message
from models.database.base import dumps

LONGEST, SUBJECT = 7_600, 250  # characters

_HOOK = re.compile(r"https?://[^/?]+(?:/[\w.~-]+)*/hooks/[a-z0-9]{26}", re.ASCII)
_INSTEAD = (
    "must be an incoming webhook, https://YOUR-SERVER/hooks/ and 26 letters and digits: "
    "make one under Integrations, Incoming Webhooks"
)
MARKDOWN = Markdown("\\`*_[]~|>")


def write(message: Message) -> str:
    """The payload."""
    return dumps(message_text.fitted(message, _payload, _fits))


def send(delivery: Delivery) -> Answer:
    """One attempt."""
    return post_json(delivery.url, delivery.headers, delivery.body)


def _payload(message: Message, most: int) -> dict[str, Any]:
    subject = message_text.subject_of(message)
    shown = {
        "fallback": message_text.cut(subject, SUBJECT),
        "color": f"#{message_text.color_of(message):06X}",
        "text": f"**{MARKDOWN.line(subject, SUBJECT)}**\n\n{MARKDOWN.text(message.parts, most)}",
    }
    return {"attachments": [shown]}


def _fits(payload: dict[str, Any]) -> bool:
    written = dumps(payload)
    return len(written) + sum(5 * written.count(sign) for sign in "<>&") <= LONGEST  # Go writes \u003c


KIND = Kind("mattermost", send, write=write, check=checking(_HOOK.fullmatch, _INSTEAD))
