"""Slack's Web API, for all that posts there: its texts, and what it says of a message.

Wire facts: docs.slack.dev, "Formatting message text" (&, < and > are escaped), "chat.postMessage" (200 to
everything, with what was wrong as `error` in the body) and "Rate limits" (429 with Retry-After).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

POST = "https://slack.com/api/chat.postMessage"
# What Slack says of itself, and not of the message: the same one may be taken later.
PASSING = (
    "fatal_error",
    "internal_error",
    "ratelimited",
    "rate_limited",
    "request_timeout",
    "service_unavailable",
)
_TOKEN = ": give the bot's token as the header Authorization, Bearer xoxb-..."
HELP: Mapping[str, str] = {
    **dict.fromkeys(("not_authed", "invalid_auth"), _TOKEN),
    "missing_scope": ": give the app the scope chat:write",
    "not_in_channel": ": invite the app into the channel",
}
LONGEST_ERROR = 100  # characters


@dataclass(frozen=True, slots=True)
class Said:
    """What was answered: `error` is "" for what was taken; `passes` says that it may be taken later."""

    error: str
    passes: bool
    body: Mapping[str, Any]


def escaped(text: str) -> str:
    """A text as it stands, where Slack would read markup and mentions."""
    return escape(text, quote=False)


def said_of(status: int, body: bytes) -> Said | None:
    """What the Web API says of a message; None for an answer that is none of its own."""
    try:
        found = json.loads(body)
        error = "" if found["ok"] is True else str(found["error"])
    except (ValueError, TypeError, KeyError):
        return None
    error = error.encode("utf-8", "replace").decode()[:LONGEST_ERROR]
    return Said(error, status == 429 or status >= 500 or error in PASSING, found)
