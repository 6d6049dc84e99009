"""What is written beside intake: in short transactions, with rests in which whoever waits comes first."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import Any

import pytest
from peewee import OperationalError

from gateway.access import topics as stored
from gateway.access.users import create_user
from gateway.background import (
    encoding,
    fetching,
    retention,
    retraining,
    scheduler,
    second_reading,
    themes,
    thumbnails,
    topics,
)
from gateway.background.lease import Lease, Work, run_once
from gateway.background.retriage import retriage as label_stored
from gateway.core import pacing
from gateway.core.ids import id_at, now_ms
from gateway.core.pacing import FIRST, HELD, LONGEST_REST, MOST, Pace
from gateway.destinations import managing, sender
from gateway.runs import lifecycle, registry
from gateway.transfer import erasure, file_import
from gateway.transfer.import_rows import Mapped, ndjson
from models import (
    Asset,
    Callback,
    Dedupe,
    Event,
    Feedback,
    FeedChange,
    Fetch,
    Job,
    Meaning,
    Project,
    ThemeRun,
    Topic,
    Unlearnt,
    User,
)
from models.database.base import database, writing
from models.database.sqlite import Sqlite
from models.queries.feedback_query import Filter
from models.queries.personal_data import Person
from models.tables import callback, destination, feed, fetch, outbox, reply, unclaimed_file
from models.tables.destination import Destination
from tests.background.test_meaning import without_numbers
from tests.background.test_second_reading import Reader, reading
from tests.conftest import Call, Tenant

PATH = "/gateway/v1/feedback"
MANY = 200  # rows of each kind
A_ROW = HELD / 50  # seconds that each row takes by the clock of these tests
ALLOWED = 200  # rows in one transaction, those of triggers included
ALLOWED_INTAKE = 650  # 50 records with what hangs on each, and the words of 256 for their index
DAY = 86_400_000


class Clock:
    """A clock that stands still but for what is said to take time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.rests: list[float] = []
        monkeypatch.setattr(pacing, "clock", lambda: self.now)
        monkeypatch.setattr(pacing, "rest", self.rests.append)

    def take(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@dataclass
class Transactions:
    """Transactions of a clock's: each waits, works on rows and commits for so many seconds."""

    clock: Clock
    wait: float = 0.0
    row: float = 0.0
    commit: float = 0.0
    sizes: list[int] = field(default_factory=list)

    def transact(self, work: Callable[[], Any]) -> Any:
        self.clock.take(self.wait)
        result = work()
        self.clock.take(self.commit)
        return result

    def act(self, some: list[int]) -> int:
        self.sizes.append(len(some))
        self.clock.take(self.row * len(some))
        return len(some)


@pytest.mark.parametrize(
    ("row", "commit", "settled"),
    [
        (0.001, 0.0, 5),
        (0.001, 0.002, 3),
        (0.001, 0.5, 2),  # a disk so slow that rows are not what counts
        (0.0001, 0.001, 40),
        (0.1, 0.0, 1),  # nothing smaller than a row
        (0.0, 0.0, MOST),
    ],
)
def test_rows_by_the_clock(clock: Clock, row: float, commit: float, settled: int) -> None:
    """A transaction takes the rows that 5 ms allow for, found out within a few; every row is taken once."""
    told = Transactions(clock, row=row, commit=commit)
    done = Pace(told.transact).each(range(5000), told.act)

    assert sum(done) == 5000
    assert told.sizes[0] == FIRST
    assert all(later <= 2 * size for size, later in zip(told.sizes, told.sizes[1:], strict=False))
    assert set(told.sizes[6:-1]) <= {settled, settled - 1}  # of floats


def test_rows_that_begin_to_take_longer(clock: Clock) -> None:
    """One transaction is too long when rows suddenly take longer, and the next is not."""
    told = Transactions(clock, row=0.0001)

    def act(some: list[int]) -> None:
        told.row = 0.0001 if some[-1] < 500 else 0.001
        told.act(some)

    Pace(told.transact).each(range(600), act)
    first = next(n for n, _ in enumerate(told.sizes) if sum(told.sizes[: n + 1]) > 500)

    assert told.sizes[first] > 40
    assert set(told.sizes[first + 1 : -1]) <= {4, 5}


def test_rests(clock: Clock) -> None:
    """It rests as long as a transaction took with the wait for it: the more others do, the longer."""
    for wait, rest in ((0.0, 0.004), (0.03, 0.034), (5.0, LONGEST_REST)):
        told = Transactions(clock, wait=wait, row=0.0005)
        clock.rests.clear()
        Pace(told.transact).each(range(FIRST), told.act)
        assert clock.rests == [pytest.approx(rest)]


def test_one_row_says_nothing_of_others(clock: Clock) -> None:
    """A write of its own rests, and does not change how many rows the next transaction takes."""
    told = Transactions(clock, row=0.001)
    one = Pace(told.transact)
    one.write(partial(clock.take, 0.1))

    assert one.size == FIRST
    assert clock.rests == [pytest.approx(0.1)]


def test_others_come_first(call: Call) -> None:
    """What is sent while a long change goes on is stored after its current transaction, before its next."""
    events: list[str] = []

    def rest(seconds: float) -> None:
        assert call("POST", PATH, json={"text": f"Sent meanwhile, {len(events)}"}).status_code == 201
        events.append("post")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pacing, "rest", rest)
        Pace().each(range(3 * FIRST), lambda some: events.append("part"))

    assert events[:4] == ["part", "post"] * 2
    assert events[-1] == "post"


