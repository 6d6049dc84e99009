"""The endpoint of the feed of changes."""

from __future__ import annotations

from adapters.contract.description import Shape
from gateway.api.changes import list_changes
from gateway.api.endpoint import Endpoint
from gateway.api.schemas.changes import Changes, ChangesQuery

CHANGES = (
    Endpoint(
        "/gateway/v1/changes",
        list_changes,
        Shape(query=ChangesQuery, answers={200: Changes}, refusals=(410,), asked={"limit": 2}),
    ),
)
