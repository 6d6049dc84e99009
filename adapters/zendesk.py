"""zendesk: tickets, by event webhooks of Zendesk Support. docs/dialects/zendesk.md.

Wire facts: developer.zendesk.com/api-reference/webhooks/event-types/ticket-events and
developer.zendesk.com/documentation/webhooks/verifying.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.common.markup import plain
from adapters.common.plain_text import cut_line
from adapters.common.severities import stated
from adapters.common.signatures import delivery, hmac_base64, hook_adapter, same
from adapters.common.tags import PRIVATE, marked, tags_of
from adapters.common.times import moment_of
from adapters.common.untrusted_json import (
    body_of,
    first_scalar,
    first_text,
    linked,
    list_of,
    needed,
    needed_object,
    object_of,
    objects_of,
    present,
)
from adapters.contract import Hook, Inbound, Signed
from adapters.contract.description import signature
from adapters.contract.record import Author, Record, State

EVENT = "zen:event-type:ticket."
STATUSES: dict[str, State] = {
    **dict.fromkeys(("new", "open"), "triggered"),
    **dict.fromkeys(("pending", "hold"), "acknowledged"),
    **dict.fromkeys(("solved", "closed"), "resolved"),
}
RESTATED = ("subject_changed", "description_changed", "priority_changed", "tags_changed")
GONE = ("soft_deleted", "permanently_deleted", "marked_as_spam")
RESOLVED = ("merged",)

ADVICE = """\
In Zendesk's Admin Center, Apps and integrations > Webhooks, create a webhook of Zendesk events:

Events: Ticket created, Comment added, Attachment linked to comment, Comment made private, Comment redacted,
  Status changed, Subject changed, Description changed, Priority changed, Ticket merged,
  Ticket soft deleted, Ticket undeleted
Endpoint URL: {url}
Request method: POST, format: JSON

Then reveal its signing secret and give that to this hook, unless you already have:

