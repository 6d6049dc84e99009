"""Slack: messages, mentions, reactions, slash commands, message shortcuts and modals.

Wire format: docs/dialects/slack.md. One address serves the Events API (JSON), slash commands (a
form) and interactivity (a form whose `payload` is JSON); they are told apart by what they hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from marshmallow import fields
from slack_sdk.signature import Clock, SignatureVerifier

from adapters.common.hook_options import words, wrong
from adapters.common.plain_text import first_line, slack_typed
from adapters.common.reactions import OPTION, is_vote
from adapters.common.signatures import hook_adapter, is_fresh, refuse_retryable
from adapters.common.slack_files import linked_in
from adapters.common.slack_words import answer, is_typed, words_of
from adapters.common.tags import PRIVATE, marked, tags
from adapters.common.untrusted_json import (
    form_of,
    json_in,
    looks_like_json,
    needed_text,
    object_of,
    objects_of,
    present,
    text_of,
)
from adapters.contract import Fault, Hook, Inbound, Refused, Reply, Signed, invalid
from adapters.contract.description import Shape, Shown, signature, text
from adapters.contract.record import Author, Record, Saved

# Subtypes that a person's words come in.
SPOKEN = ("", "file_share", "message_share", "thread_broadcast", "me_message")
UNSAID = (  # what is answered and holds no feedback
    *("url_verification", "app_rate_limited", "tokens_revoked"),
    *("shortcut", "block_actions", "block_suggestion", "view_closed"),
    # Buttons and menus of old attachments, dialogs before modals, and steps of workflows.
    *("interactive_message", "message_options", "dialog_cancellation", "dialog_suggestion"),
    *("workflow_step_edit", "workflow_step_execute", "function_executed"),
)
MENTION = re.compile(r"\A\s*+<@([A-Z0-9]{1,30})(?:\|([^<>]{1,100}))?>")
# How Slack names what not everybody of a workspace can read, as `channel_type` and as a channel's name.
# Source: Slack's pages on message events, slash commands and message shortcuts.
PRIVATE_TYPES = ("group", "im", "mpim", "app_home")
PRIVATE_NAMES = ("privategroup", "directmessage")
BOT_TOKEN = re.compile(r"xoxb-[\w-]{10,300}", re.ASCII)
TIMESTAMP = re.compile(r"(\d{1,11})\.(\d{1,9})", re.ASCII)

THANKS = "Thanks, your feedback is recorded."
USAGE = "Usage: {command} followed by your feedback, in your own words."


def read(inbound: Inbound) -> list[Record]:
    """With the hook's token the worker can fetch the files that a message links to; else it has the links."""
    records = _read(inbound)
    if "bot_token" not in inbound.options:
        for record in records:
            record.files = ()
    return records


def _read(inbound: Inbound) -> list[Record]:
    sent = _sent(inbound)
    kind = text_of(sent, "type")
    if "command" in sent or "ssl_check" in sent:
        return _command(inbound, sent)
    if isinstance(sent.get("event"), dict):
        return _event(inbound, sent, sent["event"])
    if kind == "message_action":
        return _shortcut(sent)
    if kind == "view_submission":
        return _modal(inbound, sent)
    if kind == "dialog_submission":
        return _dialog(inbound, sent)
    if kind == "url_verification":
        needed_text(sent, "challenge")
    if kind in UNSAID:
        return []
    raise invalid(Fault("type", f"Unknown kind of request: '{kind[:80]}'"))


class Challenge(Shown):
    challenge = text()


class Words(Shown):
    response_type = fields.String(metadata={"enum": ["ephemeral"]})
    text = fields.String()


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    """The challenge, words for whoever ran a command, else nothing: Slack acts on a modal's answer."""
    try:
        sent = _sent(inbound)
    except Refused:
        return Reply(200)
    challenge, command = text_of(sent, "challenge"), text_of(sent, "command")
    if text_of(sent, "type") == "url_verification" and challenge:
        return Reply(200, {"challenge": challenge})
    if "command" in sent and text_of(sent, "ssl_check") != "1":
        said = THANKS if text_of(sent, "text").strip() else USAGE.format(command=command)
        return Reply(200, {"response_type": "ephemeral", "text": said})
    return Reply(200)


def bot_token(value: Any) -> str:
    """A bot token of Slack's. Source: docs.slack.dev, "Tokens"."""
    if not isinstance(value, str) or not BOT_TOKEN.fullmatch(value):
        raise wrong("Must be a bot token, which begins with xoxb-")
    return value


