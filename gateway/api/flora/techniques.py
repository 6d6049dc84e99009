"""GET /api/v1/techniques: the long jobs that this gateway does, as FLORA lists its own."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from adapters.common.schemas import Payload, Text
from adapters.contract import Inbound, Reply
from adapters.contract.description import Shape, Shown, listed, text, whole
from adapters.flora import LONGEST_PAGE, PAGE, PageMeta, cursor_of, identifier, limit_of, offset_of
from gateway.access.api_keys import ANY
from gateway.access.caller import Caller
from gateway.api.flora.route import Route, not_found, own_workspace
from gateway.runs import registry
from gateway.runs.technique import Technique

TYPES = ("imageUrl", "videoUrl", "audioUrl", "text", "documentUrl")
PAGED = {
    "limit": fields.Integer(metadata={"minimum": 1, "maximum": LONGEST_PAGE, "default": PAGE}),
    "cursor": Text(metadata={"description": "`meta.next_cursor` of the page before."}),
}


class Asked(Payload):
    workspace_id = Text(identifier("ws", "Workspace"))


class TechniquePage(Asked):
    """How pages are asked for; `limit_of` and `offset_of` read it."""

    query = Text(metadata={"description": "What a technique's name, slug or description must contain."})
    limit = PAGED["limit"]
    cursor = PAGED["cursor"]


class Parameter(Shown):
    """An input or an output. An input is always a text: the id of a file, or its address, is one, too."""

    sometimes = ("description", "optional")
    id = text()
    name = text()
    type = text(*TYPES)
    description = text()
    optional = fields.Boolean()


class TechniqueShown(Shown):
    technique_id = text()
    name = text()
    description = text()
    run_cost = whole(minimum=0)
    inputs = listed(Parameter)
    outputs = listed(Parameter)


class Techniques(Shown):
    techniques = listed(TechniqueShown)
    meta = fields.Nested(PageMeta)


def list_techniques(caller: Caller, inbound: Inbound) -> Reply:
    """List the techniques; which of them a key may run depends on its scopes."""
    sent = Asked.check(dict(inbound.query))
    own_workspace(caller, sent.get("workspace_id"))
    wanted = inbound.query.get("query", "").casefold()
    start, limit = offset_of(inbound.query), limit_of(inbound.query)
    found = [one for one in registry.load().values() if wanted in _words(one)]
    end = start + limit
    meta = {"next_cursor": cursor_of(end if end < len(found) else None), "total_estimate": len(found)}
    return Reply(200, {"techniques": [_document(one) for one in found[start:end]], "meta": meta})


def show_technique(caller: Caller, inbound: Inbound) -> Reply:
    """Show one technique, by its id or its slug."""
    return Reply(200, _document(named(inbound.params["technique_id"])))


def named(name: str) -> Technique:
    """The technique with this id or slug. Raises Refused (404)."""
    found = registry.find(name)
    if found is None:
        raise not_found()
    return found


def _words(technique: Technique) -> str:
    return f"{technique.slug} {technique.name} {technique.description}".casefold()


def _document(technique: Technique) -> dict[str, Any]:
    inputs = [
        {
            "id": one.id,
            "name": one.name,
            "type": "text",
            "description": one.description,
            "optional": one.optional,
        }
        for one in technique.inputs
    ]
    outputs = [
        {"id": one.id, "name": one.name, "type": "documentUrl", "description": one.description}
        for one in technique.outputs
    ]
    return {
        "technique_id": technique.id,
        "name": technique.name,
        "description": technique.description,
        "run_cost": 0,
        "inputs": inputs,
        "outputs": outputs,
    }


TECHNIQUES = (
    Route(
        "/api/v1/techniques",
        list_techniques,
        Shape(query=TechniquePage, answers={200: Techniques}, asked={"limit": 2}),
        scope=ANY,
    ),
    Route(
        "/api/v1/techniques/<technique_id>",
        show_technique,
        Shape(answers={200: TechniqueShown}),
        scope=ANY,
    ),
)
