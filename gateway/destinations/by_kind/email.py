"""email: mails to one address, through the server that GATEWAY_SMTP_URL names."""

from __future__ import annotations

import json

from gateway.api.digest import blocks
from gateway.api.digest.as_html import html
from gateway.api.digest.as_text import text
from gateway.api.digest.blocks import Block, Said
from gateway.core import mail, mail_rules
from gateway.core.mail import Mail, NotSent
from gateway.core.outbound import Forbidden
from gateway.destinations import stopping
from gateway.destinations.http_post import TIMEOUT
from gateway.destinations.kind import Answer, Delivery, Kind
from gateway.destinations.message import Entries, Entry, Facts, Heading, Message, Paragraph, Part, Quote
from models.database.base import dumps

OWN = "x-"  # how names of headers begin that anybody may give a meaning


def check(url: str) -> None:
    """Raises Forbidden for what is no address of a person or list, or when nothing goes by mail here."""
    if not mail.is_configured():
        raise Forbidden("needs GATEWAY_SMTP_URL: no server is set that takes mail")
    try:
        mail_rules.address(url)
    except mail_rules.BadAddress as error:
        raise Forbidden(str(error)) from None


def write(message: Message) -> str:
    """The subject and both forms of a message."""
    made = [_block(part) for part in message.parts]
    subject = Said(message.subject, mail.LONGEST_SUBJECT).text
    page = html(made, "en", subject)
    return dumps({"subject": subject, "text": text(made), "html": page})


def send(delivery: Delivery) -> Answer:
    """Has the server take a mail; its id is the delivery's. It follows the first of its thread."""
    told, reference = json.loads(delivery.body), mail.message_id(delivery.id)
    earlier = () if delivery.earlier in (None, reference) else (delivery.earlier,)
    headers = {name: value for name, value in delivery.headers.items() if name.lower().startswith(OWN)}
    made = Mail(
        delivery.url,
        told["subject"],
        told["text"],
        told["html"],
        reference,
        earlier,
        stopping.url_of(delivery.destination, delivery.url),
        headers,
    )
    try:
        mail.send(made, timeout=TIMEOUT)
    except NotSent as error:
        return Answer(error.status, error.why, is_final=error.permanent)
    return Answer(250, reference=reference)


def _block(part: Part) -> Block:
    if isinstance(part, Heading):
        return blocks.Heading(part.text)
    if isinstance(part, Paragraph):
        return blocks.Paragraph([part.text])
    if isinstance(part, Quote):
        return blocks.Quote(part.text)
    if isinstance(part, Facts):
        return blocks.Grid((), [(Said(name), Said(value)) for name, value in part.pairs])
    if isinstance(part, Entries):
        return blocks.Items([_item(entry) for entry in part.entries])
    return blocks.Paragraph([blocks.Link(part.label, part.url)])


def _item(entry: Entry) -> tuple[list[blocks.Part], list[blocks.Part]]:
    words = Said(entry.text)
    return [blocks.Link(words, entry.url) if entry.url else words], [Said(entry.facts)] if entry.facts else []


KIND = Kind("email", send, write=write, check=check)
