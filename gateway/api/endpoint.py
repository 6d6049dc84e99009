"""What a route of the native API is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapters.contract import Inbound, Reply
from adapters.contract.description import Shape
from gateway.access.caller import Caller


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route of the native API beside the feedback door: what it needs and what it does.

    `shape` tells readers of the API's description what it takes and answers; nothing else depends on it.
    """

    path: str
    act: Callable[[Caller, Inbound], Reply]
    shape: Shape
    method: str = "GET"
    scope: str = "read"
