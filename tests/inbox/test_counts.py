"""How many records a list has: exact while they are few, bounded when they are many."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, g

from adapters.contract.record import CATEGORIES
from gateway.api.filters import parse
from gateway.inbox.counts import said
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
        }
        for number in range(30)
    ]
    assert call("POST", f"{PATH}/batch", json=records).json["data"]
    ids = [row["id"] for row in call("GET", f"{PATH}?limit=200").json["data"]]
    call("PATCH", PATH, json={"ids": ids[:7], "change": {"status": "resolved"}})
    return call


def counted(app: Flask, tenant: Tenant, query: str, **more: Any) -> Count:
    return counting.count(tenant.workspace_id, None, parse(query), **more)


def test_a_count_is_how_many_the_list_has(app: Flask, tenant: Tenant, filled: Call) -> None:
    """Whatever the filter is, and whichever way its records are found."""
    for query in FILTERS:
        listed = len(filled("GET", f"{PATH}?limit=200&{query}").json["data"])

        assert counted(app, tenant, query) == Count(listed), query


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
    monkeypatch.setattr(counting, "LOOKED_AT", 10)
    oldest = counting.oldest_looked_at(tenant.workspace_id)

    assert oldest > 0
    assert counted(app, tenant, "category=question", oldest=oldest + 60_000) == Count(0, more=True)
    assert counted(app, tenant, "status=resolved", oldest=oldest + 60_000) == Count(7)


@pytest.mark.parametrize(("count", "words"), [(Count(7), "7"), (Count(999, more=True), "999+"), (None, "")])
def test_a_count_is_told_beside_a_name(app: Flask, count: Count | None, words: str) -> None:
    with app.test_request_context():
        g.locale = "en"
        assert said(count) == words
