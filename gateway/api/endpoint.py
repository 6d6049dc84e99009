"""What a route is that the trunk answers itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapters.contract import Inbound, Reply
from adapters.contract.description import Shape
from gateway.access.caller import Caller
from gateway.access.hooks import cut_ids


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route beside the feedback doors: what it needs and what it does.

    `shape` tells readers of the API's description what it takes and answers; nothing else depends on it.
    One of another `dialect` than the native API is refused in that, is also reachable below its mount, and
    takes a request off its caller's budget. `limit` is the most bytes of its body, where that is not that of
    every route.
    """

    path: str
    act: Callable[[Caller, Inbound], Reply]
    shape: Shape
    method: str = "GET"
    scope: str = "read"
    dialect: str = "native"
    limit: int = 0

    @property
    def is_native(self) -> bool:
        return self.dialect == "native"

    def answer(self, caller: Caller, inbound: Inbound) -> Reply:
        """What it answers a caller; ids of hooks are cut for those who may not manage hooks."""
        reply = self.act(caller, inbound)
        if "admin" not in caller.scopes:
            reply.body = cut_ids(reply.body)
        return reply