feedback-gateway hook rotate {hook_id} --secret THE_SIGNING_SECRET"""


def read(inbound: Inbound) -> list[Record]:
    sent = body_of(inbound)
    kind = needed(first_text(sent, "type"), "type")
    if not kind.startswith(EVENT):
        return []
    what, event, ticket = kind.removeprefix(EVENT), object_of(sent, "event"), needed_object(sent, "detail")
    (note,) = marked([_ticket(sent, ticket, what)], PRIVATE if ticket.get("is_public") is False else "")
    note = replace(note, stands=_stands(ticket))
    if what == "comment_added":
        return _comment(note, object_of(event, "comment"))
    if what == "attachment_linked_to_comment":  # a comment's own event does not tell of its files
        linked_to = object_of(event, "comment")
        return _comment(note, {"id": linked_to.get("id"), "attachments": [linked_to.get("attachment")]})
    if what == "comment_redacted":
        return [Record(text="", comment=_key(note, needed_object(event, "comment")), retracts=True)]
    if what == "comment_made_private":
        hidden = _key(note, object_of(event, "comment"))
        if hidden:
            return [replace(note, text="", state="note", comment=hidden, secrecy=PRIVATE)]
        note = replace(note, text="A comment was made private", state="note")
        return marked([note], "" if "visibility" in note.subject else PRIVATE)
    record = replace(note, stands=None, whole="subject" in ticket)
    known = replace(
        record,
        dedupe_key=f"ticket:{record.incident_key}",
        occurred_at=moment_of(first_text(ticket, "created_at")) or record.occurred_at,
        revised_at=record.occurred_at,
    )
    if what == "created":
        return [replace(known, state="triggered")]
    if what in GONE:
        return [replace(known, occurred_at=record.occurred_at, state="note", retracts=True)]
    if what in RESTATED:
        return [replace(known, replaceable=True, state=_stands(ticket) or "triggered")]
    if what == "undeleted":
        # Times are whole seconds: what is back was deleted before, if in the same one.
        back = (record.occurred_at or 0) + 1 if record.occurred_at else None
        return [replace(record, revised_at=back, state=_stands(ticket) or "triggered", counts=False)]
    if what == "status_changed":
        now = STATUSES.get(first_text(event, "current").lower()) or _stands(ticket)
        return [replace(record, state=now, counts=False)] if now else []
    return [replace(record, state="resolved")] if what in RESOLVED else []


def _ticket(sent: dict[str, Any], ticket: dict[str, Any], what: str) -> Record:
    """The ticket of an event as it stands; its keys are those of the event."""
    number = needed(first_scalar(ticket, "id"), "detail.id")
    title, words = first_text(ticket, "subject"), plain(first_text(ticket, "description"))
    delivery_id = first_scalar(sent, "id")
    return Record(
        title=cut_line(title),
        text=words or title or f"Ticket {number}",
        kind=f"ticket.{what}",
        **stated(first_text(ticket, "priority")),
        subject=present(
            {
                "account_id": first_scalar(sent, "account_id"),
                "ticket_id": number,
                "priority": first_text(ticket, "priority").lower(),
                "channel": first_text(object_of(ticket, "via"), "channel"),
                "organization_id": first_scalar(ticket, "organization_id"),
            }
        ),
        author=Author.of(id=first_scalar(ticket, "requester_id")),
        tags=tags_of(
            [
                ("type", first_text(ticket, "type").lower()),
                *(("tag", tag) for tag in list_of(ticket, "tags")),
            ],
            most=100,
        ),
        external_id=number,
        occurred_at=moment_of(first_text(sent, "time")),
        dedupe_key=f"event:{delivery_id}" if delivery_id else None,
        incident_key=f"{first_scalar(sent, 'account_id')}:{number}",
    )


def _stands(ticket: dict[str, Any]) -> State | None:
    """The state that a ticket is in, None when it does not say."""
    return STATUSES.get(first_text(ticket, "status").lower())


def _key(ticket: Record, comment: dict[str, Any]) -> str | None:
    """What a comment is known by in all its events; None when it does not say."""
    number = first_scalar(comment, "id")
    return f"{ticket.subject.get('account_id', '')}:comment:{number}" if number else None


def _comment(ticket: Record, comment: dict[str, Any]) -> list[Record]:
    """A comment with its files; nothing for one that has neither words nor files."""
    files = (linked(file, "filename", "content_url") for file in objects_of(comment, "attachments"))
    words, author = plain(first_text(comment, "body", "html_body")), object_of(comment, "author")
    said = "\n".join(filter(None, (words, *files)))
    if not said:
        return []
    note = replace(
        ticket,
        title=cut_line(f"Re: {ticket.title}") if ticket.title else "",
        text=said,
        author=Author.of(first_scalar(author, "id"), first_text(author, "name")),
        external_id=first_scalar(comment, "id") or ticket.external_id,
        state="note",
        comment=_key(ticket, comment),
        secrecy=PRIVATE if comment.get("is_public") is False else "",
    )
    return [note]


def verify(inbound: Inbound, hook: Hook) -> bool:
    """base64(HMAC-SHA256(timestamp + body)). Any time counts: retries may keep theirs."""
    given = inbound.headers.get("x-zendesk-webhook-signature", "")
    time = inbound.headers.get("x-zendesk-webhook-signature-timestamp", "")
    signed = time.encode("utf-8", "replace") + inbound.body
    return bool(time) and any(same(given, hmac_base64(secret.encode(), signed)) for secret in hook.secrets)


ADAPTER = hook_adapter(
    "zendesk",
    "Zendesk",
    read,
    shape=delivery(
        "Take an event of a Zendesk ticket.",
        {
            "type": "zen:event-type:ticket.created",
            "account_id": 1,
            "id": "01HN",
            "time": "2026-05-07T08:00:00Z",
            "detail": {"id": "35", "subject": "Basket answers slowly", "status": "NEW"},
            "event": {},
        },
    ),
    signed=Signed(
        verify=verify,
        advice=ADVICE,
        proofs=(signature("X-Zendesk-Webhook-Signature", "X-Zendesk-Webhook-Signature-Timestamp"),),
    ),
)