def test_a_failure_ends_it(clock: Clock, tenant: Tenant) -> None:
    """What was committed before a failure stays; nothing of the transaction that failed does."""

    def act(some: list[int]) -> None:
        Dedupe.insert_many([{"workspace_id": "w", "scope": "s", "key": str(n)} for n in some]).execute()
        if FIRST in some:
            raise OperationalError("the disk is full")

    with pytest.raises(OperationalError):
        Pace().each(range(5 * FIRST), act)
    assert Dedupe.select().count() == FIRST


# Everything that may write much beside intake, on a database that has much of it to do.


@pytest.fixture(name="many", params=[MANY, pytest.param(5000, marks=pytest.mark.long)])
def _many(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(name="crowded")
def _crowded(call: Call, tenant: Tenant, many: int) -> str:
    """Many of everything; the id of a record with many events, of the same author as the others."""
    old = now_ms() - 20 * DAY
    text = "The page of old invoices stays empty whenever somebody opens it"
    sent = {"text": text, "author": {"id": "ada-lovelace", "email": "ada@example.com"}, "tags": ["t"]}
    first = str(call("POST", PATH, json=sent).json["id"])
    Feedback.update(received_at=old, last_seen_at=old).execute()
    numbers = f"WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {many})"
    columns = ", ".join(Feedback._meta.columns)
    fresh = columns.replace("id,", f"'{id_at('fb', old)[:-6]}' || printf('%06d', n),", 1)
    fresh = fresh.replace(" text,", " text || ' ' || n,").replace("fingerprint", "'f' || n")
    history = "id, feedback_id, type, at, detail, payload"
    told = "'updated', received_at, '{}', 'ada@example.com'"
    with writing():
        run = database.execute_sql
        run(f"{numbers} INSERT INTO feedback ({columns}) SELECT {fresh} FROM n CROSS JOIN feedback")
        run(f"INSERT INTO event ({history}) SELECT 'ew_' || id, id, {told} FROM feedback")
        mine = f"SELECT 'ex_' || n, id, {told} FROM n CROSS JOIN feedback WHERE id = ?"
        run(f"{numbers} INSERT INTO event ({history}) {mine}", (first,))
        Event.update(at=old).execute()
        run(
            f"{numbers} INSERT INTO dedupe (workspace_id, scope, key, answer, expires_at) "
            "SELECT ?, 'header', n, 'to ada@example.com', 5 FROM n",
            (tenant.workspace_id,),
        )
        run(
            f"{numbers} INSERT INTO quarantine SELECT '{id_at('qr', old)[:-6]}' || printf('%06d', n), ?, ?, "
            "'slack', 'h', 'r', '{}', 'ada@example.com', 1, NULL FROM n",
            (tenant.workspace_id, tenant.project_id),
        )
        ThemeRun.insert(id="tr", workspace_id=tenant.workspace_id, since=0, newest="", took=1).execute()
        run("INSERT INTO theme (id, run_id, label, terms) VALUES ('th', 'tr', 'l', '[]')")
        run("INSERT INTO theme_member SELECT 'th', id, received_at, 1 FROM feedback")
    return first


@dataclass
class Bench:
    """What an operation needs."""

    call: Call
    tenant: Tenant
    many: int
    crowded: str
    monkeypatch: pytest.MonkeyPatch


def signing(bench: Bench) -> None:
    """Every record is new to it."""
    Feedback.update(received_at=now_ms()).execute()


def grouping(bench: Bench) -> None:
    """All records are of one theme, and there is a replaced run to delete."""
    members = [(row.id, 1.0) for row in Feedback.select(Feedback.id)]
    bench.monkeypatch.setattr(themes, "groups_of", lambda *_: [{"terms": ["old"], "members": members}])
    bench.monkeypatch.setattr(themes, "SPAN", 90 * DAY)
    bench.monkeypatch.setattr(themes, "KEPT", -60_000)


def keeping(bench: Bench) -> None:
    """Everything is older than the project keeps it."""
    Project.update(retention_days=10).execute()


def learning(bench: Bench) -> None:
    """Somebody has asked for a training, which says nothing."""
    done = subprocess.CompletedProcess[str]([], 0, "", "")
    bench.monkeypatch.setattr(Lease, "run", lambda *_: done)
    retraining.ask(bench.tenant.workspace_id, "key")


def doubting(bench: Bench) -> None:
    """Triage is not sure of any record."""
    Feedback.update(category_origin="predicted", category_confidence=0.3).execute()


def correcting(bench: Bench) -> None:
    """People have corrected every record, and the process that learns says nothing."""
    done = subprocess.CompletedProcess[str]([], 0, "", "")
    bench.monkeypatch.setattr(Lease, "run", lambda *_: done)
    Feedback.update(category_origin="corrected").execute()


def sorting(bench: Bench) -> None:
    """A topic was made, whose records are all there are, and another one was merged into it."""
    workspace_id, project_id = bench.tenant.workspace_id, bench.tenant.project_id
    old, new = (stored.create(workspace_id, project_id, name, "", 1)["id"] for name in ("Old", "New"))
    Feedback.update(topic=old, topic_origin="predicted", topic_confidence=0.9).execute()
    Topic.update(ended_at=1, merged_into=new).where(Topic.id == old).execute()
    bench.monkeypatch.setattr(topics.Sorter, "sort", lambda *_: (new, 0.7))


def merge_topics(bench: Bench) -> None:
    path = f"/gateway/v1/projects/{bench.tenant.project_id}/topics"
    old, new = (bench.call("POST", path, json={"name": name}).json["topic_id"] for name in ("Old", "New"))
    Feedback.update(topic=old, topic_origin="corrected").execute()
    assert bench.call("POST", f"{path}/{old}/merge", json={"into": new}).json["examples"] == bench.many + 1


def telling(bench: Bench) -> None:
    """Every callback was given up long ago."""
    row = {"workspace_id": bench.tenant.workspace_id, "run_id": "run_1", "url": "https://a.example/"}
    row |= {"host": "a.example", "event": "run.completed", "body": "{}", "created_at": 1}
    for number in range(bench.many):
        callback.keep({**row, "id": id_at("whd", number)})
    Callback.update(state="dead").execute()


def fetch_all(bench: Bench) -> None:
    """Every asset whose file could not be had is gone."""
    for number in range(bench.many):
        fetch.again(id_at("asset", number), 1, 1)
    assert run_once(fetching.work(1))
    assert not Fetch.select().count()


def exporting(bench: Bench) -> None:
    """A run was started that reads all there are."""
    export = registry.load()["export-feedback"]
    with writing():
        lifecycle.start(export, {"filter": ""}, bench.tenant.workspace_id, "key")


def attaching(bench: Bench) -> None:
    """The records of many files are gone, and the bytes of as many others never had one."""
    for number in range(2 * bench.many):
        with writing():
            unclaimed_file.note(f"{number:064x}", f"a{number}", bench.tenant.workspace_id, 1, number % 2)


def picturing(bench: Bench) -> None:
    """Many pictures have no thumbnail, and none of them can be decoded."""
    row = {"workspace_id": bench.tenant.workspace_id, "name": "a.png", "content_type": "image/png", "size": 1}
    row |= {"status": "ready", "sha256": f"{0:064x}", "uploaded_via": "native", "created_at": 1}
    for number in range(bench.many):
        with writing():
            Asset.insert({**row, "id": f"asset_{number}", "updated_at": 1}).execute()
    bench.monkeypatch.setattr(thumbnails, "_told", lambda *_: {"reason": "no thumbnail: damaged"})


def announcing(bench: Bench) -> None:
    """Every record was just made, and who listens is paused."""
    workspace_id = bench.tenant.workspace_id
    managing.create(workspace_id, None, "webhook", "https://a.example/", {}, by="key")
    Destination.update(state=destination.PAUSED).execute()
    outbox.forget_listeners()
    for row in Feedback.select(Feedback.id):
        with writing():
            outbox.note_ids(outbox.CREATED, [row.id])
    bench.monkeypatch.setattr(sender, "LINGER", 0.0)


def following(bench: Bench) -> None:
    """Every record was changed long ago, and nobody has read that since."""
    with writing():
        feed.begin(bench.tenant.workspace_id, "feed_1", 1)
    for row in Feedback.select(Feedback.id):
        Feedback.update(votes=1).where(Feedback.id == row.id).execute()
    assert FeedChange.select().count() >= bench.many


def answering(bench: Bench) -> None:
    """Every record is to be answered, in a channel that takes none."""
    row = {
        "workspace_id": bench.tenant.workspace_id,
        "channel": "slack",
        "server": "slack.com",
        "address": None,
        "text": "x",
    }
    row |= {"key_id": "key", "created_at": 1, "next_at": 1}
    for record in Feedback.select(Feedback.id):
        with writing():
            reply.add_all([{**row, "id": f"rpl_{record.id}", "feedback": record.id}])


def nothing(bench: Bench) -> None:
    """Its rows are there."""


# A work that is not here has not said how it writes much.
def snoozing(bench: Bench) -> None:
    """Many records whose time has come."""
    Feedback.update(snoozed_until=1, wakes_on_delivery=1).execute()


def assigning(bench: Bench) -> None:
    """Many records of somebody who lost access."""
    gone = create_user(bench.tenant.workspace_id, "gone@example.test", "Gone", "triager")
    User.update(disabled_at=1).where(User.id == gone).execute()
    Feedback.update(assignee=gone).execute()


WORKS: dict[str, Callable[[Bench], None]] = {
    "similar": signing,
    "themes": grouping,
    "retention": keeping,
    "retrain": learning,
    "project_heads": correcting,
    "expiry": nothing,
    "planner": nothing,
    "silence": nothing,
    "keys": nothing,
    "second_reader": doubting,
    "meaning": correcting,
    "topics": sorting,
    "callbacks": telling,
    "runs": exporting,
    "more runs": exporting,
    "files": attaching,
    "thumbnails": picturing,
    "send": announcing,
    "alarms": nothing,
    "feeds": following,
    "replies": answering,
    "waking": snoozing,
    "handing_back": assigning,
}
SECOND = second_reading.work(Reader(reading()), second_reading.Limits(1.0, seconds=1e9, together=MANY))
ENCODE = encoding.work(without_numbers, encoding.Limits(1.0, seconds=1e9, together=MANY))


def worked(bench: Bench, work: Work) -> None:
    WORKS[work.name](bench)
    assert run_once(work)
    assert Job.get_by_id(work.name).finished_at


def read_again(bench: Bench) -> None:
    worked(bench, SECOND)
    read = Feedback.select().where(Feedback.category_origin == "second_reader")
    assert read.count() >= bench.many


def label_anew(bench: Bench) -> None:
    Feedback.update(category_origin="predicted", category="praise", impact=14).execute()
    *_, told = label_stored(Filter(), bench.tenant.workspace_id)
    assert told.changed == bench.many + 1


def encode_all(bench: Bench) -> None:
    worked(bench, ENCODE)
    assert Meaning.select().count() >= bench.many


def change_many(bench: Bench) -> None:
    sent = {"filter": "status=open", "change": {"status": "resolved", "tags": ["u"], "note": "Done."}}
    assert bench.call("PATCH", PATH, json=sent).json["changed"] == bench.many + 1


def delete_many(bench: Bench) -> None:
    assert bench.call("DELETE", PATH, json={"filter": "status=open"}).json["deleted"] == bench.many + 1
    assert not Event.select().count()


def delete_by_ids(bench: Bench) -> None:
    assert bench.call("DELETE", PATH, json={"ids": [bench.crowded]}).json["deleted"] == 1


def forget_learning(bench: Bench) -> None:
    correcting(bench)
    path = f"/gateway/v1/projects/{bench.tenant.project_id}/learning"
    assert bench.call("DELETE", path).json["corrections"] == 0
    assert Unlearnt.select().count() == bench.many + 1


def delete_one(bench: Bench) -> None:
    assert bench.call("DELETE", f"{PATH}/{bench.crowded}").status_code == 204


def erase(bench: Bench, mode: erasure.Mode) -> None:
    who = Person("ada@example.com", "ada-lovelace")
    counts = erasure.erase(bench.tenant.workspace_id, who, mode, compact=False)["counts"]
    assert (counts["records"], counts["events"]) == (bench.many + 1, 2 * bench.many + 2)
    assert (counts["answers"], counts["quarantine"]) == (bench.many, bench.many)
    assert not ThemeRun.select().count()


def retention_payloads(bench: Bench) -> None:
    Project.update(payload_retention_days=10).execute()
    (project,) = retention.retention.projects()
    assert retention.remove(project)["payloads"] == 2 * bench.many + 2


def batch(bench: Bench) -> None:
    items = [{"text": f"Number {n} of many", "tags": ["t"]} for n in range(bench.many)]
    assert bench.call("POST", f"{PATH}/batch", json=items).json["accepted"] == bench.many


def import_file(bench: Bench) -> None:
    rows = ({"text": f"Row {n} of many", "tags": ["t"]} for n in range(bench.many))
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    goal = file_import.Goal(bench.tenant.workspace_id, bench.tenant.project_id, "import")
    *_, told = file_import.Import(goal, Mapped({}), "n", "f").run(ndjson(BytesIO(lines)), print)
    assert told.stored == bench.many


OPERATIONS: dict[str, Callable[[Bench], None]] = {
    **{f"work {work.name}": partial(worked, work=work) for work in scheduler.WORKS},
    "work second_reader": read_again,
    "work meaning": encode_all,
    "work fetch": fetch_all,
    "retriage": label_anew,
    "change many": change_many,
    "delete many": delete_many,
    "merge topics": merge_topics,
    "delete by ids": delete_by_ids,
    "delete one": delete_one,
    "forget a learning": forget_learning,
    "erase": partial(erase, mode="delete"),
    "anonymise": partial(erase, mode="anonymise"),
    "payloads": retention_payloads,
    "batch": batch,
    "import": import_file,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_rows_of_a_transaction(
    name: str, call: Call, tenant: Tenant, many: int, crowded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever may write much writes few rows in a transaction, however many there are.

    By a clock for which 50 rows are 5 ms. What it rests after is no open transaction.
    """
    sizes: list[int] = []
    rests: list[float] = []
    real = Sqlite.writing

    @contextmanager
    def counted(self: Sqlite) -> Iterator[None]:
        with real(self):
            before = self.connection().total_changes
            yield
            sizes.append(self.connection().total_changes - before)

    def rest(seconds: float) -> None:
        assert not database.in_transaction()
        rests.append(seconds)

    monkeypatch.setattr(Sqlite, "writing", counted)
    monkeypatch.setattr(pacing, "clock", lambda: database.obj.connection().total_changes * A_ROW)
    monkeypatch.setattr(pacing, "rest", rest)
    OPERATIONS[name](Bench(call, tenant, many, crowded, monkeypatch))

    assert max(sizes) <= (ALLOWED_INTAKE if name in ("batch", "import") else ALLOWED)
    assert all(seconds <= LONGEST_REST for seconds in rests)


def test_every_work_has_its_row() -> None:
    """A new kind of background work is tried with much to do, too."""
    assert {work.name for work in scheduler.WORKS} <= set(WORKS)
