"""GET /api/v1/models: the triage models, as FLORA lists those that generate."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from adapters.common.schemas import Payload, Text, one_of
from adapters.contract import Inbound, Reply
from adapters.contract.description import Shape, Shown, listed, text, whole
from gateway import triage
from gateway.access.caller import Caller
from gateway.api.flora.route import Route
from models.tables import trained_model

TYPES = ("image", "video", "audio", "text")
CAPABILITIES = ("category", "sentiment", "impact", "language")


class ModelQuery(Payload):
    type = Text(one_of(TYPES))


class Model(Shown):
    """A triage model: it costs nothing, answers at once and takes no parameters."""

    model_id = text()
    name = text()
    provider = text()
    type = text("text")
    capabilities = fields.List(text(*CAPABILITIES))
    estimated_credits = whole(minimum=0)
    estimated_seconds = whole(minimum=0)
    params = fields.List(fields.Dict())


class Models(Shown):
    models = listed(Model)


def list_models(caller: Caller, inbound: Inbound) -> Reply:
    """List the triage models: the one in use first, then those that can be gone back to."""
    wanted = ModelQuery.check(dict(inbound.query)).get("type", "text")
    versions = dict.fromkeys((triage.version(), *(row["version"] for row in trained_model.kept())))
    return Reply(200, {"models": [_model(version) for version in versions] if wanted == "text" else []})


def _model(version: str) -> dict[str, Any]:
    return {
        "model_id": version,
        "name": f"Triage {version}",
        "provider": "feedback-gateway",
        "type": "text",
        "capabilities": list(CAPABILITIES),
        "estimated_credits": 0,
        "estimated_seconds": 0,
        "params": [],
    }


MODELS = (
    Route(
        "/api/v1/models",
        list_models,
        Shape(query=ModelQuery, answers={200: Models}, asked={"type": "text"}),
    ),
)
