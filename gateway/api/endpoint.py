"""What a route of the native API is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapters.contract import Inbound, Reply
from adapters.contract.description import Shape
from gateway.access.caller import Caller
from gateway.access.hooks import cut_ids


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

    def answer(self, caller: Caller, inbound: Inbound) -> Reply:
        """What it answers a caller; ids of hooks are cut for those who may not manage hooks."""
        reply = self.act(caller, inbound)
        if "admin" not in caller.scopes:
            reply.body = cut_ids(reply.body)
        return reply
