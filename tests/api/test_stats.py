"""Numbers: counts and means by label and time, exact after every kind of change."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models import Feedback, close, connect
from models.database.base import database, writing
from models.migrations import _runner, migrate
from models.queries.feedback_query import Filter
from models.queries.statistics import impacts, sums
from models.tables.daily_count import DAY
from models.tables.feedback import iso
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both

PATH = "/gateway/v1/stats"
NOON = 20_000 * DAY + DAY // 2  # 2024-10-04T12:00:00Z


@pytest.fixture(name="ids")
def _ids(call: Call) -> list[str]:
    """Forty records over five days, with labels and scores of all kinds."""
    dice = random.Random(7)
    items = [
        {
            "text": f"Report {number} stays empty",
            "category": dice.choice(["bug", "praise", "other"]),
            "sentiment": dice.choice(["positive", "negative"]),
            "language": dice.choice(["en", "nl", None]),
        }
        for number in range(40)
    ]
    answers = call("POST", "/gateway/v1/feedback/batch", json=items).json["data"]
    found = [answer["id"] for answer in answers]
    for number, record in enumerate(found):
        at = NOON + number * (DAY // 8 + 700_000) // (1 + number % 3) + 17
        Feedback.update(received_at=at, impact=dice.randrange(15)).where(Feedback.id == record).execute()
    return found


def near(value: float) -> Any:
    """A mean of scores that were rounded to millionths."""
    return pytest.approx(value, abs=1e-4)


def counted(by: str) -> list[dict[str, Any]]:
    """What the numbers must be, from the records one by one."""
    groups: dict[tuple[Any, ...], list[Any]] = {}
    spans = {"day": DAY, "hour": DAY // 24}
    names = by.split(",") if by else []
    for row in Feedback.select().dicts():
        row["project"] = row["project_id"]
        key = tuple(
            row["received_at"] // spans[name] * spans[name] if name in spans else row[name] for name in names
        )
        groups.setdefault(key, []).append(row)
    return [
        {
            "count": len(rows),
            "impact": round(sum(row["impact"] for row in rows) / len(rows), 4),
            "sentiment_score": pytest.approx(
                sum(row["sentiment_score"] for row in rows) / len(rows), abs=1e-4
            ),
        }
        for _, rows in sorted(groups.items(), key=lambda item: [(part is None, part) for part in item[0]])
    ]


def shown(call: Call, query: str) -> list[dict[str, Any]]:
    answer = call("GET", f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    names = ("count", "impact", "sentiment_score")
    return [{name: row[name] for name in names} for row in answer.json["data"]]


def spread(records: Iterable[Feedback]) -> list[int]:
    counts = Counter(row.impact for row in records)
    return [counts[level] for level in range(15)]


BY = ("", "day", "hour", "category", "day,category", "sentiment,language", "source,project,type", "status")


def test_exact(call: Call, ids: list[str], tenant: Tenant) -> None:
    """The rollup says what the records say, after inserts, relabelling, deletes and updates of many."""
    for _ in range(2):
        for by in BY:
            assert shown(call, f"by={by}" if by else "") == counted(by), by
        assert impacts(tenant.workspace_id, None, Filter()) == spread(Feedback.select())
        call("PATCH", f"/gateway/v1/feedback/{ids[3]}", json={"category": "feature", "status": "resolved"})
        call("PATCH", f"/gateway/v1/feedback/{ids[4]}", json={"sentiment": "neutral", "impact": 14})
        Feedback.update(language=None).where(Feedback.id.in_(ids[5:9])).execute()
        Feedback.delete().where(Feedback.id.in_(ids[9:12])).execute()
    with pytest.raises(ZeroDivisionError), writing():
        Feedback.delete().execute()
        raise ZeroDivisionError
    assert shown(call, "by=category") == counted("category")


def test_periods(call: Call, ids: list[str], tenant: Tenant) -> None:
    """A period that begins and ends within days counts just its records; so do filters of every kind."""
    records = list(Feedback.select().order_by(Feedback.received_at))
    dice = random.Random(3)
    for _ in range(12):
        since, until = sorted(dice.choices([row.received_at for row in records], k=2))
        meant = [row for row in records if since <= row.received_at < until and row.category != "other"]
        high = [row for row in meant if row.impact >= 7]
        query = f"since={iso(since)}&until={iso(until)}&category=bug,praise"
        total = call("GET", f"{PATH}?{query}&by=day,category").json["total"]
        assert total["count"] == len(meant)
        assert call("GET", f"{PATH}?{query}&min_impact=7").json["total"]["count"] == len(high)
        within = Filter(since=since, until=until, category=("bug", "praise"))
        assert impacts(tenant.workspace_id, tenant.project_id, within) == spread(meant)
        assert sum(impacts(tenant.workspace_id, None, replace(within, min_impact=7))) == len(high)
        assert call("GET", f"{PATH}?{query}&q=report").json["total"]["count"] == len(meant)
        before = [row for row in records if 2 * since - until <= row.received_at < since]
        assert total["previous_count"] == sum(row.category != "other" for row in before)


def test_answer(call: Call, ids: list[str]) -> None:
    """Groups come in order, with means, and with how many there were in the period before."""
    Feedback.update(category="bug", impact=3, sentiment_score=0.5).where(Feedback.id.in_(ids[:16])).execute()
    Feedback.update(received_at=NOON).where(Feedback.id.in_(ids[1:4])).execute()
    Feedback.update(received_at=NOON + 2 * DAY).where(Feedback.id.in_(ids[4:16])).execute()
    Feedback.update(category="praise", received_at=NOON - DAY).where(Feedback.id == ids[0]).execute()
    Feedback.delete().where(Feedback.id.in_(ids[16:])).execute()
    answer = call("GET", f"{PATH}?by=category&since=2024-10-04T00:00:00Z&until=2024-10-05T00:00:00Z").json

    assert answer == {
        "data": [
            {
                "category": "bug",
                "count": 3,
                "impact": 3.0,
                "sentiment_score": 0.5,
                "previous_count": 0,
                "trend": None,
            },
            {
                "category": "praise",
                "count": 0,
                "impact": None,
                "sentiment_score": None,
                "previous_count": 1,
                "trend": -1.0,
            },
        ],
        "next_cursor": None,
        "total": {
            "count": 3,
            "impact": 3.0,
            "sentiment_score": 0.5,
            "previous_count": 1,
            "trend": 2.0,
        },
        "since": "2024-10-04T00:00:00.000Z",
        "until": "2024-10-05T00:00:00.000Z",
    }
    (day, *_) = call("GET", f"{PATH}?by=day").json["data"]
    assert day["day"] == "2024-10-03T00:00:00.000Z"
    assert (day["count"], "trend" in day) == (1, False)


def test_bad_parameters(call: Call) -> None:
    """What is wrong is named."""
    for query in ("by=colour", "by=day,day", "by=", "by=day,hour", "by=day,source,type,status", "sort=x"):
        answer = call("GET", f"{PATH}?{query}")
        assert answer.status_code == 400
        assert [error["field"] for error in answer.json["errors"]] == [query.partition("=")[0]]


def test_nothing(call: Call, other: Tenant, ids: list[str]) -> None:
    """Nobody counts what is another workspace's."""
    answer = call("GET", f"{PATH}?by=category&since=9000d", headers=other.headers).json

    assert answer["data"] == []
    assert answer["total"]["count"] == answer["total"]["previous_count"] == 0


