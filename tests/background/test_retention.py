"""What a project keeps for a time only leaves with all that belongs to it, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.background import retention
from gateway.background.lease import Stopping, run_once
from gateway.cli import main
from gateway.core import pacing
from gateway.core.ids import id_at, now_ms
from models import Audit, Dedupe, Event, Feedback, Job, Project, Quarantine
from models.database.base import close, database, writing
from models.intake import commit
from models.queries.retention import projects
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both

PATH = "/gateway/v1/feedback"
PROJECTS = "/gateway/v1/projects"
DAY = retention.DAY

Send = Callable[..., str]


@pytest.fixture(name="send")
def _send(call: Call) -> Send:
    """Sends a record that came, and last occurred, so many days ago."""

    def send(text: str, days: float = 0, seen: float | None = None, changed: float = 0, **more: Any) -> str:
        feedback_id = str(call("POST", PATH, json={"text": text, **more}).json["id"])
        at = now_ms() - int(days * DAY)
        last = now_ms() - int((days if seen is None else seen) * DAY)
        row = {"received_at": at, "last_seen_at": last, "updated_at": now_ms() - int(changed * DAY)}
        Feedback.update(row).where(Feedback.id == feedback_id).execute()
        Event.update(at=at).where(Event.feedback == feedback_id).execute()
        return feedback_id

    return send


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few records are several of them."""
    monkeypatch.setattr(pacing, "FIRST", 2)
    monkeypatch.setattr(pacing, "MOST", 2)
    monkeypatch.setattr(pacing, "clock", lambda: 0.0)
    monkeypatch.setattr(retention, "PAGE", 3)


def keep(call: Call, tenant: Tenant, **days: int | None) -> Any:
    """Sets what a project keeps, as if the day of grace were over."""
    answer = call("PATCH", f"{PROJECTS}/{tenant.project_id}", json=days)
    Project.update(retention_from=1).where(Project.retention_from.is_null(False)).execute()
    return answer


def work() -> None:
    """As the background worker does when it is due."""
    Job.update(due_at=0).execute()
    assert run_once(retention.KEEP)


def left() -> set[str]:
    return {row.text for row in Feedback.select()}


def test_for_good_unless_said(call: Call, tenant: Tenant, send: Send) -> None:
    """Without a setting nothing is ever removed."""
    send("old", 3000)
    work()

    shown = call("GET", f"{PROJECTS}/{tenant.project_id}").json
    assert (shown["retention_days"], shown["payload_retention_days"]) == (None, None)
    assert left() == {"old"}
    assert Event.select().where(Event.payload.is_null(False)).count() == 1


GRACE = [  # days set before, days set now, and for how many days is kept: within the grace, and after it
    ((None, None), (30, None), (None, None), (30, None)),
    ((30, None), (None, None), (None, None), (None, None)),
    ((30, None), (365, 10), (365, None), (365, 10)),
    ((365, 20), (30, 10), (365, 20), (30, 10)),
    ((30, 10), (10, 20), (30, 20), (10, 20)),
]


@pytest.mark.parametrize(("before", "new", "within", "after"), GRACE)
def test_fewer_days_hold_after_a_day(
    call: Call, tenant: Tenant, before: Any, new: Any, within: Any, after: Any
) -> None:
    """More days hold at once; fewer after a day of grace, in which going back changes nothing."""
    keep(call, tenant, **dict(zip(retention.DAYS, before, strict=True)))
    path = f"{PROJECTS}/{tenant.project_id}"
    sent = dict(zip(retention.DAYS, new, strict=True))
    shown = call("PATCH", path, json=sent).json

    def kept(later: int) -> tuple[int | None, ...]:
        return tuple(retention.in_force(Project.select().dicts().get(), now_ms() + later).values())

    assert (kept(0), kept(DAY)) == (within, after)
    assert (shown["retention_starts_at"] is None) is (within == after)
    call("PATCH", path, json=sent)
    assert call("GET", path).json["retention_starts_at"] == shown["retention_starts_at"]
    call("PATCH", path, json=dict(zip(retention.DAYS, within, strict=True)))
    assert kept(0) == kept(DAY) == within


def test_twice_within_the_grace(call: Call, tenant: Tenant, send: Send) -> None:
    """Who sets fewer days twice still has the days from before until the second day is over."""
    send("old", 20)
    path = f"{PROJECTS}/{tenant.project_id}"
    call("PATCH", path, json={"retention_days": 10})
    call("PATCH", path, json={"retention_days": 5})
    work()
    assert left() == {"old"}
    Project.update(retention_from=now_ms() - 1).execute()
    work()
    assert left() == set()


