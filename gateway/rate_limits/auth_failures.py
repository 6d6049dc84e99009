"""Who failed too often to say who they are? Counted by address, so that guessing is slow and costs little.

Counted on this host only, in a file of its own: neither a flood of addresses nor one from a single
address reaches the counts of keys, or anything beyond this machine.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from adapters.contract import Inbound, Problem, Refused
from gateway.core.client_address import neighbourhood
from gateway.core.rate import Rate, Unavailable
from gateway.rate_limits.file_counter import FileCounter

RECORDS = 4_096  # addresses at once, in 1.3 MB; the idlest are forgotten when there are more

_meter: FileCounter | None = None
_rate = Rate.parse("60/minute")


def connect(path: Path, rate: str) -> None:
    """Sets where failures are counted and how many an address may cause."""
    global _meter, _rate
    if _meter is not None:
        _meter.close()
    _meter, _rate = FileCounter(path, RECORDS), Rate.parse(rate)


def check(inbound: Inbound, about: str = "", rate: Rate | None = None) -> None:
    """Raises Refused (429 with Retry-After) when the request's address has failed too often.

    `about` tells the failures about one thing, such as a hook, from all others; `rate` is how many of
    those there may be, when it is not that of the settings.
    """
    assert _meter is not None, "connect() comes first"
    with suppress(Unavailable):  # a full disk must not keep anybody out
        if wait := _meter.exhausted(_name(inbound, about), rate or _rate, inbound.received_at / 1000):
            raise _too_many(wait)


def note(inbound: Inbound, about: str = "", rate: Rate | None = None) -> None:
    """Counts a failure. Raises Refused as `check` does when it is one too many."""
    assert _meter is not None, "connect() comes first"
    with suppress(Unavailable):
        budget = _meter.spend(_name(inbound, about), rate or _rate, inbound.received_at / 1000)
        if not budget.allowed:
            raise _too_many(budget.reset)


def _name(inbound: Inbound, about: str) -> str:
    return f"{neighbourhood(inbound.client)} {about}"


def _too_many(wait: int) -> Refused:
    headers = {"Retry-After": str(wait)}
    message = "Too many failed attempts from this address."
    return Refused(Problem(429, "rate_limited", message, headers=headers))
