"""Lists in pages: how one is asked for and how it is answered."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.contract import Inbound, Reply, invalid
from gateway.api import query_parameters

PAGE = 50  # rows when the caller names no limit
LONGEST_PAGE = 200


def asked(inbound: Inbound, *others: str) -> tuple[int, str | None]:
    """How many rows a list request asks for, and after which cursor; `others` are its other parameters.

    Raises Refused (400).
    """
    faults = query_parameters.unknown(inbound, ("limit", "cursor", *others))
    limit = query_parameters.whole(inbound, "limit", 1, LONGEST_PAGE, faults)
    if faults:
        raise invalid(*faults)
    return limit or PAGE, inbound.query.get("cursor")


def page(items: Sequence[Mapping[str, Any]], limit: int, name: str = "id") -> dict[str, Any]:
    """The first `limit` of the items, which are one more when there are more; `name` is what cursors are."""
    kept = items[:limit]
    return {"data": kept, "next_cursor": kept[-1][name] if len(items) > limit else None}


def answer(items: Sequence[Mapping[str, Any]], limit: int, name: str = "id") -> Reply:
    """That as a reply."""
    return Reply(200, page(items, limit, name))


def opaque(place: Any) -> str:
    """A place in a list, of what JSON has, as a text that nobody needs to understand."""
    told = json.dumps(place, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(told).rstrip(b"=").decode()


def told(cursor: str) -> Any:
    """The place that such a text tells, which anybody may have made; None when it is none."""
    try:
        return json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    except (ValueError, RecursionError):
        return None


def is_number(value: Any) -> bool:
    """Whether a value of a place is a whole number that a column takes."""
    return type(value) is int and 0 <= value < 2**63
