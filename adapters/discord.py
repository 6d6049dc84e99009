"""Discord: slash commands, reported messages and modals of an application.

Wire format: docs/dialects/discord.md. One address serves interactions and Webhook Events, which
number their types differently; they are told apart by shape.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from marshmallow import fields

from adapters.common.discord_files import given_with, linked_in
from adapters.common.discord_words import given_in, name_of, names_in, words_of
from adapters.common.hook_options import access_token, flag
from adapters.common.plain_text import first_line
from adapters.common.signatures import hook_adapter, is_fresh
from adapters.common.tags import PRIVATE, marked, tags
from adapters.common.times import moment_of
from adapters.common.untrusted_json import int_of, needed_text, object_of, present, text_of
from adapters.contract import Fault, Hook, Inbound, Refused, Reply, Signed, invalid
from adapters.contract.description import Shape, Shown, signature, whole
from adapters.contract.record import Author, Record, Saved

PING, COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 1, 2, 3, 4, 5  # types of interactions
SLASH, USER, MESSAGE, ENTRY_POINT = 1, 2, 3, 4  # types of commands
EVENT_PING = 0  # of Webhook Events, whose type 1 is an event

KEY = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
SIGNATURE = re.compile(r"[0-9a-fA-F]{128}", re.ASCII)
HEADING = re.compile(r"\A\s*+(?:#{1,3}|-#|>)[ \t]++")  # of Markdown: no part of a title
SNOWFLAKE = re.compile(r"\d{1,20}", re.ASCII)
SNOWFLAKE_EPOCH = 1_420_070_400_000  # 2015-01-01, milliseconds
ONLY_THEM = 64  # the flag of an answer that nobody else sees

THANKS = "Thanks, your feedback is recorded."
NOTHING = "There was nothing to record: please say it in words."


def read(inbound: Inbound) -> list[Record]:
    sent = _sent(inbound)
    kind = int_of(sent, "type")
    if _is_event(sent) or kind in (PING, COMPONENT, AUTOCOMPLETE):
        return []
    data = object_of(sent, "data")
    if kind == MODAL:
        return marked(_modal(sent, data), _visibility(sent))
    if kind == COMMAND and int_of(data, "type") == SLASH:
        return marked(_slash(sent, data), _visibility(sent))
    if kind == COMMAND and int_of(data, "type") == MESSAGE:
        return marked(_reported(sent, data, inbound.options), _visibility(sent))
    if kind == COMMAND and int_of(data, "type") in (USER, ENTRY_POINT):
        return []  # points at a person or opens an activity: no words
    raise invalid(Fault("type", "Unknown kind of interaction"))


def _visibility(sent: dict[str, Any]) -> str:
    """Whether it was said in a direct message or a private thread. Source: Discord's page on interactions,
    contexts 1 and 2 (bot's and other direct messages), and channel types 1, 3 and 12."""
    direct = int_of(sent, "context") in (1, 2) or ("user" in sent and "guild_id" not in sent)
    return PRIVATE if direct or int_of(sent, "channel", "type") in (1, 3, 12) else ""


class Response(Shown):
    """An interaction response."""

    sometimes = ("data",)
    type = whole()
    data = fields.Dict()


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    """What Discord asks for each type, without which the person sees that the command failed."""
    try:
        sent = _sent(inbound)
    except Refused:
        return Reply(200)
    kind = int_of(sent, "type")
    if _is_event(sent):
        return Reply(204)
    if kind == PING:
        return Reply(200, {"type": 1})
    if kind == COMPONENT:
        return Reply(200, {"type": 6})
    if kind == AUTOCOMPLETE:
        return Reply(200, {"type": 8, "data": {"choices": []}})
    if kind not in (COMMAND, MODAL):
        return Reply(200)
    said = THANKS if any(one.outcome != "quarantined" for one in saved) else NOTHING
    return Reply(
        200, {"type": 4, "data": {"content": said, "flags": ONLY_THEM, "allowed_mentions": {"parse": []}}}
    )


PUBLIC_KEY = re.compile(r"[0-9A-Fa-f]{64}")


def verify(inbound: Inbound, hook: Hook) -> bool:
    """Ed25519 over the time as written and the raw body; the secret is the application's public key."""
    time = inbound.headers.get("x-signature-timestamp", "")
    given = inbound.headers.get("x-signature-ed25519", "")
    if not is_fresh(time, inbound) or not SIGNATURE.fullmatch(given):
        return False
    signed, signature = time.encode() + inbound.body, bytes.fromhex(given)
    return any(_signed_with(secret, signature, signed) for secret in hook.secrets)


def _signed_with(public_key: str, signature: bytes, signed: bytes) -> bool:
    if not KEY.fullmatch(public_key):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, signed)
    except (InvalidSignature, ValueError):  # a wrong signature, or a key that is no point
        return False
    return True


