"""What the native API takes and answers, for its description: beside the schemas that check bodies, these.

The endpoints themselves are in gateway.api.
"""

from __future__ import annotations

from gateway.shapes.routes import OPEN, SHAPES

__all__ = ["OPEN", "SHAPES"]
