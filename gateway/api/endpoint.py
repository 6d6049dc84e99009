"""What a route is that the trunk answers itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapters.contract import Inbound, Reply
from adapters.contract.description import Shape
from gateway.access.caller import Caller
from gateway.access.hooks import cut_ids

NOBODY = Caller("", "", None, "", frozenset())


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route beside the feedback doors: what it needs and what it does.

    With the scope ANY it takes every key, and its function decides what that may.
    `shape` tells readers of the API's description what it takes and answers; nothing else depends on it.
    One of another `dialect` than the native API is refused in that, is also reachable below its mount, and
    takes a request off its caller's budget. One that `takes_files` may be sent a form as large as an upload,
    which it reads as it comes (`Inbound.rest`). One that is `linked` also answers who is signed in, or has a
    signed address of a file. One without a `scope` asks for no key: what it is sent proves
    who may send it.
    """

    path: str
    act: Callable[[Caller, Inbound], Reply]
    shape: Shape
    method: str = "GET"
    scope: str = "read"
    dialect: str = "native"
    takes_files: bool = False
    linked: bool = False

    @property
    def is_native(self) -> bool:
        return self.dialect == "native"

    def answer(self, caller: Caller, inbound: Inbound) -> Reply:
        """What it answers a caller; ids of hooks are cut for those who may not manage hooks."""
        reply = self.act(caller, inbound)
        if "admin" not in caller.scopes:
            reply.body = cut_ids(reply.body)
        return reply
