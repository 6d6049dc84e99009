"""zulip: messages to a bot that is an outgoing webhook. docs/dialects/zulip.md.

Wire facts: zulip.com/api/outgoing-webhooks and zulip.com/api/outgoing-webhook-payload; the `token` in the
body proves where it comes from.
"""

from __future__ import annotations

import re

from marshmallow import fields

from adapters.common.plain_text import first_line
from adapters.common.signatures import hook_adapter, same, shows_secret
from adapters.common.tags import PRIVATE, marked, tags
from adapters.common.times import moment_or_seconds
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    needed_object,
    object_of,
    present,
)
from adapters.contract import Hook, Inbound, Refused, Reply, Signed
from adapters.contract.description import SECRET, Shape, Shown
from adapters.contract.record import Author, Record, Saved

CHANNEL = re.compile(r"#\*\*([^*|]{1,200})\*\*")
MENTION = re.compile(r"@_?\*\*([^*|]{1,120})(?:\|\d{1,20})?\*\*")

UPLOAD = re.compile(r"\]\((/user_uploads/[^\s()]{1,500})\)")
HOST = re.compile(r"[\w.-]{1,200}\.[a-z]{2,20}", re.ASCII | re.IGNORECASE)

ADVICE = """\
In Zulip, Personal settings > Bots, add a bot of the type Outgoing webhook:

Endpoint URL: {url}
Outgoing webhook message format: Generic

The secret of this hook must be the bot's token, which its zuliprc shows. Give it, unless you already have:

feedback-gateway hook rotate {hook_id} --secret THE_TOKEN"""


class Silent(Shown):
    response_not_required = fields.Boolean()


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    message = needed_object(sent, "message")
    bot = first_text(sent, "bot_full_name")
    words = first_text(sent, "data") or first_text(message, "content")
    # The bot's own name is how it was called, other people's are part of what is said.
    said = MENTION.sub(lambda found: "" if found[1] == bot else f"@{found[1]}", words).strip()
    if not said:
        return []
    said = CHANNEL.sub(lambda found: "#" + found[1].replace(">", " > "), said)
    # A file's address has no host; a bot's own address is one of its realm's host.
    host = first_text(sent, "bot_email").rpartition("@")[2]
    if HOST.fullmatch(host):
        said = UPLOAD.sub(lambda found: f"](https://{host}{found[1]})", said)
    channel, topic = first_text(message, "display_recipient"), first_text(message, "subject")
    direct, number = first_text(message, "type") in ("private", "direct"), first_scalar(message, "id")
    realm = first_text(message, "sender_realm_str")
    record = [
        Record(
            text=said,
            title=first_line(said),
            type="chat",
            kind="message",
            subject=present(
                {
                    "realm": realm,
                    "message_id": number,
                    "channel_id": first_scalar(message, "stream_id"),
                    "topic": topic,
                }
            ),
            author=Author.of(
                first_scalar(message, "sender_id"),
                first_text(message, "sender_full_name"),
                first_text(message, "sender_email"),
            ),
            tags=tags(channel=channel, topic=topic),
            occurred_at=moment_or_seconds(message.get("timestamp")),
            external_id=number or None,
            # A server's numbers begin at 1, and its name for itself may be empty.
            dedupe_key=f"{inbound.params.get('hook_id', '')}:{realm}:{number}" if number else None,
        )
    ]
    return marked(record, PRIVATE if direct else "")


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    """That nothing is to be posted: with no such answer Zulip tells the bot's owner of a failure."""
    return Reply(200, {"response_not_required": True})


def verify(inbound: Inbound, hook: Hook) -> bool:
    """The token in the body, which is this bot's alone; else what is in the address that Zulip was given."""
    if inbound.headers.get("authorization"):
        return shows_secret(inbound, hook)
    try:
        given = first_text(object_of(body_of(inbound)), "token")
    except Refused:
        return False
    return any(same(given, secret) for secret in hook.secrets)


ADAPTER = hook_adapter(
    "zulip",
    "Zulip",
    read,
    reply=reply,
    shape=Shape(
        summary="Take a message to a bot of Zulip.",
        answers={200: Silent},
        example={
            "token": "in-the-body",
            "data": "It is slow",
            "message": {"id": 1, "content": "It is slow"},
        },
    ),
    signed=Signed(
        verify=verify,
        advice=ADVICE,
        unproven="Neither the token nor the password is that of this hook.",
        proofs=SECRET,
        conceals=("token",),
    ),
)
