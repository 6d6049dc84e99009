"""What a record's page says of a label that a person replaced: who had said what, for every origin."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from gateway.access import topics
from gateway.core.ids import now_ms
from models import Feedback
from models.database.base import writing
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader

Make = Callable[..., Reader]
PATH = "/gateway/v1/feedback"
SAID = {
    "predicted": "the model said",
    "declared": "the sender said",
    "second_reader": "the second reader said",
}
WAS = {"category": "bug", "sentiment": "negative"}
NEW = {"category": "question", "sentiment": "neutral"}


def shown(page: str, name: str) -> str:
    """What stands beside the name of a label."""
    (found,) = re.findall(rf'<legend>{name} <span class="quiet">(.*?)</span></legend>', page)
    return str(found)


@pytest.mark.parametrize("origin", SAID)
@pytest.mark.parametrize("name", WAS)
@pytest.mark.parametrize("back", [False, True])
def test_who_had_said_it(call: Call, reader: Make, origin: str, name: str, back: bool) -> None:
    """The one who had said it is named with what was said, and nobody where a person says the same again."""
    record_id = call("POST", PATH, json={"text": "The export is broken"}).json["id"]
    Feedback.update(**{name: WAS[name], f"{name}_origin": origin}).where(Feedback.id == record_id).execute()
    ben = reader("triager")
    for value in (NEW[name], WAS[name])[: 1 + back]:
        ben.post(f"/records/{record_id}", {name: value})
    said = shown(ben.get(f"/records/{record_id}").text, name)
    other = "sentiment" if name == "category" else "category"

    assert said == ("corrected" if back else f"corrected, {SAID[origin]} {WAS[name]}")
    assert "said" not in shown(ben.get(f"/records/{record_id}").text, other)


def test_an_impact_and_a_topic(call: Call, reader: Make, tenant: Tenant) -> None:
    """An impact that a person set is told with what its parts make, and a topic as set."""
    record_id = call("POST", PATH, json={"text": "The export is broken"}).json["id"]
    before: Any = Feedback.get_by_id(record_id).impact
    with writing():
        row = topics.create(tenant.workspace_id, tenant.project_id, "Exports", "", now_ms())
    ben = reader("triager")
    ben.post(f"/records/{record_id}", {"impact": "13"})
    ben.post(f"/records/{record_id}", {"topic": row["id"]})
    page = ben.get(f"/records/{record_id}").text

    assert f"/ 14, corrected, its parts make {before}<" in page
    assert '<span class="quiet">corrected</span></form>' in page
    assert not re.search(r"said\s*<", page)