def verify(inbound: Inbound, hook: Hook) -> bool:
    """Slack's own check, by the clock of the request: 300 s either way."""
    return any(_signed_with(secret, inbound) for secret in hook.secrets)


def _signed_with(secret: str, inbound: Inbound) -> bool:
    time, given = (inbound.headers.get(f"x-slack-{name}", "") for name in ("request-timestamp", "signature"))
    if not is_fresh(time, inbound) or not given.isascii():  # it raises for what is malformed
        return False
    verifier = SignatureVerifier(secret, _At(inbound.received_at / 1000))
    try:
        return verifier.is_valid(inbound.body, time, given)
    except UnicodeDecodeError:  # it takes text only
        return False


class _At(Clock):
    """A clock that stands still, at seconds since the epoch."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return self._seconds


def milliseconds(ts: str) -> int | None:
    """Milliseconds since the epoch of "seconds.micros", which is an id and never a float."""
    match = TIMESTAMP.fullmatch(ts)
    return int(match[1]) * 1000 + int(match[2][:3].ljust(3, "0")) if match else None


def _sent(inbound: Inbound) -> dict[str, Any]:
    """What came, as one object: JSON, a form, or the JSON in a form's `payload`."""
    if looks_like_json(inbound):
        sent = inbound.json
    else:
        sent = form_of(inbound)
        if "payload" in sent and "command" not in sent:
            sent = json_in(inbound, sent["payload"])
    if not isinstance(sent, dict):
        raise invalid(Fault("body", "Expected an object"))
    return sent


def _command(inbound: Inbound, sent: dict[str, Any]) -> list[Record]:
    text = slack_typed(text_of(sent, "text"))
    if text_of(sent, "ssl_check") == "1" or not text.strip():
        return []
    command = [
        Record(
            text=text,
            title=first_line(text),
            type="chat",
            kind="command",
            subject=present({name: text_of(sent, name) for name in ("team_id", "channel_id", "command")}),
            author=Author.of(text_of(sent, "user_id"), text_of(sent, "user_name")),
            tags=tags(**{name: sent.get(name) for name in ("command", "channel_name", "team_domain")}),
            occurred_at=inbound.received_at,
            dedupe_key=needed_text(sent, "trigger_id"),
        )
    ]
    return marked(command, _visibility("", text_of(sent, "channel_id"), text_of(sent, "channel_name")))


def _event(inbound: Inbound, sent: dict[str, Any], event: dict[str, Any]) -> list[Record]:
    kind, subtype = needed_text(event, "type"), text_of(event, "subtype")
    if kind in ("reaction_added", "reaction_removed"):
        return _reaction(sent, event, inbound.options)
    if kind not in ("message", "app_mention"):
        return []
    allowed, old = inbound.options.get("bots"), object_of(event, "previous_message")
    if subtype == "message_changed":
        message = object_of(event, "message")
        message = message | {"ts": text_of(old, "ts") or text_of(message, "ts")}
        if text_of(message, "subtype") == "tombstone":  # a root that was deleted and has replies
            return _taken_back(sent, event, message) if _heard(old, sent, allowed) else []
        edited = _message(sent, event, message) if _heard(message, sent, allowed) else []
        when = milliseconds(text_of(message, "edited", "ts") or text_of(event, "event_ts"))
        return [replace(record, replaceable=True, revised_at=when) for record in edited]
    if subtype == "message_deleted":
        message = {**old, "ts": text_of(old, "ts") or text_of(event, "deleted_ts")}
        return _taken_back(sent, event, message) if _heard(old, sent, allowed) else []
    if event.get("hidden") is True or not _heard(event, sent, allowed):
        return []
    return _message(sent, event, event)


def _heard(message: dict[str, Any], sent: dict[str, Any], allowed: Any) -> bool:
    """Whether a person said it, or a bot that the hook's option `bots` names; never our own bot."""
    subtype, bot = text_of(message, "subtype"), text_of(message, "bot_id")
    if text_of(message, "user") in filter(None, _ours(sent)):
        return False
    if bot:
        named = allowed.split(",") if isinstance(allowed, str) else allowed
        return isinstance(named, list) and bot in named and subtype in (*SPOKEN, "bot_message")
    return subtype in SPOKEN


def _ours(sent: dict[str, Any]) -> list[str]:
    """The ids of our own bot's user."""
    given = objects_of(sent, "authorizations")
    return [text_of(entry, "user_id") for entry in given if entry.get("is_bot") is True]


def _called(sent: dict[str, Any], event: dict[str, Any], message: dict[str, Any]) -> str:
    """The mention of our own bot that a message begins with, as it is in its words; "" when it does not."""
    found, ours = MENTION.match(text_of(message, "text")), _ours(sent)
    if found is None or not (found[1] in ours or (not ours and text_of(event, "type") == "app_mention")):
        return ""
    return f"@{found[2] or found[1]}"


