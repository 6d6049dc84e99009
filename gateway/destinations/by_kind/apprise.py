"""Apprise: what more than a hundred other services take, by the library of that name (an extra).

Addresses are those of appriseit.com/services, such as `tgram://` or `gotifys://`. The library connects by
itself, with requests, SMTP, MQTT and more, so that nothing which gateway.core.outbound checks holds for it:
the operator has to allow it. It is sent plain text, which some services read as Markdown.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.core import outbound
from gateway.core.cooperative import aside
from gateway.core.outbound import Forbidden
from gateway.destinations import message_text
from gateway.destinations.http_post import TIMEOUT
from gateway.destinations.kind import Answer, Delivery, Kind
from gateway.destinations.message import Message
from models.database.base import dumps

if TYPE_CHECKING:
    from apprise import Apprise

SUBJECT, LONGEST = 250, 4_000  # characters
ACCEPTED = "Apprise says that it was sent; it does not say what the service answered"
_INSTEAD = "must be an address as https://appriseit.com/services has them, such as gotifys://HOST/TOKEN"


def write(message: Message) -> str:
    """The title, the text and the type, as Apprise has them."""
    return dumps(message_text.fitted(message, _payload, _fits))


def send(delivery: Delivery) -> Answer:
    """One attempt. What Apprise notes of one that fails is the reason."""
    sent = json.loads(delivery.body)
    told = _service(delivery.url).notify(
        sent["body"], sent["title"], sent["type"], body_format="text", timeout=TIMEOUT
    )
    if told:
        return Answer(200, note=ACCEPTED)
    said = "; ".join(entry.message for entry in told.logs())
    return Answer(None, f"Apprise could not send it: {said or 'it does not say why'}"[:500])


def check(url: str) -> None:
    """Raises Forbidden for an address that Apprise does not know, and unless it may be used at all."""
    aside(_service, url)


def _payload(message: Message, most: int) -> dict[str, str]:
    title = message_text.cut(message_text.subject_of(message), SUBJECT)
    body = message_text.plain_text(message, most).strip() or title
    urgent = message.impact >= message_text.URGENT
    return {
        "title": title,
        "body": body,
        "type": "success" if message.is_over else "warning" if urgent else "info",
    }


def _fits(sent: dict[str, str]) -> bool:
    return message_text.utf16(sent["body"]) <= LONGEST


def _service(url: str) -> Apprise:
    """What sends to an address; longer texts than its service takes are cut. Raises Forbidden."""
    outbound.check_unguarded()
    import apprise  # an extra, and some 200 modules: where it is used only

    asset = apprise.AppriseAsset(
        app_id="feedback-gateway",
        async_mode=False,
        storage_mode="memory",
        allow_templates=False,
        service_timeout=TIMEOUT,
        http_redirects=False,
        plugin_paths=[],
    )
    found = apprise.Apprise.instantiate(url, asset=asset)
    if found is None:
        raise Forbidden(_INSTEAD)
    found.overflow_mode = apprise.OverflowMode.TRUNCATE
    made = apprise.Apprise(asset=asset)
    made.add(found)
    return made


KIND = Kind("apprise", send, write=write, check=check)
