"""A digest as a run: as of when it was started, in both forms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.core.ids import now_ms
from gateway.files.store import store
from gateway.runs.techniques.digest import TECHNIQUE
from models.tables import asset
from tests.background.test_second_reading import PATH
from tests.conftest import Call, Tenant
from tests.runs.conftest import Start
from tests.runs.test_engine import host, row_of


@pytest.mark.both
def test_a_digest(call: Call, tenant: Tenant, start: Start) -> None:
    """Its outputs are Markdown and HTML of the run's own project."""
    call("POST", PATH, json={"text": "The lamp is broken", "author": {"name": "Zebedee"}})
    today = f"{datetime.fromtimestamp(now_ms() / 1000, UTC):%Y-%m-%d}"
    inputs = {"period": f"{today}..{today}", "language": "nl"}
    made = start(TECHNIQUE, inputs, project_id=tenant.project_id)
    host()
    row = row_of(made["id"])
    assert row["status"] == "completed", row
    texts = {}
    for output in row["outputs"]:
        kept = asset.find(tenant.workspace_id, None, output["asset_id"])
        assert kept is not None
        texts[output["id"], kept["content_type"]] = b"".join(store().open(kept["sha256"])).decode()
    day = today.replace("-", "")
    assert {output["name"] for output in row["outputs"]} == {
        f"digest-{day}-{day}.{end}" for end in ("md", "html")
    }
    assert set(texts) == {("report", "text/markdown"), ("page", "text/html")}
    for text in texts.values():
        assert "Er kwam 1 melding binnen" in text
        assert "The lamp is broken" in text
        assert "Zebedee" not in text


def test_inputs() -> None:
    """What is wrong with each input is said; what may be left out may be empty."""
    wrong = TECHNIQUE.check({"period": "year", "zone": "Mars", "language": "de"}, "ws", None)
    assert [fault.field for fault in wrong] == ["zone", "period", "language"]
    assert wrong[0].message == "Must be a zone such as Europe/Amsterdam"
    assert not TECHNIQUE.check({"period": "week", "zone": "", "language": ""}, "ws", None)
    assert not TECHNIQUE.check({"period": "day", "zone": "Europe/Amsterdam", "language": "nl"}, "ws", None)
