"""What FLORA's routes have in common: whose workspace, one request once, ids as FLORA checks them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial

from marshmallow import ValidationError

from adapters.contract import Fault, Inbound, Problem, Refused, invalid
from adapters.flora import ADAPTER, identifier
from gateway.access.caller import Caller
from gateway.api.endpoint import Endpoint
from gateway.core.ids import is_ours
from gateway.intake import idempotency

Route = partial(Endpoint, dialect=ADAPTER.name)


def not_found() -> Refused:
    """The refusal of what is not there, or is another's."""
    return Refused(Problem(404, "not_found", "Not found."))


def conflict(message: str) -> Refused:
    """The refusal of what cannot be done in the state that something is in."""
    return Refused(Problem(409, "conflict", message))


def once(caller: Caller, inbound: Inbound) -> AbstractContextManager[None]:
    """A transaction that takes the request's Idempotency-Key. Raises Refused (409) when that was used."""
    return idempotency.claimed(caller, ADAPTER, inbound)


def own_workspace(caller: Caller, workspace_id: str | None) -> None:
    """Another's workspace and one that does not exist are answered alike. Raises Refused (403)."""
    if workspace_id not in (None, caller.workspace_id):
        raise Refused(Problem(403, "forbidden", "Forbidden."))


def last_of(prefix: str, query: Mapping[str, str]) -> str | None:
    """The id with which the page before ended, as the cursor has it. Raises Refused (400)."""
    cursor = query.get("cursor")
    if cursor and not is_ours(prefix, cursor):
        raise invalid(Fault("cursor", "Invalid cursor"))
    return cursor or None


def path_id(inbound: Inbound, name: str, prefix: str, called: str) -> str:
    """The id in the path. Raises Refused (400) when it does not begin as such ids do."""
    value = inbound.params[name]
    try:
        identifier(prefix, called)(value)
    except ValidationError as error:
        raise invalid(Fault(name, str(error.messages[0]))) from None
    return value
