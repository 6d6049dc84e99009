"""Deliveries of several members, such as the alerts of a group: a bad one does not take others along."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from adapters.common.json_spans import with_parts
from adapters.contract import Inbound, Refused
from adapters.contract.record import Record


def read_each(
    inbound: Inbound,
    members: Iterable[Any],
    read: Callable[[Any], Sequence[Record]],
    rest: Callable[[list[Any]], Any],
) -> list[Record]:
    """The records of all members; those that `read` refuses are held as the one body `rest` makes of them.

    Raises Refused, that of the first one, when no member can be read.
    """
    made: list[tuple[Record, Any]] = []
    bad: list[Any] = []
    reason = ""
    for member in members:
        try:
            made += [(record, member) for record in read(member)]
        except Refused as refused:
            bad.append(member)
            reason = reason or refused.problem.message
            if not made and len(bad) == 1:
                first = refused
    if not bad:
        return with_parts(inbound, made)
    if not made:
        raise first
    records = with_parts(inbound, made, always=True)
    inbound.parts = [*inbound.parts, None]
    return [*records, Record(text="", unreadable=reason, held=json.dumps(rest(bad), ensure_ascii=False))]
