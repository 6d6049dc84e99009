"""intercom: conversations of customers and teammates, by webhook topics. docs/dialects/intercom.md.

Wire facts: developers.intercom.com/docs/webhooks, .../references/webhooks/webhook-models (topics) and
"Signed notifications": X-Hub-Signature is the SHA-1 HMAC of the body under the app's client secret.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.common.json_spans import with_parts
from adapters.common.markup import plain
from adapters.common.plain_text import first_line
from adapters.common.signatures import delivery, hex_header, hook_adapter
from adapters.common.tags import PRIVATE, tags_of
from adapters.common.times import moment_or_seconds
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    first_url,
    int_of,
    linked,
    needed,
    needed_object,
    object_of,
    objects_of,
    present,
)
from adapters.contract import Inbound, Signed
from adapters.contract.description import signature
from adapters.contract.record import SENTIMENTS, Author, Record, State

# Any other topic, such as ping or conversation.admin.assigned, is ignored.
TOPICS: dict[str, State] = {
    "conversation.user.created": "triggered",
    "conversation.contact.attached": "note",
    "conversation.user.replied": "note",
    "conversation.admin.replied": "note",
    "conversation.admin.noted": "note",
    "conversation.rating.added": "note",
    "conversation.admin.snoozed": "suppressed",
    "conversation.admin.unsnoozed": "triggered",
    "conversation.admin.opened": "triggered",
    "conversation.admin.closed": "resolved",
}
SPOKEN = ("conversation.user.replied", "conversation.admin.replied", "conversation.admin.noted")
STATES: dict[str, State] = {"open": "triggered", "closed": "resolved", "snoozed": "suppressed"}
REDACTED = "conversation_part.redacted"
RATINGS = {1: "terrible", 2: "bad", 3: "OK", 4: "good", 5: "amazing"}

ADVICE = """\
In Intercom's Developer Hub open your app, Configure > Webhooks:

Endpoint URL: {url}
Topics: conversation.user.created, conversation.contact.attached, conversation.user.replied,
  conversation.admin.replied, conversation.admin.noted, conversation.rating.added, conversation.admin.closed,
  conversation.admin.opened, conversation.admin.snoozed, conversation.admin.unsnoozed, conversation.deleted,
  conversation_part.redacted

The secret of this hook must be the app's client secret (Basic information). Give it, unless you already have:

feedback-gateway hook rotate {hook_id} --secret THE_CLIENT_SECRET"""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    topic = needed(first_text(sent, "topic"), "topic")
    if topic == REDACTED:
        return _redacted(sent)
    if topic not in TOPICS and topic != "conversation.deleted":
        return []
    item = needed_object(sent, "data", "item")
    key = needed(first_scalar(item, "id", "conversation_id"), "data.item.id")
    record = _conversation(sent, item, key)
    itself = f"conversation:{record.incident_key}"
    if topic == "conversation.deleted":
        return [replace(record, dedupe_key=itself, state="note", retracts=True)]
    record = replace(record, kind=topic, state=TOPICS[topic])
    if topic == "conversation.user.created":
        return [replace(record, dedupe_key=itself)]
    if topic == "conversation.rating.added":
        return [_rated(record, object_of(item, "conversation_rating"))]
    part: dict[str, Any] = next(reversed(objects_of(item, "conversation_parts", "conversation_parts")), {})
    said = _said(replace(record, stands=STATES.get(first_text(item, "state"))), part)
    if topic in SPOKEN:
        return said
    author = _author(object_of(part, "author"))
    turned = replace(record, counts=False, author=author if author != Author() else record.author)
    # The words that a conversation is closed with are a note of their own.
    own = f"{record.dedupe_key}:said" if record.dedupe_key else None
    words = ((replace(one, dedupe_key=own, state="note", stands=None), part) for one in said)
    return with_parts(inbound, [(turned, item.get("source")), *words])


def _conversation(sent: dict[str, Any], item: dict[str, Any], key: str) -> Record:
    """The conversation that an event is about, in its first words."""
    source = object_of(item, "source") or object_of(item, "conversation_message")
    app = first_scalar(sent, "app_id")
    words, subject = _words(source), plain(first_text(source, "subject"))
    links = object_of(item, "links")
    delivery_id = first_scalar(sent, "id")
    return Record(
        title=first_line(subject or words or f"Conversation {key}"),
        text=words or subject or f"Conversation {key}",
        subject=present(
            {
                "url": first_url(links, "conversation_web"),
                "page": first_url(source, "url"),
                "app_id": app,
                "conversation_id": key,
                "channel": first_text(source, "type"),
            }
        ),
        author=_author(object_of(source, "author") or object_of(item, "user")),
        tags=tags_of(
            [
                *(("tag", first_text(tag, "name")) for tag in objects_of(item, "tags", "tags")),
                ("priority", "high" if first_text(item, "priority") == "priority" else ""),
            ]
        ),
        external_id=key,
        occurred_at=moment_or_seconds(sent.get("created_at")) or moment_or_seconds(item.get("updated_at")),
        dedupe_key=delivery_id or None,
        incident_key=f"{app}:{key}",
    )


def _words(part: dict[str, Any]) -> str:
    """What somebody wrote, and the files beside it."""
    files = (linked(file, "name", "url") for file in objects_of(part, "attachments"))
    return "\n".join(filter(None, (plain(first_text(part, "body")), *files)))


def _key(record: Record, part: dict[str, Any]) -> str | None:
    """What a part of a conversation is known by; None when it does not say."""
    number = first_scalar(part, "id")
    return f"{record.subject.get('app_id', '')}:part:{number}" if number else None


def _redacted(sent: dict[str, Any]) -> list[Record]:
    """The end of what was redacted: a part, or those of a conversation that are marked as such."""
    item = needed_object(sent, "data", "item")
    parts = [item] if first_text(item, "type") == "conversation_part" else []
    parts += (
        one for one in objects_of(item, "conversation_parts", "conversation_parts") if one.get("redacted")
    )
    record = Record(text="", subject={"app_id": first_scalar(sent, "app_id")})
    keys = filter(None, (_key(record, part) for part in parts))
    return [Record(text="", comment=key, retracts=True) for key in keys]


def _said(record: Record, part: dict[str, Any]) -> list[Record]:
    """What was written last; nothing for a part without words and files, such as an assignment."""
    words = _words(part)
    if not words:
        return []
    note = replace(
        record,
        title=first_line(f"Re: {record.title}"),
        text=words,
        author=_author(object_of(part, "author")),
        external_id=first_scalar(part, "id") or record.external_id,
        comment=_key(record, part),
        secrecy=PRIVATE if first_text(part, "part_type").startswith("note") else "",
    )
    return [note]


def _rated(record: Record, rating: dict[str, Any]) -> Record:
    stars, remark = int_of(rating, "rating"), plain(first_text(rating, "remark"))
    score = None if stars is None or not 1 <= stars <= 5 else (stars - 3) / 2
    words = remark or f"Rated the conversation {RATINGS.get(stars or 0, stars or 'without a number')}"
    sentiment = None if score is None else SENTIMENTS[0] if score > 0 else SENTIMENTS[2 if score < 0 else 1]
    return replace(
        record,
        title=first_line(words),
        text=words,
        type="rating",
        sentiment=sentiment,
        sentiment_score=score,
        subject={**record.subject, **present({"property": "rating", "value": stars})},
    )


def _author(sent: dict[str, Any]) -> Author:
    return Author.of(first_scalar(sent, "id"), first_text(sent, "name"), first_text(sent, "email"))


ADAPTER = hook_adapter(
    "intercom",
    "Intercom",
    read,
    shape=delivery(
        "Take a notification of Intercom.",
        {
            "type": "notification_event",
            "topic": "conversation.user.created",
            "id": "notif_1",
            "app_id": "a1",
            "data": {"item": {"type": "conversation", "id": "7", "source": {"body": "It is slow"}}},
        },
    ),
    signed=Signed(
        verify=hex_header("x-hub-signature", prefix="sha1=", digest="sha1"),
        advice=ADVICE,
        proofs=(signature("X-Hub-Signature"),),
    ),
)
