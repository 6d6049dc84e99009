"""Microsoft Teams: a Workflows webhook that posts an Adaptive Card 1.4.

The envelope is that of learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors (how-to/
connectors-using). A flow's action takes some 28 kB (learn.microsoft.com/connectors/teams), measured after the
flow has written it anew, so that 20 kB are sent at most. All texts are runs of RichTextBlocks, in which no
Markdown is parsed (adaptivecards.io/explorer/TextRun.html). The flow answers 202 before it posts anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.core.outbound import Forbidden
from gateway.destinations import message_text
from gateway.destinations.chat_post import checking, post_json
from gateway.destinations.kind import Answer, Delivery, Kind
from gateway.destinations.message import Entries, Facts, Heading, Message, Paragraph, Part, Quote
from models.database.base import dumps

LONGEST = 20_000  # bytes
SUBJECT, TITLE, LINES = 250, 60, 30  # characters of the subject and of a button, lines of a text
ACTIONS = 6

_FLOW = re.compile(
    r"https://[\w.-]+\.(?:logic\.azure\.(?:com|us|cn)|api\.powerplatform\.(?:com|us|cn)|"
    r"api\.gov\.powerplatform\.microsoft\.us)(?::443)?/[\w/.-]*workflows/\w+/triggers/[\w/.-]+\?[^#]*\bsig=[^#]+",
    re.ASCII,
)
_OLD = re.compile(r"https://(?:[\w-]+\.webhook\.office\.com|outlook\.office(?:365)?\.com/webhook)/", re.ASCII)
_MAKE = (
    "in the channel's menu choose Workflows, then Send webhook alerts to a channel, and give the address "
    "that it shows, https://....api.powerplatform.com/...&sig=..."
)
_INSTEAD = f"must be the address of a workflow: {_MAKE}"
_ENDED = f"is an Office 365 connector, which Microsoft has ended: {_MAKE}"
TAKEN = "taken by the flow, which posts it later: whether it did is in the flow's run history"


def write(message: Message) -> str:
    """The payload."""
    return dumps(message_text.fitted(message, _payload, _fits))


def send(delivery: Delivery) -> Answer:
    """One attempt. That a flow took it does not say that it was posted, which is noted."""
    answer = post_json(delivery.url, delivery.headers, delivery.body)
    return replace(answer, note=TAKEN) if answer.status == 202 else answer


def _payload(message: Message, most: int) -> dict[str, Any]:
    subject = message_text.in_one_line(message.subject) or "Feedback"
    body = [_block(message_text.cut(subject, SUBJECT), size="large", weight="bolder")]
    for part in message.parts:
        body += _blocks(part, most)
    actions = [_open(_short(link.label), link.url) for link in message_text.links_of(message)[:ACTIONS]]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": message_text.cut(subject, SUBJECT),
        "body": body,
        "actions": actions,
        "msteams": {"width": "Full"},
    }
    shown = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [shown]}


def _fits(payload: dict[str, Any]) -> bool:
    return message_text.octets(dumps(payload)) <= LONGEST


def _blocks(part: Part, most: int) -> Iterator[dict[str, Any]]:
    match part:
        case Heading(text):
            yield _block(message_text.cut(message_text.in_one_line(text), most), weight="bolder")
        case Paragraph(text):
            yield from _lines(text, most)
        case Quote(text) if message_text.clean(text):
            yield {"type": "Container", "style": "emphasis", "items": [*_lines(text, most)]}
        case Facts() if part.pairs:
            yield _block(message_text.cut(message_text.facts_of(part), most), isSubtle=True)
        case Entries(entries):
            for entry in entries:
                url = message_text.web_url(entry.url)
                more = {"selectAction": _open("Open", url)} if url else {}
                yield _block(f"• {message_text.cut(message_text.entry_of(entry), most)}", **more)


def _lines(text: str, most: int) -> Iterator[dict[str, Any]]:
    """A block a line, as a run has no line breaks; what is below the last one goes on in it."""
    lines = [line for line in message_text.cut(text, most).split("\n") if line.strip()]
    for line in [*lines[: LINES - 1], " ".join(lines[LINES - 1 :])]:
        if line:
            yield _block(line)


def _block(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **more}]}


def _open(title: str, url: str) -> dict[str, Any]:
    return {"type": "Action.OpenUrl", "title": title, "url": url}


def _short(label: str) -> str:
    return message_text.cut(message_text.in_one_line(label), TITLE)


_is_flow = checking(_FLOW.fullmatch, _INSTEAD)


def check(url: str) -> None:
    """Raises Forbidden for what is no workflow, and for the connectors that there were before."""
    if _OLD.match(url):
        raise Forbidden(_ENDED)
    _is_flow(url)


KIND = Kind("teams", send, write=write, check=check)
