"""Whoever reads for long: with little in memory, and without keeping what is written from leaving the log."""

from __future__ import annotations

import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tables import fill
from gateway.access.caller import Caller
from gateway.api import feedback_bulk
from gateway.background import clustering, retention, themes
from gateway.core import pacing
from gateway.core.ids import now_ms
from gateway.transfer import file_export, subject_access
from models import Feedback, Quarantine
from models.database.base import close, connect, database
from models.intake import commit
from models.queries import personal_data
from models.queries.feedback_query import Filter
from models.queries.personal_data import Person
from models.queries.retention import received
from tests.conftest import Call, Tenant

PATH = "/gateway/v1/feedback"
LOG_BYTES = 3 * 32 * 2**20  # of the write-ahead log: emptied at 32 MB unless somebody reads at that moment


def caller(tenant: Tenant) -> Caller:
    scopes = frozenset({"read", "triage"})
    return Caller("key", tenant.workspace_id, None, tenant.project_id, scopes, None, None, ())


ADA = Person("ada@example.com", None)
# What is read while something else is done with what was read before.
READERS: dict[str, Callable[[Tenant], Iterator[Any]]] = {
    "export": lambda tenant: file_export.documents(tenant.workspace_id, None, Filter()),
    "search export": lambda tenant: file_export.documents(
        tenant.workspace_id, None, Filter(status=("open",))
    ),
    "bulk change": lambda tenant: feedback_bulk.Meant(
        caller(tenant), chosen=Filter(status=("open",))
    ).chunks(),
    "author's data": lambda tenant: subject_access.export(tenant.workspace_id, ADA),
    "erasure, records": lambda tenant: personal_data.records(tenant.workspace_id, now_ms()),
    "erasure, history": lambda tenant: personal_data.events([row.id for row in Feedback.select()]),
    "erasure, keys": lambda tenant: personal_data.keys(tenant.workspace_id),
    "erasure, quarantine": lambda tenant: personal_data.by_id(Quarantine, tenant.workspace_id),
    "retention": lambda tenant: retention._pages(
        lambda after, limit: received(
            {"workspace": tenant.workspace_id, "id": tenant.project_id}, now_ms(), after, limit
        ),
        5,
    ),
    "themes": lambda tenant: clustering.read(tenant.workspace_id, None, ""),
    "themes, scopes": lambda tenant: themes._scopes(),
}


def test_the_log_can_be_emptied(call: Call, tenant: Tenant, database_url: str) -> None:
    """Between two things that are read no read transaction is open, so that the log can be emptied."""
    for number in range(3):
        sent = {"text": f"The page of invoice {number} stays empty", "author": {"email": "ada@example.com"}}
        assert call("POST", PATH, json=sent, headers={"Idempotency-Key": f"k-{number}"}).status_code == 201
    held = {"workspace_id": tenant.workspace_id, "project_id": tenant.project_id, "source": "s"}
    held |= {
        "hook_id": "h",
        "reason": "r",
        "request": {},
        "payload": b"",
        "received_at": 1,
        "replayed_at": None,
    }
    Quarantine.insert_many([{**held, "id": f"qr_{number}"} for number in range(3)]).execute()
    path = database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for name, reader in READERS.items():
            found = reader(tenant)
            assert next(found), name
            other.execute("UPDATE feedback SET votes = votes + 1")
            busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert not busy, name
            assert Path(f"{path}-wal").stat().st_size == 0
            list(found)


def test_long_texts_are_read_few_at_a_time(
    call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export reads as many records as have so much text, from the second page on, and all of them."""
    call("POST", f"{PATH}/batch", json=[{"text": f"{n} " + 30 * "word "} for n in range(40)])
    call("POST", f"{PATH}/batch", json=[{"text": "a"} for _ in range(100)])
    asked: list[int] = []
    page = file_export.feedback_query.page

    def asking(*args: Any, limit: int, **options: Any) -> Any:
        asked.append(limit)
        return page(*args, limit=limit, **options)

    monkeypatch.setattr(file_export.feedback_query, "page", asking)
    monkeypatch.setattr(file_export, "FIRST", 10)
    monkeypatch.setattr(file_export, "PAGE", 30)
    monkeypatch.setattr(file_export, "AT_HAND", 800)
    found = list(file_export.documents(tenant.workspace_id, None, Filter()))

    assert len(found) == 140
    assert set(asked[1:8]) == {5}
    assert asked[-2:] == [30, 30]


@pytest.mark.long
def test_a_large_table(
    call: Call, tenant: Tenant, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200,000 records are exported and changed while others are stored: each post comes before the next part.

    The log stays small, and so does memory.
    """
    rows = 200_000
    call("POST", PATH, json={"text": "The first of all"})
    commit.stop()
    close()
    fill(database_url, rows, now_ms() - 1000, ["The page stays empty", "Undo for bulk rename", "Thank you"])
    connect(database_url)
    log = Path(database_url.removeprefix("sqlite:///") + "-wal")
    logs: list[int] = []
    parts: list[int] = []
    posts: list[int] = []

    def rest(seconds: float) -> None:
        if len(parts) % 50 == 0:
            assert call("POST", PATH, json={"text": f"Sent meanwhile, {len(parts)}"}).status_code == 201
            posts.append(len(parts))
        logs.append(log.stat().st_size)
        parts.append(1)

    monkeypatch.setattr(pacing, "rest", rest)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    exported: list[int] = []

    def export() -> None:
        answer = call("GET", "/gateway/v1/export?format=ndjson", buffered=False)
        exported.append(sum(part.count(b"\n") for part in answer.response))
        answer.close()
        database.close()

    reader = threading.Thread(target=export)
    reader.start()
    sent: dict[str, Any] = {"filter": "until=2030-01-01T00:00:00Z", "change": {"tags": ["looked-at"]}}
    changed = 0
    while True:
        answer = call("PATCH", PATH, json=sent).json
        changed += answer["changed"]
        if answer["next_cursor"] is None:
            break
        sent["cursor"] = answer["next_cursor"]
    reader.join()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024

    assert exported[0] >= rows
    assert changed >= rows
    assert len(parts) > rows / pacing.MOST
    assert max(logs) < LOG_BYTES
    assert grown < 150 * 2**20
