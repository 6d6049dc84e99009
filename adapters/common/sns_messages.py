"""Messages of Amazon SNS: JSON whose `Message` is a text, often JSON once more.

Wire facts: docs.aws.amazon.com/sns/latest/dg, "HTTP/HTTPS notification JSON format", "HTTP/HTTPS
subscription confirmation JSON format" and "Verifying the signatures of Amazon SNS messages".
"""

from __future__ import annotations

import re
from typing import Any

from adapters.common.untrusted_json import first_text, json_in
from adapters.contract import Fault, Inbound, Refused, Reply, invalid
from adapters.contract.record import Saved

TYPES = ("Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation")
AMAZON = re.compile(r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(?:\.cn)?/\?[!-~]{1,2000}")
ADVICE = (
    "Amazon SNS asks whether the topic {topic} may send here. Nothing was fetched: if it may, open this"
    " address within three days: {url}"
)


def type_of(sent: Any) -> str:
    """The type of a message of SNS; "" for anything else."""
    known = isinstance(sent, dict) and sent.get("Type") in TYPES and isinstance(sent.get("TopicArn"), str)
    return str(sent["Type"]) if known else ""


def content_of(inbound: Inbound, sent: dict[str, Any]) -> Any:
    """What a notification's `Message` says: the JSON object in it, else the text."""
    message = first_text(sent, "Message")
    if message[:1] != "{":
        return message
    try:
        return json_in(inbound, message)
    except Refused:
        return message


def check_confirmation(sent: Any) -> None:
    """Raises Refused (400) for a request to confirm a subscription at an address that is not Amazon's."""
    if type_of(sent) == "SubscriptionConfirmation" and not AMAZON.fullmatch(first_text(sent, "SubscribeURL")):
        raise invalid(Fault("SubscribeURL", "Expected an address of Amazon SNS"))


def reply(inbound: Inbound, saved: list[Saved]) -> Reply:
    """That the message was taken; how to confirm a subscription goes into the log, for a person to do."""
    try:
        sent = inbound.json
        check_confirmation(sent)
    except Refused:
        sent = None
    notice = ""
    if type_of(sent) == "SubscriptionConfirmation":
        topic = re.sub(r"[^!-~]+", " ", first_text(sent, "TopicArn"))[:300]
        notice = ADVICE.format(topic=topic, url=first_text(sent, "SubscribeURL"))
    return Reply(200, {"status": "ok"}, notice=notice)
