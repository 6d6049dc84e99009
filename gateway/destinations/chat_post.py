"""How the kinds of chat programs send: JSON by POST, an address of the program's own shape."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gateway.core import outbound
from gateway.core.outbound import Forbidden
from gateway.destinations.http_post import post
from gateway.destinations.kind import Answer

JSON = {"Content-Type": "application/json; charset=utf-8"}


def post_json(url: str, headers: Mapping[str, str], body: str, *, method: str = "POST") -> Answer:
    """Sends JSON. Raises outbound.Forbidden, Unreachable."""
    return post(url, {**headers, **JSON}, body, method=method)


def answered(answer: Answer) -> dict[str, Any]:
    """The JSON object that was answered; {} for anything else."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def waiting(answer: Answer, seconds: object) -> Answer:
    """An answer whose body says how many seconds to wait, as one whose header does."""
    if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        return answer
    return replace(answer, headers={**answer.headers, "retry-after": str(math.ceil(seconds))})


def checking(is_one: Callable[[str], object], instead: str) -> Callable[[str], None]:
    """What raises Forbidden for an address that is none of a kind's, and says what to give `instead`."""

    def check(url: str) -> None:
        if not is_one(url):
            raise Forbidden(instead)
        outbound.check(url)

    return check
