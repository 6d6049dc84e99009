"""How long a record is put aside: until a time, until a delivery of it comes, or whichever is first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.common.schemas import Flag, Strict, Text
from adapters.contract import Fault, invalid
from gateway.api.filters import UNITS
from gateway.api.query_parameters import moment_of
from gateway.core.ids import now_ms

LATEST = 4_102_444_800_000  # 2100-01-01
_IN = re.compile(r"(\d{1,5})([mhdw])", re.ASCII)

Sleep = tuple[int | None, int | None]  # what `snoozed_until` and `wakes_on_delivery` are to be


class Snooze(Strict):
    until = Text(allow_none=True, load_default=None)
    wakes_on_delivery = Flag(load_default=True)


def snooze_of(sent: Mapping[str, Any] | None) -> Sleep:
    """The columns of a record that is snoozed so, or, with None, of one that is awake.

    Raises Refused (400) for a time that is none or is over, and for what nothing would wake.
    """
    if sent is None:
        return None, None
    until, by_delivery = sent["until"], sent["wakes_on_delivery"]
    if until is None and not by_delivery:
        raise invalid(Fault("snooze", "Must have a time or wake on a delivery: else nothing would wake it"))
    try:
        return None if until is None else _moment(until), int(by_delivery)
    except ValueError as error:
        raise invalid(Fault("snooze.until", str(error))) from None


def _moment(text: str) -> int:
    """A time, or how long from now, in milliseconds UTC. Raises ValueError, whose text is for the sender."""
    now = now_ms()
    span = _IN.fullmatch(text)
    found = now + int(span[1]) * UNITS[span[2]] if span else moment_of(text)
    if not now < found < LATEST:
        raise ValueError("Must be later than now, and before 2100")
    return found
