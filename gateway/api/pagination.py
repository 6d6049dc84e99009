"""Lists in pages: how one is asked for and how it is answered."""

from __future__ import annotations

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
