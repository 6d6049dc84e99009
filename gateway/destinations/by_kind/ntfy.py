"""ntfy: a topic on ntfy.sh or a server of one's own.

It is published as JSON to the server's root (docs.ntfy.sh/publish/#publish-as-json), without Markdown. A
message has 4,096 bytes, a title 1 kB (docs.ntfy.sh/publish/#limitations). Messages of a thread have the same
sequence id, by which a later one takes the place of the first from ntfy 2.16 on; before that both are shown.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from gateway.destinations import message_text
from gateway.destinations.chat_post import checking, post_json
from gateway.destinations.kind import Answer, Delivery, Kind
from gateway.destinations.message import Message
from models.database.base import dumps

LONGEST, TITLE = 4_000, 250  # bytes
PRIORITIES = ((11, 5), (8, 4))  # from this impact on: max and high; 3 is the default
CALM = 2  # of what is over

_TOPIC = re.compile(r"https?://[^/?]+/[A-Za-z0-9_-]{1,64}")
_INSTEAD = "must be a topic, https://ntfy.sh/TOPIC, or one of your own server's, without anything behind it"
_SEQUENCE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def write(message: Message) -> str:
    """The payload, but for the topic, which is in the address."""
    return dumps(message_text.fitted(message, _payload, _fits))


def send(delivery: Delivery) -> Answer:
    """One attempt."""
    url = urlsplit(delivery.url)
    body = {"topic": url.path.strip("/"), **json.loads(delivery.body)}
    return post_json(f"{url.scheme}://{url.netloc}/", delivery.headers, dumps(body))


def _payload(message: Message, most: int) -> dict[str, Any]:
    subject = message_text.in_one_line(message.subject) or "Feedback"
    title = message_text.cut(subject, TITLE, size=message_text.octets)
    links = message_text.links_of(message)
    sent: dict[str, Any] = {
        "title": title,
        "message": message_text.plain_text(message, most).strip() or title,
        "priority": CALM if message.is_over else _priority(message.impact),
        "tags": ["white_check_mark" if message.is_over else "speech_balloon"],
    }
    if links:
        sent["click"] = links[0].url
    if _SEQUENCE.fullmatch(message.thread):
        sent["sequence_id"] = message.thread
    return sent


def _priority(impact: int) -> int:
    return next((priority for least, priority in PRIORITIES if impact >= least), 3)


def _fits(sent: dict[str, Any]) -> bool:
    return message_text.octets(sent["message"]) <= LONGEST


KIND = Kind("ntfy", send, write=write, check=checking(_TOPIC.fullmatch, _INSTEAD))