def test_preview(call: Call, tenant: Tenant, send: Send) -> None:
    """Asking how much would go changes nothing, and is what goes then."""
    for number in range(5):
        send(f"old {number}", 20)
    send("young", 1)
    path = f"{PROJECTS}/{tenant.project_id}/retention/preview"
    told = call("POST", path, json={"retention_days": 10}).json
    assert (told["records"], told["total"], told["payloads"]) == (5, 6, 0)
    assert call("POST", path, json={"payload_retention_days": 10}).json["payloads"] == 5
    assert call("POST", path, json={"retention_days": 0}).status_code == 400
    assert call("GET", f"{PROJECTS}/{tenant.project_id}").json["retention_days"] is None
    keep(call, tenant, retention_days=10)
    work()

    assert left() == {"young"}


def test_records(call: Call, tenant: Tenant, send: Send) -> None:
    """Records go when they are older than that, counted from the last occurrence, whatever their status."""
    for number in range(5):
        send(f"old {number}", 31 + number)
    resolved = send("resolved", 40)
    call("PATCH", f"{PATH}/{resolved}", json={"status": "resolved"})
    send("young", 29)
    send("still firing", 90, seen=1)
    send("from the future", 90, seen=-1000, changed=60)
    send("to come", 3, seen=-1000)
    assert keep(call, tenant, retention_days=30).json["retention_days"] == 30
    work()

    assert left() == {"young", "still firing", "to come"}
    assert {row.feedback_id for row in Event.select()} == {row.id for row in Feedback.select()}
    act = Audit.get(Audit.action == "retention.applied")
    assert (act.target, act.key_id) == (tenant.project_id, "retention")
    assert act.detail == {"records": 7, "files": 0, "payloads": 0, "quarantine": 0}


def test_all_that_belongs_to_a_record(call: Call, tenant: Tenant, send: Send) -> None:
    """Numbers, search and history forget a removed record, and a repeat brings nothing back."""
    headers = {"Idempotency-Key": "once"}
    sent = {"text": "The zebra crossing is closed"}
    feedback_id = call("POST", PATH, json=sent, headers=headers).json["id"]
    send("Something else", 1)
    Feedback.update(received_at=1, last_seen_at=1).where(Feedback.id == feedback_id).execute()
    assert len(call("GET", f"{PATH}?q=zebra").json["data"]) == 1
    keep(call, tenant, retention_days=30)
    work()

    assert call("GET", f"{PATH}?q=zebra").json["data"] == []
    assert call("GET", "/gateway/v1/stats?by=category").json["total"]["count"] == 1
    assert call("GET", f"{PATH}/{feedback_id}").status_code == 404
    call("POST", PATH, json=sent, headers=headers)
    assert Feedback.select().count() == 1
    assert Dedupe.select().where(Dedupe.key == "once").count() == 1


def test_raw_payloads(call: Call, tenant: Tenant, send: Send) -> None:
    """Payloads of old deliveries go, those of young ones stay, and so do the records and their history."""
    for number in range(5):
        send(f"old {number}", 8 + number)
    send("young", 6)
    story = send("a story", 20)
    at = now_ms()
    event = {"feedback": story, "type": "repeated", "at": at, "detail": {}, "payload": b"again"}
    Event.insert({**event, "id": id_at("ev", at)}).execute()
    keep(call, tenant, payload_retention_days=7)
    work()
    work()

    assert len(left()) == 7
    assert Event.select().count() == 8
    kept = Event.select().where(Event.payload.is_null(False))
    assert {bytes(row.payload) for row in kept} >= {b"again"}
    assert kept.count() == 2
    counts = [row.detail for row in Audit.select().where(Audit.action == "retention.applied")]
    assert counts == [{"records": 0, "files": 0, "payloads": 6, "quarantine": 0}]
    assert call("GET", f"{PATH}/{story}?expand=raw").json["raw"][0]["payload"] == "again"


@pytest.mark.parametrize(
    ("days", "kept"),
    [({"retention_days": 10}, 1), ({"payload_retention_days": 10}, 1), ({"retention_days": 30}, 3)],
)
def test_quarantine(call: Call, tenant: Tenant, days: dict[str, int], kept: int) -> None:
    """What is held is a raw payload: it goes with the earlier of both, replayed or not."""
    for age, replayed in ((20, None), (15, 1), (5, None)):
        at = now_ms() - age * DAY
        row = {"source": "generic", "hook_id": "hk", "reason": "r", "request": {}, "payload": b"raw"}
        place = {"workspace_id": tenant.workspace_id, "project_id": tenant.project_id}
        Quarantine.insert(
            {**row, **place, "id": id_at("qr", at), "received_at": at, "replayed_at": replayed}
        ).execute()
    keep(call, tenant, **days)
    work()

    assert Quarantine.select().count() == kept


