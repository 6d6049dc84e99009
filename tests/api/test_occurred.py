"""Lists, periods and numbers by when things occurred, which is not when they were received."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from gateway.core.ids import now_ms
from models import Feedback
from models.database.base import database, writing
from models.queries.feedback_query import Filter
from models.queries.ordering import ordered
from models.queries.statistics import impacts
from models.tables.daily_count import OccurredRollup
from models.tables.feedback import iso
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both
PATH, STATS = "/gateway/v1/feedback", "/gateway/v1/stats"
DAY = 86_400_000
HISTORY = 40  # records, one for about each second day; every fifth has no time of its own


@pytest.fixture(name="sent")
def _sent(call: Call) -> dict[str, int]:
    """When each record occurred, by its id: imported in no order."""
    now, dice = now_ms(), random.Random(3)
    numbers = dice.sample(range(HISTORY), HISTORY)
    items = [
        {
            "text": f"Export {number} stays empty",
            "category": ("bug", "praise", "question")[number % 3],
            "author": {"id": f"u{number % 3}"},
            "type": "alert" if number % 10 == 1 else "message",
            **({"occurred_at": iso(now - number * DAY * 2)} if number % 5 else {}),
        }
        for number in numbers
    ]
    answer = call("POST", f"{PATH}/batch", json=items)
    assert answer.status_code == 200, answer.text
    return {row.id: row.received_at if row.occurred_at is None else row.occurred_at for row in records()}


def records() -> list[Any]:
    return list(Feedback.select())


def walked(call: Call, query: str, limit: int = 7) -> list[dict[str, Any]]:
    """All of a list, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = call("GET", f"{PATH}?{query}&limit={limit}{cursor}")
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        found += answer.json["data"]
        if answer.json["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer.json['next_cursor']}"


FILTERS = ("", "category=bug", "q=export", "author=u1", "author=u1,u2", "type=alert", "status=open", "q=5")


@pytest.mark.parametrize("query", FILTERS)
def test_pages_follow_the_time_that_is_asked_for(call: Call, sent: dict[str, int], query: str) -> None:
    """Every record comes once, in both directions, whatever else the filter says."""
    meant = {row["id"] for row in walked(call, query)}
    for sort, falling in (("-occurred_at", True), ("occurred_at", False)):
        found = [row["id"] for row in walked(call, f"{query}&sort={sort}")]
        assert found == sorted(meant, key=lambda one: (sent[one], one), reverse=falling)
    assert [row["id"] for row in walked(call, f"{query}&time=occurred")] == sorted(
        meant, key=lambda one: (sent[one], one), reverse=True
    )


@pytest.mark.parametrize("query", FILTERS)
@pytest.mark.parametrize("sort", ["", "&sort=-impact", "&sort=occurred_at"])
def test_a_period_bounds_the_time_that_is_asked_for(
    call: Call, sent: dict[str, int], query: str, sort: str
) -> None:
    """What came today and occurred long ago is found in its own week."""
    times = sorted(sent.values())
    since, until = times[8], times[20]
    asked = f"{query}&time=occurred&since={iso(since)}&until={iso(until)}{sort}"
    meant = {row["id"] for row in walked(call, query) if since <= sent[row["id"]] < until}

    assert {row["id"] for row in walked(call, asked)} == meant
    assert len(meant) < 13 < len(walked(call, "since=1d"))


def test_a_sort_by_a_time_says_which_time_a_period_is_about(call: Call, sent: dict[str, int]) -> None:
    """Nobody has to say it twice; two times at once are refused."""
    times = sorted(sent.values())
    period = f"since={iso(times[3])}&until={iso(times[9])}"

    assert len(walked(call, f"{period}&sort=occurred_at")) == 6
    answer = call("GET", f"{PATH}?{period}&sort=occurred_at&time=received")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "sort")
    answer = call("GET", f"{PATH}?time=yesterday")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "time")


def test_a_cursor_is_of_one_order(call: Call, sent: dict[str, int]) -> None:
    cursor = call("GET", f"{PATH}?limit=2").json["next_cursor"]

    assert call("GET", f"{PATH}?limit=2&time=occurred&cursor={cursor}").status_code == 400


def by_day(call: Call, time: str, more: str = "") -> dict[tuple[str, str], int]:
    answer = call("GET", f"{STATS}?by=day,category&time={time}{more}")
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    return {(row["day"], row["category"]): row["count"] for row in answer.json["data"]}


