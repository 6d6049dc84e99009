"""Webhooks as Standard Webhooks 1.0.0 has them: JSON, signed with a secret of the destination's own."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from gateway.destinations.http_post import post
from gateway.destinations.kind import Answer, Change, Delivery, Kind
from models.database.base import dumps
from models.tables.feedback import iso

LONGEST = 20_000  # bytes of a body
LONGEST_TEXT = 8_000  # characters of a record's text
SECRET = 32  # bytes
_LARGE = ("subject", "impact_reasons", "overruled", "tags", "title")  # beside the text
_IDS = ("id", "workspace_id", "project_id")


def render(change: Change) -> str:
    """The body: all of the change or, where that is too long, as much as fits and where to read the rest."""
    bodies = (_written(change, data, more) for data, more in _ever_less(change))
    return next(body for body in bodies if len(body.encode()) <= LONGEST)


def _ever_less(change: Change) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    data, more = dict(change.data), dict(change.more)
    text = data.get("text", "")
    if len(text) <= LONGEST_TEXT:
        yield data, more
    cut = {"truncated": True, "url": change.url}
    for length in (LONGEST_TEXT, LONGEST_TEXT // 2):
        yield {**data, "text": text[:length], **cut}, more
    event = {name: more[name] for name in ("event_id",) if name in more}
    yield {**data, "text": text[:500], **dict.fromkeys(_LARGE), **cut}, event
    yield {**{name: data[name] for name in _IDS if name in data}, **cut}, event


def _written(change: Change, data: dict[str, Any], more: dict[str, Any]) -> str:
    said = {"type": change.type, "timestamp": iso(change.at), "workspace_id": change.workspace_id}
    # A lone surrogate, which JSON may have brought, is no text that could be sent.
    return dumps({**said, "data": data, **more}).encode("utf-8", "replace").decode()


def send(delivery: Delivery) -> Answer:
    """One attempt, signed once with each secret."""
    signed = headers(delivery.id, delivery.body, delivery.secrets, delivery.at // 1000)
    return post(delivery.url, {**delivery.headers, **signed}, delivery.body)


def headers(delivery_id: str, body: str, live: Sequence[str], seconds: int) -> dict[str, str]:
    """The headers of an attempt at this time."""
    at = datetime.fromtimestamp(seconds, UTC)
    return {
        "Content-Type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(Webhook(secret).sign(delivery_id, at, body) for secret in live),
    }


def new_secret() -> str:
    """A secret as receivers' libraries take it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET)).decode()


KIND = Kind("webhook", send, render=render, new_secret=new_secret)