def test_one_project_only(call: Call, tenant: Tenant, other: Tenant, send: Send) -> None:
    """A project's setting is felt in that project and nowhere else."""
    second = call("POST", PROJECTS, json={"name": "Second"}).json["project_id"]
    send("here", 20)
    send("beside", 20, project_id=second)
    call("POST", PATH, json={"text": "elsewhere"}, headers=other.headers)
    Feedback.update(received_at=1, last_seen_at=1).where(Feedback.text == "elsewhere").execute()
    keep(call, tenant, retention_days=1)
    work()

    assert left() == {"beside", "elsewhere"}


def test_a_change_is_acted_upon_soon(call: Call, tenant: Tenant) -> None:
    """After its work the worker rests for an hour, unless a project changes what it keeps."""
    work()
    due = Job.get_by_id(retention.NAME).due_at
    assert due > now_ms() + 3_000_000
    keep(call, tenant, name="Other")
    assert Job.get_by_id(retention.NAME).due_at == due
    keep(call, tenant, retention_days=10)
    assert Job.get_by_id(retention.NAME).due_at == 0
    acts = [row["detail"] for row in call("GET", "/gateway/v1/audit").json["data"]]
    assert {"changes": {"retention_days": {"from": None, "to": 10}}} in acts


def test_interrupted(call: Call, tenant: Tenant, send: Send) -> None:
    """What was removed before an interruption stays removed, and the rest goes the next time."""
    for number in range(6):
        send(f"old {number}", 20)
    keep(call, tenant, retention_days=1)
    done: list[int] = []

    def transact(act: Callable[[], Any]) -> Any:
        if len(done) == 2:
            raise Stopping("retention")
        with writing():
            done.append(act())
        return done[-1]

    with pytest.raises(Stopping):
        retention.remove(projects()[0], transact)
    assert len(left()) == 3
    work()
    assert left() == set()


def test_what_came_again_meanwhile_stays(call: Call, tenant: Tenant, send: Send) -> None:
    """A record that occurs between being looked at and being removed is not removed."""
    feedback_id = send("old", 20)
    keep(call, tenant, retention_days=1)

    def transact(act: Callable[[], Any]) -> Any:
        now = {"last_seen_at": now_ms(), "updated_at": now_ms()}
        Feedback.update(now).where(Feedback.id == feedback_id).execute()
        return pacing.transact(act)

    assert retention.remove(projects()[0], transact)["records"] == 0
    assert left() == {"old"}


def test_the_command(
    call: Call, tenant: Tenant, send: Send, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows what is due without removing it, and removes it when it is told to."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database_url)
    monkeypatch.setenv("GATEWAY_SECRET_KEY", "k" * 32)
    for number in range(5):
        send(f"old {number}", 20)
    send("young", 3)
    keep(call, tenant, retention_days=10, payload_retention_days=2)

    def run(*words: str) -> dict[str, Any]:
        commit.stop()
        close()
        done = CliRunner().invoke(main, ["retention", *words, "--json"])
        assert done.exit_code == 0, done.stderr
        (found,) = json.loads(done.stdout)["projects"]
        return dict(found)

    assert run()["due"] == {"records": 5, "files": 0, "payloads": 6, "quarantine": 0}
    assert len(left()) == 6
    assert run("--apply")["removed"] == {"records": 5, "files": 0, "payloads": 1, "quarantine": 0}
    assert run()["due"] == {"records": 0, "files": 0, "payloads": 0, "quarantine": 0}
    assert left() == {"young"}


def test_old_records_are_found_by_an_index(tenant: Tenant) -> None:
    """Looking for them reads no record that is not of the project and old."""
    if "sqlite" not in type(database.obj).__name__.lower():
        pytest.skip("PostgreSQL plans by what is there")
    where = "workspace_id = ? AND project_id = ? AND received_at < ? AND (received_at, id) > (?, ?)"
    sql = f"SELECT received_at, id FROM feedback WHERE {where} ORDER BY received_at, id LIMIT 500"
    plan = database.execute_sql(f"EXPLAIN QUERY PLAN {sql}", ("w", "p", 1, 0, "")).fetchall()
    assert len(plan) == 1
    assert "feedback_project" in plan[0][3]


def test_a_clock_set_forward(call: Call, tenant: Tenant, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing becomes old because a clock is set forward; what is old by then leaves all the same."""
    young, old = send("young"), send("old", 40)
    keep(call, tenant, retention_days=30, payload_retention_days=30)
    monkeypatch.setattr(retention, "now_ms", lambda: now_ms() + 400 * DAY)
    [project] = projects()

    assert retention.count(project)["records"] == 1
    work()
    assert [row.id for row in Feedback.select()] == [young] != [old]
    assert Event.select().where(Event.payload.is_null(False)).count() == 1