def counted(time: str) -> dict[tuple[str, str], int]:
    at = Counter[tuple[str, str]]()
    for row in records():
        occurred = row.received_at if row.occurred_at is None else row.occurred_at
        moment = occurred if time == "occurred" else row.received_at
        at[iso(moment // DAY * DAY) or "", row.category] += 1
    return dict(at)


def test_days_count_what_occurred_then_whatever_changes(
    call: Call, sent: dict[str, int], tenant: Tenant
) -> None:
    """After imports, corrections, other times, deletes and what is taken back; days of receipt stay right."""
    ids = list(sent)

    def right() -> None:
        for time in ("received", "occurred"):
            assert by_day(call, time) == counted(time), time
        levels = Counter(row.impact for row in records())
        found = impacts(tenant.workspace_id, None, Filter(time="occurred"))
        assert found == [levels[level] for level in range(15)]

    right()
    call("PATCH", f"{PATH}/{ids[0]}", json={"category": "other", "status": "resolved", "impact": 13})
    call("PATCH", PATH, json={"ids": ids[3:9], "change": {"status": "resolved"}})
    right()
    Feedback.update(occurred_at=None).where(Feedback.id.in_(ids[10:14])).execute()
    Feedback.update(occurred_at=now_ms() - 3 * DAY).where(Feedback.id.in_(ids[14:18])).execute()
    Feedback.update(received_at=now_ms() - 5 * DAY).where(Feedback.id.in_(ids[16:20])).execute()
    right()
    Feedback.delete().where(Feedback.id.in_(ids[20:26])).execute()
    right()
    with pytest.raises(ZeroDivisionError), writing():
        Feedback.delete().execute()
        raise ZeroDivisionError
    right()
    Feedback.delete().execute()
    assert by_day(call, "occurred") == {}
    assert not any(row.records for row in OccurredRollup.select()) or sum_of_slots() == set()


def sum_of_slots() -> set[Any]:
    """What the counts of days that differ come to, where they do not come to nothing."""
    sums = Counter[Any]()
    for row in OccurredRollup.select():
        sums[row.day, row.category, row.status, row.type, row.language, row.sentiment] += row.records
    return {key for key, value in sums.items() if value}


def test_what_occurred_on_the_day_it_came_is_counted_once(call: Call, tenant: Tenant) -> None:
    """Most feedback says no time, or that of a moment ago: it leaves nothing beside the usual counts."""
    now = now_ms()
    for at in (None, iso(now), iso(now // DAY * DAY)):
        call("POST", PATH, json={"text": "Now", **({"occurred_at": at} if at else {})})

    assert OccurredRollup.select().count() == 0


def test_hours_and_parts_of_days_count_what_occurred_then(call: Call, sent: dict[str, int]) -> None:
    """What no day's counts hold is counted from the records."""
    times = sorted(sent.values())
    since, until = times[4] + 1, times[30]
    period = f"&since={iso(since)}&until={iso(until)}"
    meant = [at for at in times if since <= at < until]

    assert sum(by_day(call, "occurred", period).values()) == len(meant)
    answer = call("GET", f"{STATS}?by=hour&time=occurred{period}").json
    hours = Counter(iso(at // 3_600_000 * 3_600_000) for at in meant)
    assert {row["hour"]: row["count"] for row in answer["data"]} == hours
    before = [at for at in times if 2 * since - until <= at < since]
    assert answer["total"]["previous_count"] == len(before)


def test_a_file_goes_by_the_time_that_is_asked_for(call: Call, sent: dict[str, int]) -> None:
    """Oldest first, and a download that broke off goes on."""
    lines = call("GET", "/gateway/v1/export?time=occurred&fields=id&format=csv").text.split()[1:]
    rest = call(
        "GET", f"/gateway/v1/export?time=occurred&fields=id&format=csv&cursor={lines[9]}"
    ).text.split()

    assert lines == sorted(sent, key=lambda one: (sent[one], one))
    assert rest[1:] == lines[10:]


def test_what_is_changed_together_is_what_the_list_shows(call: Call, sent: dict[str, int]) -> None:
    """A bulk change by a filter means the period that the same filter lists."""
    times = sorted(sent.values())
    asked = f"time=occurred&since={iso(times[5])}&until={iso(times[15])}"
    shown = {row["id"] for row in walked(call, asked)}
    body = {"filter": asked, "change": {"status": "resolved"}}
    assert call("PATCH", PATH, json={**body, "dry_run": True}).json["matched"] == len(shown) == 10
    assert call("PATCH", PATH, json=body).json["changed"] == 10

    assert {row["id"] for row in walked(call, "status=resolved")} == shown


def test_a_time_alone_means_everything_and_changes_nothing(call: Call, sent: dict[str, int]) -> None:
    answer = call("PATCH", PATH, json={"filter": "time=occurred", "change": {"status": "resolved"}})

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "filter")


def test_an_index_has_the_order_of_what_occurred(sent: dict[str, int], tenant: Tenant) -> None:
    """Nothing is sorted: the order is said in the words of the index."""
    one, at = next(iter(sent.items()))
    for sort in ("-occurred_at", "occurred_at"):
        asked = ordered(Feedback.select(Feedback.id), sort, [at, one])
        mine = asked.where(Feedback.workspace_id == tenant.workspace_id)
        sql, values = database.obj.through(mine, "feedback_occurred").sql()
        with database.obj.atomic() as transaction:
            if not database.obj.EMBEDDED:  # of so few rows it would rather sort all
                for way in ("seqscan", "bitmapscan", "sort"):
                    database.execute_sql(f"SET LOCAL enable_{way} = off")
            explain = "EXPLAIN QUERY PLAN" if database.obj.EMBEDDED else "EXPLAIN"
            plan = " ".join(str(row) for row in database.execute_sql(f"{explain} {sql}", values).fetchall())
            transaction.rollback()

        assert "feedback_occurred" in plan
        assert "Sort" not in plan and "TEMP B-TREE" not in plan
