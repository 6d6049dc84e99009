"""Events of Sentry's SDKs from before envelopes, which post one event to /api/N/store/.

Wire facts: develop.sentry.dev, SDK Development, "Store Endpoint" and "Deprecated: Legacy Interfaces";
getsentry/raven-python, raven/base.py (`encode`): zlib in base64 where no content coding was named.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

from adapters.common.envelopes import object_in
from adapters.common.untrusted_json import first_text, object_of
from adapters.contract import Fault, Inbound, Refused, invalid

MOST = 1_000_000  # bytes of an event once it is inflated: Sentry's own limit
# The names of parts of an event before version 7.
RENAMED = {
    "sentry.interfaces.Exception": "exception",
    "sentry.interfaces.Message": "logentry",
    "sentry.interfaces.User": "user",
    "sentry.interfaces.Http": "request",
    "sentry.interfaces.Stacktrace": "stacktrace",
}
LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "fatal"}  # Python's numbers, as raven sent


def event_of(inbound: Inbound) -> dict[str, Any]:
    """The event that is the body, with the names of today. Raises Refused (400)."""
    sent = object_in(inbound, _inflated(inbound.text), "event")
    level = sent.get("level")
    if type(level) is int:
        sent["level"] = LEVELS.get(level)
    event = {RENAMED.get(name, name): value for name, value in sent.items()}
    if formatted := first_text(object_of(event, "logentry"), "formatted"):
        event["message"] = formatted  # beside it the template stands there
    return event


def event_id_of(inbound: Inbound) -> str:
    """The event's id for the answer; "" when it has none."""
    try:
        found = event_of(inbound).get("event_id")
    except Refused:
        return ""
    return found if isinstance(found, str) else ""


def _inflated(body: bytes) -> bytes:
    """JSON as it is, or inflated from base64 or from zlib data."""
    if body.lstrip()[:1] == b"{":
        return body
    try:
        packed = body if body[:1] == b"\x78" and not body.isascii() else base64.b64decode(body, validate=True)
        inflater = zlib.decompressobj()
        text = inflater.decompress(packed, MOST + 1)
    except (ValueError, binascii.Error, zlib.error):
        return body
    if len(text) > MOST:
        raise invalid(Fault("event", f"larger than {MOST} bytes"))
    return text
