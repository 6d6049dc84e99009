"""Slack: an incoming webhook, or a bot's token with a channel, which can change what it has posted.

Blocks and their limits are those of docs.slack.dev/reference/block-kit/blocks: 50 in a message, a header of
150 characters, a text of 3,000. All texts are `plain_text`, in which Slack parses neither markup nor mentions
nor links. What is answered say docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
docs.slack.dev/reference/methods/chat.postMessage.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.core import slack
from gateway.core.slack import escaped
from gateway.destinations import message_text
from gateway.destinations.chat_post import answered, checking, post_json
from gateway.destinations.kind import Answer, Delivery, Kind
from gateway.destinations.message import Entries, Facts, Heading, Link, Message, Paragraph, Part, Quote
from models.database.base import dumps

HEADER, TEXT, BUTTON, BLOCKS = 150, 3_000, 75, 50
LONGEST = 12_000  # characters of all blocks: some 13,200 are too many (slackapi/bolt-js, issue 2509)

_HOOK = re.compile(r"https://hooks\.slack(?:-gov)?\.com/services/\w+/\w+/\w+", re.ASCII)
_BOT = re.compile(r"(https://slack(?:-gov)?\.com/api/chat)\.postMessage\?channel=([CDG][A-Z0-9]{6,20})")
_INSTEAD = (
    "must be an incoming webhook, https://hooks.slack.com/services/..., or "
    "https://slack.com/api/chat.postMessage?channel=C... with the bot's token as the header Authorization"
)
# Why a message that was posted once can be changed no more, but followed.
_FIXED = ("edit_window_closed", "cant_update_message")


def write(message: Message) -> str:
    """The payload: blocks, and a plain text for notifications and where the blocks are refused."""
    return dumps(message_text.fitted(message, _payload, _fits))


def send(delivery: Delivery) -> Answer:
    """One attempt: anew, or by changing the first message of the thread where a bot posts."""
    sent = json.loads(delivery.body)
    if (bot := _bot(delivery.url)) is None:
        return _plain_if_refused(delivery, delivery.url, sent)
    api, channel = bot
    new = f"{api}.postMessage"
    if delivery.earlier is None:
        return _plain_if_refused(delivery, new, {"channel": channel, **sent})
    home, _, first = delivery.earlier.partition(":")
    changed = _plain_if_refused(delivery, f"{api}.update", {"channel": home, "ts": first, **sent})
    error = answered(changed).get("error")
    if error in _FIXED:
        told = _plain_if_refused(delivery, new, {"channel": home, "thread_ts": first, **sent})
        return replace(told, reference=delivery.earlier, note=f"follows the first message: {error}")
    if error == "message_not_found":
        return _plain_if_refused(delivery, new, {"channel": channel, **sent})
    return changed


def _payload(message: Message, most: int) -> dict[str, Any]:
    subject = message_text.subject_of(message)
    blocks = [_header(subject)]
    for part in message.parts:
        blocks += _blocks(part, min(most, TEXT))
    plain = f"{message_text.inert(subject)}\n{message_text.plain_text(message, most)}"
    quiet = {"mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
    return {"text": message_text.cut(plain, TEXT, escaped), "blocks": blocks, **quiet}


def _fits(payload: dict[str, Any]) -> bool:
    blocks = payload["blocks"]
    return len(blocks) <= BLOCKS and message_text.utf16(dumps(blocks)) <= LONGEST


def _blocks(part: Part, most: int) -> Iterator[dict[str, Any]]:
    match part:
        case Heading(text) if message_text.clean(text):
            yield _header(text)
        case Paragraph(text) | Quote(text) if message_text.clean(text):
            yield {"type": "section", "text": _text(text, most)}
        case Facts() if part.pairs:
            yield {"type": "context", "elements": [_text(message_text.facts_of(part), most)]}
        case Entries(entries):
            for entry in entries:
                section = {"type": "section", "text": _text(f"• {message_text.entry_of(entry)}", most)}
                link = message_text.web_url(entry.url)
                yield section | ({"accessory": _button("Open", link)} if link else {})
        case Link(label, url) if message_text.web_url(url):
            yield {"type": "actions", "elements": [_button(label, url)]}


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": _text(message_text.in_one_line(text), HEADER)}


def _button(label: str, url: str) -> dict[str, Any]:
    return {"type": "button", "text": _text(message_text.label_of(label), BUTTON), "url": url}


def _text(text: str, most: int) -> dict[str, Any]:
    shown = message_text.cut(text, most, lambda said: escaped(message_text.inert(said)))
    return {"type": "plain_text", "text": shown, "emoji": False}


def _bot(url: str) -> tuple[str, str] | None:
    """Where a bot's methods are, and its channel; None for an incoming webhook."""
    address, mark, channel = url.partition(".postMessage?channel=")
    return (address, channel) if mark else None


def _plain_if_refused(delivery: Delivery, url: str, sent: dict[str, Any]) -> Answer:
    """What is answered to a payload or, where its blocks are refused, to the same as a plain text."""
    answer = _told(post_json(url, delivery.headers, dumps(sent)))
    if answer.status != 400 and "blocks" not in (answer.why or ""):
        return answer
    plain = {name: value for name, value in sent.items() if name != "blocks"}
    if "ts" in sent:  # a message that is changed would keep those that it has
        plain["blocks"] = []
    refused = answer.why or answer.body.decode("utf-8", "replace")[:200]
    again = _told(post_json(url, delivery.headers, dumps(plain)))
    return replace(again, note=f"as plain text, as blocks were refused: {refused}")


def _told(answer: Answer) -> Answer:
    """An answer as it is meant: the Web API says 200 to everything, and what was wrong in the body."""
    said = slack.said_of(answer.status or 0, answer.body)
    if not answer.is_taken or said is None:
        return answer
    if said.error:
        return replace(answer, why=f"Slack says {said.error}{slack.HELP.get(said.error, '')}")
    return replace(answer, reference=f"{said.body.get('channel')}:{said.body.get('ts')}")


KIND = Kind(
    "slack",
    send,
    write=write,
    check=checking(lambda url: _HOOK.fullmatch(url) or _BOT.fullmatch(url), _INSTEAD),
)
