"""Discord: a channel's webhook, which can change what it has posted.

The message is one embed, of 6,000 characters in all, 256 of a title and 4,096 of a description
(discord.com/developers/docs/resources/message#embed-object-embed-limits). It mentions nobody:
`allowed_mentions` is empty. `wait` has the message answered, so that it can be changed later
(discord.com/developers/docs/resources/webhook); how long to wait after a 429 is said in seconds, with
fractions, in the body (discord.com/developers/docs/topics/rate-limits).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from gateway.destinations import message_text
from gateway.destinations.chat_post import answered, checking, post_json, waiting
from gateway.destinations.kind import Answer, Delivery, Kind
from gateway.destinations.markdown_text import Markdown
from gateway.destinations.message import Message
from models.database.base import dumps
from models.tables.feedback import iso

TITLE, DESCRIPTION, LONGEST = 256, 4_096, 6_000  # characters

_HOOK = re.compile(
    r"https://(?:(?:ptb|canary)\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d{15,20}/[\w-]{20,100}"
    r"(?:\?thread_id=\d{15,20})?",
    re.ASCII,
)
_INSTEAD = (
    "must be a webhook, https://discord.com/api/webhooks/ID/TOKEN without /slack or /github behind it: "
    "the channel's settings, Integrations, Webhooks have it"
)
MARKDOWN = Markdown("\\`*_[]~|<>")


def write(message: Message) -> str:
    """The payload."""
    return dumps(message_text.fitted(message, _payload, _fits))


def send(delivery: Delivery) -> Answer:
    """One attempt: anew, or by changing the first message of the thread as long as that is there."""
    address, _, query = delivery.url.partition("?")
    if delivery.earlier is not None:
        changed = f"{address}/messages/{delivery.earlier}" + (f"?{query}" if query else "")
        answer = _told(post_json(changed, delivery.headers, delivery.body, method="PATCH"))
        if answer.status != 404:
            return answer
    new = f"{address}?{'&'.join(filter(None, ('wait=true', query)))}"
    return _told(post_json(new, delivery.headers, delivery.body))


def _payload(message: Message, most: int) -> dict[str, Any]:
    embed = {
        "title": MARKDOWN.line(message_text.subject_of(message), TITLE),
        "description": MARKDOWN.text(message.parts, most),
        "color": message_text.color_of(message),
        "timestamp": iso(message.at),
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _fits(payload: dict[str, Any]) -> bool:
    embed = payload["embeds"][0]
    title, description = (message_text.utf16(embed[name]) for name in ("title", "description"))
    return description <= DESCRIPTION and title + description <= LONGEST


def _told(answer: Answer) -> Answer:
    said = answered(answer)
    if answer.is_taken:
        return replace(answer, reference=said["id"] if isinstance(said.get("id"), str) else None)
    return waiting(answer, said.get("retry_after"))


KIND = Kind("discord", send, write=write, check=checking(_HOOK.fullmatch, _INSTEAD))
