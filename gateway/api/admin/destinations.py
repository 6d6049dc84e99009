"""/gateway/v1/destinations: who is told of changes, and what became of telling them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.common.schemas import Strict
from adapters.contract import Fault, Inbound, Refused, Reply, invalid
from gateway.access.caller import Caller
from gateway.api import pagination, query_parameters
from gateway.api.admin.request_schemas import body_of, project_of, secret, unknown
from gateway.api.query_parameters import moment_of
from gateway.api.schemas.destinations import DestinationChange, Forget, NewDestination, Replay
from gateway.destinations import managing
from gateway.http import entity_tags
from models.tables import destination, outgoing


def list_destinations(caller: Caller, inbound: Inbound) -> Reply:
    """The workspace's destinations, the oldest first, without their secrets."""
    limit, after = pagination.asked(inbound)
    found = destination.list_page(caller.workspace_id, caller.project_id, after=after, limit=limit + 1)
    return pagination.answer([managing.shown(row) for row in found], limit)


def create_destination(caller: Caller, inbound: Inbound) -> Reply:
    """A new destination; its secret is in this answer only. Raises Refused (400)."""
    sent = _checked(NewDestination, caller, inbound)
    project_id = project_of(caller, sent)
    kind, url = sent["kind"], sent["url"]
    made = managing.create(caller.workspace_id, project_id, kind, url, sent, by=caller.key_id)
    return secret(201, made)


def show_destination(caller: Caller, inbound: Inbound) -> Reply:
    """One destination, with its ETag. Raises Refused (404)."""
    return _shown(_found(caller, inbound))


def change_destination(caller: Caller, inbound: Inbound) -> Reply:
    """Sets what is sent; what waits is held while it is paused.

    With If-Match it is changed only while it still has that ETag. Raises Refused (400, 404, 412).
    """
    row = _found(caller, inbound)
    sent = _checked(DestinationChange, caller, inbound, row["kind"])
    if not sent:
        raise invalid(Fault("body", f"Must have one of {', '.join(DestinationChange().fields)}"))

    def check(found: Mapping[str, Any]) -> None:
        entity_tags.check_match(inbound, destination.version(found))

    return _shown(managing.change(row, sent, by=caller.key_id, check=check))


def delete_destination(caller: Caller, inbound: Inbound) -> Reply:
    """Ends a destination with its deliveries. Raises Refused (404)."""
    managing.delete(_found(caller, inbound), by=caller.key_id)
    return Reply(204)


def rotate_destination(caller: Caller, inbound: Inbound) -> Reply:
    """A new secret, in this answer only; the old one signs for another day, too. Raises Refused (404)."""
    return secret(200, managing.rotate(_found(caller, inbound), by=caller.key_id))


def test_destination(caller: Caller, inbound: Inbound) -> Reply:
    """Has a `destination.test` sent as changes are. Raises Refused (404)."""
    managing.test(_found(caller, inbound))
    return Reply(202, {"queued": 1})


def list_deliveries(caller: Caller, inbound: Inbound) -> Reply:
    """What was sent and is to be sent, the newest first, with each attempt. Raises Refused (400, 404)."""
    faults: list[Fault] = []
    state = query_parameters.word(inbound, "state", outgoing.STATES, faults)
    if faults:
        raise invalid(*faults)
    limit, before = pagination.asked(inbound, "state")
    row = _found(caller, inbound)
    return pagination.answer(managing.deliveries(row, state=state, before=before, limit=limit + 1), limit)


def replay_deliveries(caller: Caller, inbound: Inbound) -> Reply:
    """Sends deliveries anew: one, or those of a state and a time. Raises Refused (400, 404)."""
    row, chosen = _found(caller, inbound), chosen_deliveries(Replay, body_of(inbound))
    return Reply(202, {"queued": managing.replay(row, by=caller.key_id, **chosen)})


def forget_deliveries(caller: Caller, inbound: Inbound) -> Reply:
    """Deletes what was not taken: one, or those of a state and a time. Raises Refused (400, 404)."""
    row, chosen = _found(caller, inbound), chosen_deliveries(Forget, body_of(inbound))
    return Reply(200, {"forgotten": managing.forget(row, by=caller.key_id, **chosen)})


def chosen_deliveries(schema: type[Strict], sent: Any) -> dict[str, Any]:
    """Which deliveries are meant, times in milliseconds UTC. Raises Refused (400)."""
    chosen = schema.check(sent)
    if "delivery_id" in chosen and len(chosen) > 1:
        raise invalid(Fault("delivery_id", "Must stand alone"))
    return chosen | {name: moment_of(chosen[name]) for name in ("since", "until") if name in chosen}


def _checked(schema: type[Strict], caller: Caller, inbound: Inbound, kind: str = "") -> dict[str, Any]:
    """A body as its schema reads it. Raises Refused (400) with the faults of its address and filter, too."""
    try:
        return dict(schema.of(inbound))
    except Refused as refused:
        found, sent = refused.problem.faults, inbound.json
        kind = kind or (str(sent.get("kind", "")) if isinstance(sent, dict) else "")
        raise invalid(
            *found, *managing.more_faults(caller.workspace_id, kind, sent, [fault.field for fault in found])
        ) from None


def _shown(row: Mapping[str, Any]) -> Reply:
    return Reply(200, managing.shown(row), {"ETag": entity_tags.tag(destination.version(row))})


def _found(caller: Caller, inbound: Inbound) -> dict[str, Any]:
    row = destination.find(caller.workspace_id, caller.project_id, inbound.params["destination_id"])
    if row is None:
        raise unknown("destination")
    return row
