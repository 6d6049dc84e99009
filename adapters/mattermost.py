"""mattermost: slash commands and outgoing webhooks. docs/dialects/mattermost.md.

Wire facts: developers.mattermost.com/integrate/slash-commands/custom and .../integrate/webhooks/outgoing. The
token stands in the body; commands show it as `Authorization: Token ...` too.
"""

from __future__ import annotations

import re
from typing import Any

from marshmallow import fields

from adapters.common.forms import sent_of
from adapters.common.plain_text import first_line
from adapters.common.signatures import hook_adapter, refuse_retryable, same, shows_secret
from adapters.common.tags import PRIVATE, marked, tags
from adapters.common.times import moment_or_seconds
from adapters.common.untrusted_json import first_scalar, first_text, object_of, present
from adapters.contract import Fault, Hook, Inbound, Refused, Reply, Signed, invalid
from adapters.contract.description import Proof, Shape, Shown, text
from adapters.contract.record import Author, Record, Saved

# How a direct message's channel is called: by the ids of both users. Source: mattermost, model/channel.go.
DIRECT = re.compile(r"[a-z0-9]{26}__[a-z0-9]{26}")
THANKS = "Thanks, your feedback is recorded."
USAGE = "Usage: {command} followed by your feedback, in your own words."

ADVICE = """\
In Mattermost, Integrations, add a slash command (or an outgoing webhook):

Request URL (or callback URL): {url}
Request method: POST

Mattermost then shows a token. Give it to this hook, unless you already have:

feedback-gateway hook rotate {hook_id} --secret THE_TOKEN"""


class Words(Shown):
    sometimes = ("text", "response_type")
    response_type = text("ephemeral")
    text = fields.String()


def read(inbound: Inbound) -> list[Record]:
    sent = _sent(inbound)
    if not ("command" in sent or "post_id" in sent or "trigger_word" in sent):
        # Buttons and dialogs of messages hold a context and no words.
        if "context" in sent or first_text(sent, "type") in ("dialog_submission", "dialog_cancellation"):
            return _dialog(inbound, sent)
        raise invalid(Fault("command", "Required, or post_id"))
    words, trigger = first_text(sent, "text"), first_text(sent, "trigger_word")
    said = words.removeprefix(trigger).strip() if trigger else words
    files = list(filter(None, first_text(sent, "file_ids").split(",")))
    if not said and files:
        raise invalid(Fault("text", "Expected words beside the files, of which only the ids are sent"))
    if not said:
        return []
    team, post = first_scalar(sent, "team_id"), first_scalar(sent, "post_id")
    command, channel = first_text(sent, "command"), first_text(sent, "channel_name")
    record = [
        Record(
            text=said,
            title=first_line(said),
            type="chat",
            kind="command" if command else "message",
            subject=present(
                {
                    "team_id": team,
                    "channel_id": first_scalar(sent, "channel_id"),
                    "post_id": post,
                    "command": command,
                    "file_ids": files[:20],
                }
            ),
            author=_author(sent),
            tags=tags(
                channel=channel,
                team=first_text(sent, "team_domain"),
                command=command,
                trigger=trigger,
            ),
            occurred_at=_moment(sent) or inbound.received_at,
            external_id=post or None,
            dedupe_key=f"{team}:{post}" if post else first_text(sent, "trigger_id") or None,
        )
    ]
    return marked(record, PRIVATE if DIRECT.fullmatch(channel) else "")


def _dialog(inbound: Inbound, sent: dict[str, Any]) -> list[Record]:
    """What was typed into a dialog; a button, and a dialog that was closed, say nothing."""
    said = [
        str(value).strip() for value in object_of(sent, "submission").values() if type(value) in (str, int)
    ]
    words = "\n".join(filter(None, said))
    if not words:
        return []
    return [
        Record(
            text=words,
            title=first_line(words),
            type="chat",
            kind="dialog_submission",
            subject=present({name: first_scalar(sent, name) for name in ("team_id", "channel_id")}),
            author=_author(sent),
            tags=tags(callback_id=first_text(sent, "callback_id")),
            occurred_at=inbound.received_at,
        )
    ]


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    """Words for whoever ran a command; nothing else is answered, since that would be posted."""
    try:
        sent = _sent(inbound)
    except Refused:
        return Reply(200, {})
    command = first_text(sent, "command")
    if not command:
        return Reply(200, {})
    said = THANKS if first_text(sent, "text") else USAGE.format(command=command)
    return Reply(200, {"response_type": "ephemeral", "text": said})


def verify(inbound: Inbound, hook: Hook) -> bool:
    """The token in the header, else the one in the body; dialogs have none, but what is in their address."""
    scheme, _, given = inbound.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return shows_secret(inbound, hook)
    if scheme.lower() != "token":
        try:
            given = first_text(_sent(inbound), "token")
        except Refused:
            return False
    return any(same(given.strip(), secret) for secret in hook.secrets)


def _sent(inbound: Inbound) -> dict[str, Any]:
    sent = sent_of(inbound)
    if not isinstance(sent, dict):
        raise invalid(Fault("body", "Expected an object"))
    return sent


def _moment(sent: dict[str, Any]) -> int | None:
    """The time of a post: milliseconds in JSON, seconds in a form."""
    word = first_scalar(sent, "timestamp")
    number = int(word) if word.isascii() and word.isdigit() and len(word) < 15 else 0
    return moment_or_seconds(number / 1000 if number > 10**11 else number)


def _author(sent: dict[str, Any]) -> Author:
    return Author.of(first_scalar(sent, "user_id"), first_text(sent, "user_name"))


ADAPTER = hook_adapter(
    "mattermost",
    "Mattermost",
    read,
    reply=reply,
    shape=Shape(
        summary="Take a command or an outgoing webhook of Mattermost.",
        answers={200: Words},
        example={"command": "/feedback", "text": "It is slow", "token": "t", "user_id": "u1"},
    ),
    refuse=refuse_retryable,
    signed=Signed(
        verify=verify,
        advice=ADVICE,
        unproven="Neither the token nor the password is that of this hook.",
        proofs=(
            Proof("header", "Authorization", "`Token` and the token."),
            Proof("basic", about="The token as the password; any user name."),
        ),
        conceals=("token", "response_url"),  # the latter is where anybody may answer in the channel
    ),
)
