"""The feed of changes: every change of a record once, to whoever may read it, from any beginning on."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from gateway.access import projects
from gateway.api import changes
from gateway.background import feed_expiry
from gateway.background.lease import run_once
from gateway.core.ids import now_ms
from models import Audit, Feed, Feedback, FeedChange, Job
from models.database.base import database, writing
from models.queries import bounded_pages
from models.tables import feed
from tests.conftest import Call, Tenant
from tests.transfer.test_erasure import EMAIL, ERASE

pytestmark = pytest.mark.both
FEED, LIST = "/gateway/v1/changes", "/gateway/v1/feedback"


class Follower:
    """A program that follows: what it has been told, and the records as it knows them."""

    def __init__(self, call: Call, key: str | None = None, **asked: Any) -> None:
        self._call, self._asked, self.cursor = call, {"limit": 3, **asked}, ""
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.told: list[tuple[str, str]] = []
        self.records: dict[str, Any] = {}

    def page(self) -> Any:
        query = {"cursor": self.cursor, "limit": 3} if self.cursor else self._asked
        return self._call("GET", FEED, query_string=query, headers=self._headers)

    def follow(self) -> list[tuple[str, str]]:
        """Reads until there is nothing new; what was told."""
        before = len(self.told)
        while True:
            answer = self.page()
            assert answer.status_code == 200, answer.text
            self.cursor = answer.json["next_cursor"]
            for change in answer.json["data"]:
                assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", change["at"])
                self.told.append((change["type"], change["id"]))
                self.records[change["id"]] = change["data"]
                if change["data"] is None:
                    del self.records[change["id"]]
            if not answer.json["data"]:
                return self.told[before:]

    def is_whole(self, of: Tenant | None = None) -> bool:
        """Whether it knows just what the list has."""
        listed = self._call("GET", LIST, query_string={"limit": 200}, headers=of.headers if of else {})
        return bool(self.records == {record["id"]: record for record in listed.json["data"]})


def post(call: Call, text: str = "The export button does nothing", **more: Any) -> str:
    answer = call("POST", LIST, json={"text": text, **more})
    assert answer.status_code == 201 and answer.json is not None
    return str(answer.json["id"])


def test_each_change_once(call: Call, tenant: Tenant, other: Tenant) -> None:
    """What is there comes first, then what happens, in its order; it adds up to what the list has."""
    there = [post(call, f"Page {number} is empty") for number in range(7)]
    follower = Follower(call)
    assert follower.follow() == [("existing", record) for record in there]
    assert follower.is_whole() and follower.follow() == []
    made = post(call)
    call("PATCH", f"{LIST}/{there[0]}", json={"status": "resolved", "tags": ["vip"], "note": "Told her"})
    call("DELETE", f"{LIST}/{there[1]}")
    gone = post(call, "Gone before anybody looked")
    call("DELETE", f"{LIST}/{gone}")
    call("POST", LIST, json={"text": "Not theirs"}, headers=other.headers)
    assert follower.follow() == [
        ("created", made),
        ("changed", there[0]),
        ("deleted", there[1]),
        ("deleted", gone),
    ]
    assert follower.is_whole()
    many = [post(call, f"One of many: {number}") for number in range(7)]
    call("DELETE", LIST, json={"ids": many[:3]})
    assert sorted(follower.follow()) == sorted(
        [("created", record) for record in many[3:]] + [("deleted", record) for record in many[:3]]
    )
    assert follower.is_whole()
    (began,) = Audit.select().where(Audit.action == "feed.began")
    assert began.target == Feed.get().id and began.key_id.startswith("key_")


def test_whatever_writes_is_told(call: Call, tenant: Tenant) -> None:
    """Each column that a record shows, by whichever statement; a record told many times is one of a page."""
    record = post(call)
    follower = Follower(call)
    follower.follow()
    for column in (column.name for column in database.get_columns("feedback")):
        if column not in ("id", "workspace_id"):
            before = FeedChange.select().count()
            Feedback.update({column: getattr(Feedback, column)}).where(Feedback.id == record).execute()
            assert FeedChange.select().count() == before + 1, column
    Feedback.update(votes=5).where(Feedback.id == record).execute()
    told = follower.follow()
    assert set(told) == {("changed", record)} and follower.is_whole()
    with pytest.raises(ZeroDivisionError), writing():
        Feedback.update(votes=6).execute()
        _ = 1 / 0
    assert follower.follow() == []


def test_nobody_pays_who_has_no_follower(call: Call, tenant: Tenant, other: Tenant) -> None:
    """Changes are noted in a workspace with a feed alone, and no statement is added for that."""
    Follower(call, other.key).follow()
    post(call)
    assert FeedChange.select().count() == 0


def test_the_erased(call: Call, tenant: Tenant) -> None:
    """An erasure is told as what it does to each record, by ids alone."""
    hers = post(call, "The map is upside down", author={"id": "ada", "email": EMAIL})
    about = post(call, f"Ask {EMAIL}, she knows")
    follower = Follower(call)
    follower.follow()
    assert call("POST", ERASE, json={"email": EMAIL, "mode": "delete"}).status_code == 200
    told = follower.follow()
    assert ("deleted", hers) in told and ("changed", about) in told and follower.is_whole()
    assert EMAIL not in repr(list(FeedChange.select().dicts())) + repr(follower.records)


def test_a_project(call: Call, tenant: Tenant, new_key: Any) -> None:
    """A key of a project follows that alone; what is moved out of it is gone, and there in the other one."""
    web = projects.create_project(tenant.workspace_id, "Web", now_ms())
    key = new_key(web)
    one, whole = Follower(call, key), Follower(call, existing="0")
    assert whole.follow() == []
    mine = post(call, project_id=web)
    theirs = post(call, "Of another project")
    assert one.follow() == [("existing", mine)]
    assert set(whole.follow()) == {("created", mine), ("created", theirs)}
    for _ in range(5):
        call("PATCH", f"{LIST}/{theirs}", json={"note": "Not of that project"})
    assert one.follow() == []
    Feedback.update(project_id=web).where(Feedback.id == theirs).execute()
    Feedback.update(project_id=tenant.project_id).where(Feedback.id == mine).execute()
    assert one.follow() == [("changed", theirs), ("deleted", mine)]
    assert set(whole.follow()) == {("changed", theirs), ("changed", mine)} and whole.is_whole()
    one._headers = {}
    assert one.page().status_code == 400


def test_cursors(call: Call, tenant: Tenant, other: Tenant) -> None:
    """What is none is 400; what is too old, of a feed that ended or of other data, 410: start anew."""
    assert [call("GET", f"{FEED}?{query}").status_code for query in BAD] == [400] * len(BAD)
    post(call)
    follower, late, theirs = Follower(call), Follower(call), Follower(call, other.key)
    for one in (follower, late, theirs):
        one.follow()
    good = follower.cursor
    answer = call("GET", FEED, query_string={"cursor": theirs.cursor})
    assert answer.status_code == 410 and answer.json["type"].endswith(":cursor_expired")
    for text in DIFFERENT:
        post(call, text)
        follower.follow()
    assert late.page().status_code == 200
    FeedChange.update(at=FeedChange.at - 1).where(FeedChange.seq == 3).execute()  # as of an older backup
    assert follower.page().status_code == 410
    Feed.update(seq=2).execute()
    assert follower.page().status_code == 410 and late.page().status_code == 200
    Feed.update(seq=3, forgotten=1).execute()
    assert call("GET", FEED, query_string={"cursor": good}).status_code == 410
    fresh = Follower(call)
    fresh.follow()
    assert fresh.is_whole()


DIFFERENT = ("Invoices come twice", "Dark mode, please", "Lovely map of ferries")  # no reports of the same
_NONE = ["feed", None, 0, None, None]
BAD = [
    "limit=0",
    "limit=201",
    "existing=2",
    "colour=red",
    "cursor=",
    "cursor=fb_1",
    "cursor=x&existing=0",
    *(
        f"cursor={changes.pagination.opaque(told)}"
        for told in (
            {},
            _NONE[1:],
            [1, *_NONE[1:]],
            ["feed", 1, 0, None, None],
            ["feed", None, -1, None, None],
            ["feed", None, True, None, None],
            ["feed", None, 2**63, None, None],
            ["feed", None, 0, "x", None],
            ["feed", None, 0, None, [1]],
            ["feed", None, 0, None, {}],
            ["feed", None, 0, None, [1, "x"]],
            ["feed", "prj_other", 0, None, None],
        )
    ),
]


def test_what_is_kept(call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of thirty days, while somebody reads; a feed that nobody reads ends, and may begin again."""
    post(call)
    follower, late = Follower(call), Follower(call)
    for one in (follower, late):
        one.follow()
    for text in DIFFERENT:
        post(call, text)
    follower.follow()
    FeedChange.update(at=1).where(FeedChange.seq < 3).execute()
    post(call, "Said when nobody looked")
    work()
    assert [row.seq for row in FeedChange.select().order_by(FeedChange.seq)] == [3, 4]
    assert late.page().status_code == 410
    assert follower.follow() and follower.is_whole()
    monkeypatch.setattr(feed, "KEPT", -60_000)
    work()
    assert Feed.get().id is None and FeedChange.select().count() == 0
    assert follower.page().status_code == 410
    post(call, "Said while there was no feed")
    work()
    assert FeedChange.select().count() == 0
    assert [row.action for row in Audit.select().where(Audit.action == "feed.ended")] == ["feed.ended"]
    fresh = Follower(call)
    fresh.follow()
    post(call, "Said to the next feed")
    assert [kind for kind, _ in fresh.follow()] == ["created"] and fresh.is_whole()
    Feed.update(read_at=1).execute()
    fresh.follow()
    assert Feed.get().read_at > 1