def _said(
    team: str,
    channel: str,
    message: dict[str, Any],
    subject: dict[str, str],
    *,
    called: str = "",
    **more: Any,
) -> Record:
    """A message that has words. Its `ts` is its id in its channel; a root's names the thread.

    `called` is what its title goes without.
    """
    words, ts = words_of(message), needed_text(message, "ts")
    if not words:
        raise invalid(Fault("text", "Expected words in the text, blocks, attachments or files"))
    thread = _thread(message)
    where = {"team_id": team, "channel_id": channel, "ts": ts, "thread_ts": thread}
    return Record(
        text=words,
        title=first_line(words.removeprefix(called).lstrip(" ,:")) or first_line(words),
        type="chat",
        kind="message",
        subject=present(subject | where),
        occurred_at=milliseconds(ts),
        external_id=ts,
        dedupe_key=f"{team}:{channel}:{ts}",
        incident_key=f"{team}:{channel}:{thread or ts}",
        comment=f"{team}:{channel}:{ts}" if thread else None,
        state="note" if thread else "triggered",  # a root begins the story, a reply only adds to it
        occurrence=None if thread else ts,  # Slack may tell of one message several times
        files=linked_in(message),
        **more,
    )


def _message(sent: dict[str, Any], event: dict[str, Any], message: dict[str, Any]) -> list[Record]:
    """A message or a mention: Slack sends both for one message, under one `ts`."""
    team, channel = _team(sent, event), needed_text(event, "channel")
    kind = text_of(event, "channel_type")
    labels = tags(team_id=team, channel=channel, channel_type=kind, thread_ts=_thread(message))
    called = _called(sent, event, message)
    record = _said(team, channel, message, {}, called=called, tags=labels, author=_author(message))
    if text_of(event, "type") == "app_mention":  # which does not say of what type the channel is
        record = replace(record, dedupe_key=f"{record.dedupe_key}:app_mention")
    return marked([record], _visibility(kind, channel))


def _visibility(kind: str, channel: str, name: str = "") -> str:
    """Whether a channel is not for everybody, by its type, its name and the letter its id begins with."""
    hidden = kind in PRIVATE_TYPES or name in PRIVATE_NAMES or name.startswith("mpdm-")
    return PRIVATE if hidden or channel.startswith(("D", "G")) else ""


def _taken_back(sent: dict[str, Any], event: dict[str, Any], message: dict[str, Any]) -> list[Record]:
    key = f"{_team(sent, event)}:{needed_text(event, 'channel')}:{needed_text(message, 'ts')}"
    if _thread(message):
        return [Record(text="", comment=key, retracts=True)]
    when = milliseconds(text_of(event, "event_ts"))
    return [Record(text="", dedupe_key=key, incident_key=key, revised_at=when, retracts=True)]


def _reaction(sent: dict[str, Any], event: dict[str, Any], options: Mapping[str, Any]) -> list[Record]:
    """A vote for the message it was put on, or one taken back; our own bot's does not count."""
    if not is_vote(text_of(event, "reaction"), options):
        return []
    if text_of(event, "item", "type") != "message" or not _heard({"user": event.get("user")}, sent, None):
        return []
    team, name = _team(sent, event), needed_text(event, "reaction")
    return [
        Record(
            text=f":{name}:",
            title=f":{name}:",
            type="chat",
            kind="reaction",
            subject={"reaction": name},
            author=_author({"user": event.get("user")}),
            occurred_at=milliseconds(text_of(event, "event_ts")),
            dedupe_key=needed_text(sent, "event_id"),
            votes_for=f"{team}:{needed_text(event, 'item', 'channel')}:{needed_text(event, 'item', 'ts')}",
            voter=text_of(event, "user") or None,
            retracts=text_of(event, "type") == "reaction_removed",
        )
    ]


def _shortcut(sent: dict[str, Any]) -> list[Record]:
    """A message that somebody picked out; its author is who wrote it, not who picked it."""
    message, user = object_of(sent, "message"), object_of(sent, "user")
    team = text_of(sent, "team", "id") or text_of(user, "team_id") or _team(sent, message)
    channel, ts = (
        needed_text(sent, "channel", "id"),
        text_of(sent, "message_ts") or needed_text(message, "ts"),
    )
    domain, picker = text_of(sent, "team", "domain"), _author(user)
    author = _author(message)
    subject = {
        "url": domain and f"https://{domain}.slack.com/archives/{channel}/p{ts.replace('.', '')}",
        "reporter_id": picker.id or "",
        "reporter_name": picker.name or "",
    }
    labels = tags(callback_id=sent.get("callback_id"), channel_name=text_of(sent, "channel", "name"))
    author = picker if picker.id == author.id else author  # only the picker comes with a name
    record = _said(team, channel, message | {"ts": ts}, subject, tags=labels, author=author)
    record = replace(record, dedupe_key=f"{record.dedupe_key}:message_action")
    return marked([record], _visibility("", channel, text_of(sent, "channel", "name")))


