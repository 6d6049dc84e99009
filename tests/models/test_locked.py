"""A transaction on the server that nobody ends: intake waits for no row of it that it can do without."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from gateway.core import log
from models import ApiKey, Feedback, Outcome
from models.database.base import database, writing
from models.intake import commit as intake
from models.queries.feedback_query import Filter
from models.queries.statistics import impacts
from models.tables.daily_count import Rollup
from models.tables.outcome import add
from tests.conftest import Call, Tenant, until

pytestmark = pytest.mark.parametrize("kind", ["postgres"], indirect=True)

PATH = "/gateway/v1/feedback"


@contextmanager
def idle(url: str, *statements: str) -> Iterator[None]:
    """Somebody else's transaction that has done this, and is not ended before the block is."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement)
        yield
        connection.rollback()


def test_every_row_of_every_table(call: Call, database_url: str) -> None:
    """Whichever table somebody holds every row of, a record finds its place, and all counts are right."""
    for number in range(2):
        assert call("POST", PATH, json={"text": f"Something new, before: {number}"}).status_code == 201
    tables = database.get_tables()
    for name in tables:
        with idle(database_url, f'SELECT * FROM "{name}" FOR UPDATE'):
            for number in range(2):
                answer = call("POST", PATH, json={"text": f"Something new while {name} is held: {number}"})
                assert answer.status_code == 201, name
    stored = 2 + 2 * len(tables)

    assert Feedback.select().count() == stored
    assert sum(row.records for row in Rollup.select()) == stored
    counted = Outcome.select().where(Outcome.outcome == "accepted")
    assert sum(row.requests for row in counted) == sum(row.records for row in counted) == stored


def test_what_somebody_has_changed(call: Call, database_url: str) -> None:
    """Nor does a record wait for what somebody has begun to store, change or delete by hand."""
    call("POST", PATH, json={"text": "One there was before"})
    changed = (
        "UPDATE feedback SET impact = impact + 1",
        "UPDATE outcome SET requests = requests",
        "UPDATE api_key SET name = 'new'",
        "DELETE FROM feedback",
    )
    for statement in changed:
        with idle(database_url, statement):
            assert call("POST", PATH, json={"text": f"While: {statement}"}).status_code == 201

    assert sum(row.records for row in Rollup.select()) == Feedback.select().count() == 1 + len(changed)


def test_rows_are_used_again(call: Call, database_url: str) -> None:
    """While all rows of a count are held one more is made, and not one a request; one writer needs one."""
    for number in range(3):
        call("POST", PATH, json={"text": f"The free count number {number}"})
    assert Outcome.select().count() == 1
    with idle(database_url, "SELECT * FROM outcome FOR UPDATE", "SELECT * FROM rollup FOR UPDATE"):
        for number in range(5):
            call("POST", PATH, json={"text": f"The held count number {number}"})

    assert Outcome.select().count() == 2
    assert len({row.slot for row in Rollup.select()}) == 2


def test_counts_of_many_at_once(call: Call, tenant: Tenant) -> None:
    """Eight who count the same at the same moment wait for nobody, and nothing is counted twice or lost."""
    call("POST", PATH, json={"text": "The one to copy"})
    row = Feedback.select().dicts().get()
    known = (60_000, "w", "key", "native", "accepted")
    together = threading.Barrier(8)

    def work(number: int) -> None:
        try:
            for turn in range(25):
                if turn % 5 == 0:
                    together.wait(60)
                with writing():
                    add({known: 1}, {known: 2})
                    Feedback.insert({**row, "id": f"fb_{number}_{turn}"}).execute()
                    Feedback.update(impact=turn % 15).where(Feedback.id == f"fb_{number}_{turn}").execute()
        finally:
            database.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    ours = Outcome.select().where(Outcome.workspace_id == "w")

    assert sum(row.requests for row in ours) == 200
    assert sum(row.records for row in ours) == 400
    assert ours.count() <= 8
    assert sum(row.records for row in Rollup.select()) == 201
    assert impacts(tenant.workspace_id, None, Filter()) == [
        Feedback.select().where(Feedback.impact == level).count() for level in range(15)
    ]


def test_readiness(client: FlaskClient, call: Call, database_url: str) -> None:
    """The row that proves a commit is no reason to wait, either."""
    assert client.get("/readyz").status_code == 200
    intake._probed = -1.0
    with idle(database_url, "SELECT * FROM outcome FOR UPDATE"):
        assert client.get("/readyz").status_code == 200


def test_a_key_that_is_held(call: Call, tenant: Tenant, database_url: str) -> None:
    """When a key was used is written once nobody holds it."""
    with idle(database_url, "SELECT * FROM api_key FOR UPDATE"):
        call("POST", PATH, json={"text": "One with the key"})
        intake.flush()
        assert ApiKey.get().last_used_at is None
    intake.flush()

    assert ApiKey.get().last_used_at is not None


def test_what_must_be_waited_for(
    app: Flask,
    tenant: Tenant,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What needs a row that somebody holds is refused with 503 and a line in the log; others are stored.

    Also those that share its transaction: each is tried alone.
    """
    monkeypatch.setattr(intake, "LOCK_WAIT", 0.05)
    log.configure("error")
    first = {"json": {"text": "The first of its key"}, "headers": {**tenant.headers, "Idempotency-Key": "k"}}
    asked = [first] + [{"json": {"text": f"Beside it, {n}"}, "headers": tenant.headers} for n in range(3)]

    def post(options: dict[str, Any]) -> int:
        try:
            return app.test_client().post(PATH, **options).status_code
        finally:
            database.close()

    assert post(first) == 201
    capfd.readouterr()
    writer, entered, go = intake._current(), threading.Event(), threading.Event()
    with idle(database_url, "SELECT * FROM dedupe FOR UPDATE"), ThreadPoolExecutor(5) as pool:
        commit = writer._commit

        def slow(works: list[Any]) -> list[Any]:
            entered.set()
            assert go.wait(60)
            return commit(works)

        monkeypatch.setattr(writer, "_commit", slow)
        before = pool.submit(intake.flush)
        assert entered.wait(60)
        answers = [pool.submit(post, options) for options in asked]
        until(lambda: len(writer._waiting) == len(asked))
        go.set()
        before.result()
        assert [answer.result() for answer in answers] == [503, 201, 201, 201]
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]

    assert [line["message"] for line in lines] == ["database unavailable"]
    assert "traceback" not in lines[0]
    assert "lock" in lines[0]["error"]
    assert not writer.down
    assert post(first) == 201