def work() -> None:
    Job.delete().execute()
    assert run_once(feed_expiry.KEEP)


def test_long_records(call: Call, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page holds as many as fit in memory, and the next one goes on behind them."""
    monkeypatch.setattr(bounded_pages, "AT_HAND", 100)
    follower = Follower(call)
    follower.follow()
    some = [post(call, f"{text} {text[0] * 60}") for text in DIFFERENT]
    assert len(follower.page().json["data"]) == 1
    assert follower.follow() == [("created", record) for record in some]
    monkeypatch.undo()
    assert follower.is_whole()


def test_who_commits_late(call: Call, tenant: Tenant, kind: str, app: Flask) -> None:
    """What was written before others and committed after them is told, and a feed begins behind it."""
    if kind != "postgres":
        return  # one writer at a time
    record = post(call)
    with database.connection_context():
        other = database.obj._connect()
    insert = "UPDATE feedback SET votes = votes + 1 WHERE id = %s"
    other.execute("BEGIN")
    other.execute(insert, (record,))
    changes.PATIENCE, patience = 0.1, changes.PATIENCE
    try:
        refused = call("GET", FEED)
    finally:
        changes.PATIENCE = patience
    assert refused.status_code == 503 and refused.headers["Retry-After"]
    other.execute("COMMIT")
    follower = Follower(call)
    follower.follow()
    other.execute("BEGIN")
    other.execute(insert, (record,))
    made = post(call, "Said and stored meanwhile")
    assert follower.follow() == [("created", made)]
    other.execute("COMMIT")
    assert follower.follow() == [("changed", record)] and follower.is_whole()
    other.close()
