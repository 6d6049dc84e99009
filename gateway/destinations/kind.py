"""What a kind of destination is: how it puts what is told, and how it sends that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.core import outbound
from gateway.destinations.message import Message


@dataclass(frozen=True, slots=True)
class Change:
    """A change to be told. `at` is milliseconds UTC.

    `data` is the record as the API shows it, or as much of it as is to be told. `more` says what has changed:
    `event_id`, `changes`, `note`. `url` is where people read the record, empty when there is none.
    """

    type: str
    at: int
    workspace_id: str
    data: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt at telling something; `body` is the same at each. `at` is milliseconds UTC.

    `headers` are those that the destination's admin set, `secrets` those that live. `earlier` is the
    reference of the first message of the same thread that was taken here, None without one. `destination` is
    the id of the destination.
    """

    id: str
    url: str
    body: str
    headers: Mapping[str, str]
    secrets: Sequence[str]
    at: int
    earlier: str | None = None
    destination: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered. `status` is None when it did not, and `why` says what was wrong.

    `reference` is its own name for the message, by which a later one can change or follow it. An answer that
    `is_final` would be the same each time: it is not tried again. `note` is what else is to be known of a
    message that was taken, for the log.
    """

    status: int | None
    why: str | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    reference: str | None = None
    is_final: bool = False
    note: str | None = None

    @property
    def is_taken(self) -> bool:
        return self.why is None and self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of destination. `name` is the admin's word for it.

    Either `render` makes the body of a change, for programs, or `write` that of a message, for people. `send`
    makes one attempt: it blocks, in a thread of the worker's, and raises outbound.Forbidden, Unreachable.
    `new_secret` makes a secret; None when nothing is signed. `check` raises Forbidden for an address that is
    none of this kind, and says what to give instead.
    """

    name: str
    send: Callable[[Delivery], Answer]
    render: Callable[[Change], str] | None = None
    write: Callable[[Message], str] | None = None
    new_secret: Callable[[], str] | None = None
    check: Callable[[str], None] = outbound.check

    @property
    def is_for_people(self) -> bool:
        return self.write is not None
