"""What the native API takes and answers, for its description: beside the schemas that check bodies, these.

The endpoints themselves are in gateway.api.endpoints.
"""

from __future__ import annotations