def test_words_follow(call: Call, kind: str) -> None:
    """What is searched follows changes, deletes, and hundreds of records."""
    path = "/gateway/v1/feedback"
    for start in range(3):
        items = [{"text": f"Number {start * 200 + n} is odd", "tags": [f"n:{n % 7}"]} for n in range(200)]
        assert call("POST", f"{path}/batch", json=items).json["accepted"] == 200
    words = {row.id: row.words for row in Feedback.select()}
    some = sorted(words)[:300:7]
    for record in some:
        Feedback.update(words=" okapi ", tags=["zoo"]).where(Feedback.id == record).execute()
    Feedback.delete().where(Feedback.id == some[0]).execute()
    for query, expected in (("okapi", 42), ("odd", 557), ("odd -number", 0), ("okap*", 42), ("555", 1)):
        assert count(call, f"q={query}") == expected, query
    assert count(call, "tag=zoo") == 42
    assert count(call, "q=okapi&tag=zoo") == 42
    assert count(call, "q=okapi&tag=n:3") == 0
    if kind == "sqlite":
        database.execute_sql("INSERT INTO search (search) VALUES ('integrity-check')")


def count(call: Call, query: str) -> int:
    """How many records a list has, all pages together."""
    total, cursor = 0, ""
    while cursor is not None:
        page = call("GET", f"/gateway/v1/feedback?{query}&limit=100&fields=id{cursor}").json
        total += len(page["data"])
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    return total


def test_upgrade(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What was stored before impacts were counted is counted when it is, and what changes afterwards."""
    made = request.getfixturevalue("cluster").database("template0") if kind == "postgres" else None
    connect(made.__enter__() if made else f"sqlite:///{tmp_path}/old.db")
    row = {field.column_name: "" for field in Feedback._meta.sorted_fields if not field.null}
    numbers = {"category_confidence": 1, "sentiment_score": 0.25, "occurrences": 1, "votes": 0, "triggers": 0}
    row |= numbers | dict.fromkeys(("first_seen_at", "last_seen_at", "updated_at"), 0)
    row |= {"workspace_id": "w", "impact_reasons": [], "subject": {}, "tags": []}
    try:
        _runner().up("0010_rare")
        for number in range(30):
            values = {"id": f"fb_{number}", "impact": number % 7, "received_at": number * DAY // 4}
            Feedback.insert({**row, **values}).execute()
        assert migrate()[:2] == ["0011_impacts", "0012_named"]
        assert impacts("w", None, Filter()) == spread(Feedback.select())
        Feedback.update(impact=14).where(Feedback.received_at < 2 * DAY).execute()
        Feedback.delete().where(Feedback.impact == 3).execute()
        Feedback.insert({**row, "id": "fb_x", "impact": 9, "received_at": DAY}).execute()

        assert impacts("w", None, Filter()) == spread(Feedback.select())
        assert impacts("w", None, Filter(since=DAY, until=5 * DAY)) == spread(
            Feedback.select().where(Feedback.received_at >= DAY, Feedback.received_at < 5 * DAY)
        )
        assert sums("w", None, Filter(), [])[()].records == Feedback.select().count()
    finally:
        close()
        if made:
            made.__exit__(None, None, None)
