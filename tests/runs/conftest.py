"""Runs of a technique that does whatever a test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.runs import lifecycle, registry
from gateway.runs.technique import Input, Output, Outputs, Task, Technique
from models.database.base import writing
from tests.conftest import Tenant

Act = Callable[[Task], Outputs]
Start = Callable[..., dict[str, Any]]


def technique(act: Act, slug: str = "probe") -> Technique:
    """A technique with one input and one output."""
    inputs, outputs = (Input("text", "Text", "Any."),), (Output("report", "Report", "What it made."),)
    return Technique(slug, "Probe", "For tests.", "ingest", inputs, outputs, act)


@pytest.fixture(name="probed")
def _probed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Act], Technique]:
    """Has the registry know only a technique that acts so."""

    def probed(act: Act) -> Technique:
        made = technique(act)
        monkeypatch.setattr(registry, "load", lambda: {made.slug: made})
        return made

    return probed


@pytest.fixture(name="start")
def _start(tenant: Tenant) -> Start:
    """Starts a run of the tenant's: start(technique, {"text": "a"}, idempotency_key="k")."""

    def start(of: Technique, inputs: dict[str, str] | None = None, **options: Any) -> dict[str, Any]:
        with writing():
            return lifecycle.start(of, inputs or {}, tenant.workspace_id, "key_test", **options)[0]

    return start