def sent_at(snowflake: str) -> int | None:
    """Milliseconds since the epoch that an id carries; interactions have no other time."""
    if not SNOWFLAKE.fullmatch(snowflake):
        return None
    return (int(snowflake) >> 22) + SNOWFLAKE_EPOCH


def _sent(inbound: Inbound) -> dict[str, Any]:
    sent = inbound.json
    if not isinstance(sent, dict):
        raise invalid(Fault("body", "Expected an object"))
    return sent


def _is_event(sent: dict[str, Any]) -> bool:
    """Whether this is Webhook Events' ping or event: installs and entitlements, no feedback."""
    return int_of(sent, "type") == EVENT_PING or (int_of(sent, "type") == 1 and "event" in sent)


def _slash(sent: dict[str, Any], data: dict[str, Any]) -> list[Record]:
    name, words = needed_text(data, "name"), given_in(data)
    if not words:
        return []
    record = _record(sent, words, f"/{name} {first_line(words)}", "command", command=name)
    return [replace(record, files=given_with(data))]


def _modal(sent: dict[str, Any], data: dict[str, Any]) -> list[Record]:
    form, words = needed_text(data, "custom_id"), given_in(data)
    if not words:
        return []
    record = _record(sent, words, f"{form} / {first_line(words)}", "modal", custom_id=form)
    return [replace(record, files=given_with(data))]


def _reported(sent: dict[str, Any], data: dict[str, Any], options: dict[str, Any]) -> list[Record]:
    """A message that somebody picked out; its author is who wrote it, not who picked it."""
    target = needed_text(data, "target_id")
    message = object_of(data, "resolved", "messages").get(target)
    if not isinstance(message, dict):
        raise invalid(Fault("data.resolved.messages", "Expected the message of target_id"))
    if object_of(message, "author").get("bot") is True and options.get("ignore_bots") is True:
        return []
    names, ours = names_in(data, message), text_of(sent, "application_id")
    words = words_of(message, names)
    if not words:
        raise invalid(Fault("data.resolved.messages", "Expected words in the message"))
    begins = text_of(message, "content").lstrip().startswith((f"<@{ours}>", f"<@!{ours}>"))
    title = words.removeprefix("@" + names.get(ours, ours)).lstrip(" ,:") if begins else words
    record = _record(sent, words, title or words, "message", command=text_of(data, "name"))
    guild = text_of(sent, "guild_id") or "@me"
    channel = text_of(sent, "channel_id") or needed_text(message, "channel_id")
    url = f"https://discord.com/channels/{guild}/{channel}/{target}"
    reporter = {"reporter_id": record.author.id, "reporter_name": record.author.name}
    return [
        replace(
            record,
            subject=present({**record.subject, "url": url, "message_id": target, **reporter}),
            author=_author(object_of(message, "author")),
            external_id=target,
            occurred_at=moment_of(text_of(message, "timestamp")) or sent_at(target),
            dedupe_key=f"{guild}:{channel}:{target}",  # the same message, whoever reports it
            files=linked_in(message),
        )
    ]


def _record(sent: dict[str, Any], words: str, title: str, kind: str, **named: str) -> Record:
    """What the kinds of submissions share; `named` says what was used to send it."""
    guild, channel, own = text_of(sent, "guild_id"), text_of(sent, "channel_id"), text_of(sent, "id")
    url = channel and f"https://discord.com/channels/{guild or '@me'}/{channel}"
    user = object_of(sent, "member", "user") or object_of(sent, "user")  # in a server, in a direct message
    return Record(
        text=words,
        title=first_line(HEADING.sub("", title, count=1)),
        type="chat",
        kind=kind,
        subject=present({"url": url, "guild_id": guild, "channel_id": channel, **named}),
        author=_author(user),
        tags=tags(guild_id=guild, channel_id=channel, **named, locale=sent.get("locale")),
        external_id=own or None,
        occurred_at=sent_at(own),
        dedupe_key=own or None,
    )


def _author(user: dict[str, Any]) -> Author:
    return Author.of(text_of(user, "id"), name_of(user))


ADAPTER = hook_adapter(
    "discord",
    "Discord",
    read,
    reply=reply,
    shape=Shape(
        summary="Take an interaction or an event of Discord.",
        answers={200: (Response, None), 204: None},
        example={"type": 1, "application_id": "100", "id": "1", "token": "t", "version": 1},
    ),
    signed=Signed(
        verify=verify,
        proofs=(signature("X-Signature-Ed25519", "X-Signature-Timestamp"),),
        conceals=("token",),  # with which anybody may answer for the application
        new_secret=None,  # Discord makes the key pair
        unusable=lambda key: (
            "" if PUBLIC_KEY.fullmatch(key) else "Must be a public key: 64 hexadecimal digits"
        ),
        options={"ignore_bots": flag, "bot_token": access_token},
        sealed=("bot_token",),
        advice=(
            "At discord.com/developers/applications open your application. The secret of this hook must be "
            "its Public Key, under General Information. Then paste {url} there as the Interactions Endpoint "
            "URL and save: Discord checks it at once."
        ),
    ),
)
