"""How many records a list has: exact while they are few, bounded when they are many."""

from __future__ import annotations

import pytest
from flask import Flask, g
from playhouse.test_utils import count_queries

from adapters.contract.record import CATEGORIES
from gateway.api.filters import parse
from gateway.inbox.counts import said
from gateway.inbox.feedback_list import VIEWS
from models import Feedback
from models.queries import counting
from models.queries.counting import Count
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both
PATH = "/gateway/v1/feedback"
FILTERS = (
    "",
    "status=open",
    "status=resolved",
    "status=open&type=alert",
    "type=alert",
    "category=question&status=open",
    "source=native",
    "author=u1",
    "q=printer",
    "tag=key:value",
    "tag!=key:value",
    "any_confidence_below=0.6&status=open",
    "min_impact=3",
    "priority=high",
    "priority=normal",
    "priority=high&status=open",
    "page=/help",
    "since=1d",
)


@pytest.fixture(name="filled")
def _filled(call: Call) -> Call:
    """Some of everything that the filters are about."""
    records = [
        {
            "text": f"The printer {number} does not print" if number % 2 else f"Where is invoice {number}?",
            "type": "alert" if number % 5 == 0 else "message",
            "category": CATEGORIES[number % len(CATEGORIES)] if number % 3 else None,
            "author": {"id": f"u{number % 4}"},
            "tags": ["key:value"] if number % 3 == 0 else [],
            "subject": {"page": "/help/1"} if number % 4 == 0 else {},
            "severity": (number + 1) % 6,
        }
        for number in range(30)
    ]
    assert call("POST", f"{PATH}/batch", json=records).status_code == 200
    ids = [row.id for row in Feedback.select()]
    call("PATCH", PATH, json={"ids": ids[:7], "change": {"status": "resolved"}})
    return call


def listed(call: Call, query: str) -> int:
    answer = call("GET", f"{PATH}?limit=200&{query}").json
    assert answer is not None
    return len(answer["data"])


def counted(app: Flask, tenant: Tenant, query: str) -> Count:
    return counting.count(tenant.workspace_id, None, parse(query))


def test_a_count_is_how_many_the_list_has(app: Flask, tenant: Tenant, filled: Call) -> None:
    """Whatever the filter is, and whichever way its records are found."""
    for query in FILTERS:
        assert counted(app, tenant, query) == Count(listed(filled, query)), query


def test_no_more_are_counted_than_are_told(
    app: Flask, tenant: Tenant, filled: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more it is known that there are more."""
    monkeypatch.setattr(counting, "MOST", 3)

    assert counted(app, tenant, "status=open") == Count(3, more=True)


def test_what_has_no_index_of_its_own_is_looked_for_among_the_newest(
    app: Flask, tenant: Tenant, filled: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the count says that there may be more; what has an index is counted whole all the same."""
    for number, row in enumerate(Feedback.select()):
        Feedback.update(received_at=1_790_000_000_000 + number).where(Feedback.id == row.id).execute()
    monkeypatch.setattr(counting, "LOOKED_AT", 10)
    newest = Feedback.select().order_by(Feedback.received_at.desc()).limit(11)
    there = sum(row.category == "question" for row in newest)

    assert counted(app, tenant, "category=question") == Count(there, more=True)
    assert counted(app, tenant, "status=resolved") == Count(7)


def test_several_lists_are_counted_by_one_statement(app: Flask, tenant: Tenant, filled: Call) -> None:
    """Each view's number is the one that its list alone would have."""
    plain = [text.partition("&sort=")[0] for _name, text in VIEWS]
    with count_queries() as asked:
        found = counting.counts(tenant.workspace_id, None, [*map(parse, plain)])

    assert asked.count == 1
    there = [listed(filled, text) for text in plain]
    assert found == [Count(number) for number in there]
    assert min(there[:4]) > 0 and len(set(there)) > 4


@pytest.mark.parametrize(("count", "words"), [(Count(7), "7"), (Count(999, more=True), "999+"), (None, "")])
def test_a_count_is_told_beside_a_name(app: Flask, count: Count | None, words: str) -> None:
    with app.test_request_context():
        g.locale = "en"
        assert said(count) == words
