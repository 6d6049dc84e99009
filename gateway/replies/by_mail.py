"""Answers by mail, to the address that the author gave.

Nobody has proved that an author's address is theirs: a mail holds the answer and words of ours, never those
of the record, so that nobody can have the gateway send a text of theirs to somebody else. Subject and ids
stay the same for a record: all its mails are one thread.
"""

from __future__ import annotations

from typing import Any

from gateway.core import encryption, mail
from gateway.core.mail import Mail, NotSent
from gateway.core.mail_rules import BadAddress, address
from gateway.replies import recipients
from gateway.replies.channel import Channel, Row
from gateway.replies.words import words_in
from models.tables import reply
from models.tables.workspace import project_name

TIMEOUT = 20.0  # seconds
SERVER = "email"  # the one that GATEWAY_SMTP_URL names
UNWANTED = "its author wants no more mail"
CLOSED = "GATEWAY_SECRET_KEY cannot open the key that tells who wants no mail: put the earlier one back"


def _lacks(record: Row) -> str:
    if not mail.is_configured():
        return "needs GATEWAY_SMTP_URL"
    if not record["author_email"]:
        return "the record has no address of its author"
    try:
        address(record["author_email"])
    except BadAddress as error:
        return f"the author's address is none to send mail to: {error}"
    try:
        if recipients.has_unsubscribed(record["workspace_id"], record["author_email"]):
            return UNWANTED
    except encryption.WrongKey:
        return CLOSED
    return ""


def _address(record: Row) -> str:
    return recipients.digests(record["workspace_id"])(record["author_email"])


def _composed(row: Row, record: Row) -> Mail:
    words = words_in(record["language"])
    url = recipients.unsubscribe_url(record["workspace_id"], row["address"])
    known = {"project": " ".join((project_name(record["project_id"]) or "").split()), "url": url}
    text = f"{row['text']}\n\n-- \n{words.why % known}\n{words.stop % known}"
    return Mail(
        to=record["author_email"],
        subject=words.subject % known,
        text=text if row["theme"] is None else f"{words.asked % known}\n\n{text}",
        message_id=_id(row["id"], record),
        references=(
            mail.message_id(record["id"]),
            *(_id(name, record) for name in reply.sent_before(row)),
        ),
        unsubscribe=url,
    )


def _id(reply_id: str, record: Row) -> str:
    """The id of an answer's mail, the same at each attempt. One that begins the thread was never sent."""
    return mail.message_id(f"{reply_id}.{record['id']}")


def _shown(row: Row, record: Row) -> dict[str, Any]:
    made = _composed(row, record)
    return {"to": made.to, "subject": made.subject, "text": made.text}


def _send(row: Row, record: Row) -> str:
    workspace_id, author = record["workspace_id"], record["author_email"] or ""
    try:
        if row["address"] != recipients.known(workspace_id, author):
            raise NotSent("the address of the author is another one now", permanent=True)
        if recipients.has_unsubscribed(workspace_id, author):
            raise NotSent(UNWANTED, permanent=True)
        made = _composed(row, record)
    except encryption.WrongKey:
        raise NotSent(CLOSED, permanent=False) from None
    mail.send(made, timeout=TIMEOUT)
    return ""


EMAIL = Channel("email", _lacks, _address, lambda record: SERVER, _shown, _send)
