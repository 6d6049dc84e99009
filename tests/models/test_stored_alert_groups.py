"""The groups of alerts that were stored before there were any."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from playhouse.migrate import SchemaMigrator

from models import Feedback
from models.database.base import database
from models.tables.alert_group import group_of
from tests.api.test_alert_groups import GROUPS
from tests.conftest import Call

pytestmark = pytest.mark.both
STEP = "models.migrations.0036_alert_groups"


def test_what_is_stored_gets_its_group(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alert is given the group that it would be stored with today, however often that is begun."""
    step = import_module(STEP)
    monkeypatch.setattr(step, "_AT_ONCE", 3)
    expected: dict[str, str | None] = {}
    for given, _ in GROUPS.values():
        row: dict[str, Any] = {"type": "alert", "title": "Title", "subject": {}, "tags": [], **given}
        made = call("POST", "/gateway/v1/feedback", json={"text": "words"}).json["id"]
        stored = {name: row[name] for name in ("type", "title", "subject", "tags")}
        Feedback.update({**stored, "alert_group": "stale"}).where(Feedback.id == made).execute()
        expected[made] = group_of({**row, "source": "native"}) or "stale"  # messages are left alone
    Feedback.update(status="resolved").where(Feedback.id == max(expected)).execute()
    for _ in range(2):
        database.execute_sql("DROP TABLE IF EXISTS alert_mute")
        step.up(SchemaMigrator.from_database(database.obj), database.obj)

    assert {row.id: row.alert_group for row in Feedback.select()} == expected
