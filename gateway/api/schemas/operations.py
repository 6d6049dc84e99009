"""What the routes that need no key take and answer."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.contract.description import Shape
from gateway.api.schemas.answers import (
    Alive,
    Description,
    Ready,
)

HTML = "text/html; charset=utf-8"
# Routes that need no key.
OPEN: Mapping[str, Shape] = {
    "/healthz": Shape(summary="Say whether the process is alive.", answers={200: Alive}),
    "/readyz": Shape(
        summary="Say whether feedback can be taken, and what is in the way.", answers={200: Ready, 503: Ready}
    ),
    "/metrics": Shape(
        summary="Tell Prometheus the numbers.", answers={200: None}, shown_as=("text/plain; charset=utf-8",)
    ),
    "/openapi.json": Shape(summary="Show this description.", answers={200: Description, 304: None}),
    "/docs": Shape(summary="Show this description as a page.", answers={200: None}, shown_as=(HTML,)),
    "/docs/<name>": Shape(
        summary="A file of that page.",
        answers={200: None, 304: None},
        refusals=(404,),
        shown_as=("text/css", "text/javascript"),
    ),
}
