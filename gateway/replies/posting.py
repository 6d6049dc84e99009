"""Replies by request: one POST of JSON to the API of the program that a record came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.core import outbound
from gateway.core.ids import now_ms
from gateway.core.mail import NotSent
from gateway.core.outbound import Answer, Forbidden, Unreachable
from gateway.core.retry_after import retry_after


def post(url: str, headers: Mapping[str, str], sent: Mapping[str, Any]) -> Answer:
    """Sends JSON and says what was answered, whatever that is. Raises NotSent when nothing was."""
    told = {"Content-Type": "application/json; charset=utf-8", **headers}
    try:
        return outbound.request("POST", url, told, json.dumps(sent).encode())
    except (Forbidden, Unreachable) as error:
        raise NotSent(str(error), permanent=isinstance(error, Forbidden)) from None


def not_sent(why: str, answer: Answer, *, passes: bool) -> NotSent:
    """What is raised for an answer that was none of those hoped for; it says how long to wait."""
    return NotSent(why, permanent=not passes, after=retry_after(answer.headers, now_ms()))