def _modal(inbound: Inbound, sent: dict[str, Any]) -> list[Record]:
    view, user = object_of(sent, "view"), object_of(sent, "user")
    blocks = object_of(view, "state", "values").values()
    given = [action for block in blocks if isinstance(block, dict) for action in block.values()]
    said = [words for words in map(answer, given) if words]
    if not said:
        raise invalid(Fault("view.state.values", "Expected words in the inputs"))
    typed = [answer(action) for action in given if is_typed(action)]
    return [
        Record(
            text="\n".join(said),
            title=first_line("\n".join([*typed, *said])),  # what was typed tells more than what was chosen
            type="chat",
            kind="view_submission",
            subject=present(
                {
                    "team_id": text_of(sent, "team", "id"),
                    "view_id": text_of(view, "id"),
                    "form": first_line(text_of(view, "title", "text")),
                }
            ),
            author=_author(user),
            tags=tags(callback_id=text_of(view, "callback_id")),
            occurred_at=inbound.received_at,
            dedupe_key=f"{needed_text(view, 'id')}:{needed_text(view, 'hash')}",
        )
    ]


def _dialog(inbound: Inbound, sent: dict[str, Any]) -> list[Record]:
    """What was typed into a dialog, as there was before modals: its fields by name."""
    said = filter(None, (answer(value) for value in object_of(sent, "submission").values()))
    words = "\n".join(said)
    if not words:
        return []
    where = {"team_id": text_of(sent, "team", "id"), "channel_id": text_of(sent, "channel", "id")}
    channel = text_of(sent, "channel", "name")
    return [
        Record(
            text=words,
            title=first_line(words),
            type="chat",
            kind="dialog_submission",
            subject=present(where),
            author=_author(object_of(sent, "user")),
            tags=tags(callback_id=sent.get("callback_id"), channel_name=channel),
            occurred_at=milliseconds(text_of(sent, "action_ts")) or inbound.received_at,
            dedupe_key=f"{where['team_id']}:dialog:{needed_text(sent, 'action_ts')}",
        )
    ]


def _team(sent: dict[str, Any], event: dict[str, Any]) -> str:
    """The workspace that the request names; an installation for a whole company may name only that."""
    company = text_of(sent, "enterprise_id")
    return text_of(sent, "team_id") or text_of(event, "team") or company or needed_text(sent, "team_id")


def _thread(message: dict[str, Any]) -> str:
    """The `ts` of a reply's root; "" for a message that is no reply."""
    thread = text_of(message, "thread_ts")
    return "" if thread == text_of(message, "ts") else thread


def _author(sent: dict[str, Any]) -> Author:
    """Who wrote a message (`user` is an id there), or a user as such."""
    return Author.of(
        text_of(sent, "user") or text_of(sent, "bot_id") or text_of(sent, "id"),
        text_of(sent, "name") or text_of(sent, "username"),
    )


ADAPTER = hook_adapter(
    "slack",
    "Slack",
    read,
    reply=reply,
    shape=Shape(
        summary="Take an event, a shortcut, a modal or a command of Slack.",
        answers={200: (Challenge, Words, None)},
        example={"type": "url_verification", "challenge": "3eZbrw1aB"},
    ),
    refuse=refuse_retryable,
    signed=Signed(
        verify=verify,
        proofs=(signature("X-Slack-Signature", "X-Slack-Request-Timestamp"),),
        # The token of old apps, where to answer in the channel, and what a function may act with.
        conceals=("token", "response_url", "bot_access_token"),
        new_secret=None,  # Slack makes it
        options={"bots": words, "bot_token": bot_token, **OPTION},
        sealed=("bot_token",),
        advice=(
            "At api.slack.com/apps open your app. The secret of this hook must be the Signing Secret under "
            "Basic Information. Paste {url} as the Request URL under Event Subscriptions (subscribe to "
            "message.channels, app_mention, reaction_added and reaction_removed), under Interactivity & "
            "Shortcuts, and for each slash command. Then install the app and invite it to the channels it "
            "shall read."
        ),
    ),
)
