"""What is out of the ordinary, for one destination that listens to that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.destinations.kind import Change
from gateway.destinations.message import Message


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm as programs and as people are told it, with the records whose words are in the message.

    It is raised unless one of the same `name` was raised behind the time `after`, milliseconds UTC.
    """

    name: str
    after: int
    change: Change
    message: Message
    quoted: Sequence[str] = ()
