"""/gateway/v1/views: lists under a name; /gateway/v1/people: who may take care of records."""

from __future__ import annotations

from typing import Any

from adapters.contract import Fault, Inbound, Problem, Refused, Reply, invalid
from gateway.access import assignees
from gateway.access import views as stored
from gateway.access.caller import Caller
from gateway.api import filters, query_parameters
from gateway.api.schemas.views import NewView, ViewChange
from models.database.base import writing
from models.tables import saved_view

BESIDE = ("sort", "time")  # what a view's query has beside its filter
_ANYBODY = "usr_"  # `me` is whoever looks at a view


def list_views(caller: Caller, inbound: Inbound) -> Reply:
    """The shared views in their order, and a person's own: all of them. Raises Refused (400)."""
    if faults := query_parameters.unknown(inbound, ()):
        raise invalid(*faults)
    found = saved_view.of(caller.workspace_id, caller.person)
    return Reply(200, {"data": [stored.document(row) for row in found], "next_cursor": None})


def create_view(caller: Caller, inbound: Inbound) -> Reply:
    """A new view. Raises Refused (400, 403)."""
    sent = checked(NewView.of(inbound))
    with writing():
        row = stored.create(caller, sent, inbound.received_at)
    return Reply(201, stored.document(row))


def change_view(caller: Caller, inbound: Inbound) -> Reply:
    """Another name, query, place or audience. Raises Refused (400, 403, 404)."""
    sent = checked(ViewChange.of(inbound))
    if not sent:
        raise invalid(Fault("body", f"Must have one of {', '.join(ViewChange().fields)}"))
    with writing():
        row = stored.change(caller, _found(caller, inbound), sent)
    return Reply(200, stored.document(row))


def delete_view(caller: Caller, inbound: Inbound) -> Reply:
    """Deletes a view. Raises Refused (403, 404)."""
    with writing():
        stored.delete(caller, _found(caller, inbound))
    return Reply(204)


def list_people(caller: Caller, inbound: Inbound) -> Reply:
    """The people who may take care of records, by name. Raises Refused (400)."""
    if faults := query_parameters.unknown(inbound, ()):
        raise invalid(*faults)
    found = assignees.people_of(caller.workspace_id)
    shown = [
        {"user_id": row["id"], **{name: row[name] for name in ("name", "email", "role")}} for row in found
    ]
    return Reply(200, {"data": shown, "next_cursor": None})


def checked(sent: dict[str, Any]) -> dict[str, Any]:
    """A body whose query is one of the list. Raises Refused (400), every fault of the query named."""
    if "position" in sent:
        sent = {**sent, "position": int(sent["position"])}
    if "query" in sent:
        faults: list[Fault] = []
        filters.read(sent["query"], BESIDE, faults, me=_ANYBODY)
        if faults:
            raise invalid(*(Fault(f"query.{fault.field}", fault.message) for fault in faults))
        sent = {**sent, "query": sent["query"].removeprefix("?")}
    return sent


def _found(caller: Caller, inbound: Inbound) -> dict[str, Any]:
    row = saved_view.find(caller.workspace_id, caller.person, inbound.params["view_id"])
    if row is None:
        raise Refused(Problem(404, "not_found", "No such view."))
    return row
