"""The gateway's constants that these tests change (benchmarks/launch.py), in one place."""

from __future__ import annotations

from typing import Any

# Slow clients get a second, so that requests which never end are refused soon.
HASTY: dict[str, Any] = {
    "gateway.server.connection.ARRIVE": 1.0,
    "gateway.server.streamed_body.BODY_GRACE": 1.0,
}

# A gateway that has too much to do as soon as two requests wait.
CROWDED: dict[str, Any] = {
    **HASTY,
    "gateway.server.admission.CROWDED": 0.0,
    "gateway.server.gevent_worker.DELIVERIES": 1,
    "gateway.server.gevent_worker.PATIENCE": 0.2,
}
