"""What a channel is: a way to the author of a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to answer. `name` is the API's word for it.

    `lacks` says why a record cannot be answered so, or "". `address` is a digest of where the answer goes,
    made within the open transaction, or None where the record says it for good. `server` is who takes the
    answer, so that one who is slow holds up nobody else's. `shown` is what an answer
    (its row and its record) looks like there, for people. `send` makes one attempt: it blocks, in a thread of
    the worker's, and raises mail.NotSent. It returns the key under which the source will tell of the answer
    itself, or "". `refuses` says why a text cannot be sent so, or "".
    """

    name: str
    lacks: Callable[[Row], str]
    address: Callable[[Row], str | None]
    server: Callable[[Row], str]
    shown: Callable[[Row, Row], dict[str, Any]]
    send: Callable[[Row, Row], str]
    refuses: Callable[[str], str] = lambda text: ""
