"""The heading of a list: its name, how many it has, and a chip for all that it is filtered by."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import urlencode

import pytest

from gateway.api import filters
from gateway.inbox import active_filters
from models.queries.ordering import SORTS
from tests.conftest import Call, Tenant
from tests.inbox.conftest import Reader, report
from tests.replies.conftest import theme_of

Make = Callable[..., Reader]
CHIP = re.compile(r'<li class="chip"><span>(.*?)</span><a href="(.*?)"')


def chips(reader: Reader, query: str) -> dict[str, str]:
    """What the chips of a list say, and where their crosses lead."""
    page = reader.get(f"/inbox?{query}").text
    return {unescape(said): unescape(href) for said, href in CHIP.findall(page)}


def heading(reader: Reader, query: str = "") -> str:
    found = re.search(r"<h1>(.*?)</h1>", reader.get(f"/inbox?{query}").text)
    assert found
    return unescape(re.sub(r"\s+", " ", re.sub("<.*?>", "", found[1]))).strip()


def test_everything_that_filters_has_a_name() -> None:
    """What an address can say is said in people's words: each filter, and each order."""
    assert set(active_filters.NAMES) == {*filters.NAMES, "sort"}
    assert set(active_filters.SORTED) == set(SORTS)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("q", '"card twice"', 'Search: "card twice"'),
        ("category", "bug,question", "Category: bug, question"),
        ("status", "open", "Status: open"),
        ("min_impact", "9", "Impact: ≥ 9"),
        ("max_impact", "3", "Impact: ≤ 3"),
        ("any_confidence_below", "0.6", "Sure: < 0.6"),
        ("tag", "plan:team", "Tag: plan:team"),
        ("tag!", "secret", "Without tag: secret"),
        ("author", "ann@example.test", "Author: ann@example.test"),
        ("page", "/reports", "Page: /reports"),
        ("since", "7d", "Since: 7d"),
        ("since", "2026-11-01T00:00:00.000Z", "Since: 2026-11-01"),
        ("since", "2026-11-01", "Since: 2026-11-01"),
        ("since", "yesterTday", "Since: yesterTday"),
        ("until", "2026-11-01T12:30:00.000Z", "Until: 2026-11-01 12:30"),
        ("replied", "no", "Answered: no"),
        ("sort", "-impact", "Sorted by: impact"),
        ("topic", "none", "Topic: No topic"),
        ("theme", "theme_of_nobody", "Theme: theme_of_nobody"),
        ("page", "x" * 80, f"Page: {'x' * 59}…"),
        ("nonsense", "<b>", "nonsense: <b>"),
    ],
)
def test_a_chip_says_what_it_filters_by(reader: Make, name: str, value: str, said: str) -> None:
    """In words, whatever is filtered by; also what is no filter, so that it can be taken off."""
    assert chips(reader("viewer"), urlencode({name: value})) == {said: "/inbox"}


def test_ids_are_called_by_their_names(reader: Make, tenant: Tenant, call: Call) -> None:
    """A project, a topic and a theme."""
    sent = {"name": "Bills & dues", "description": "Invoices"}
    made = call("POST", f"/gateway/v1/projects/{tenant.project_id}/topics", json=sent).json
    found = theme_of(tenant, [report(call, "The export is slow")])
    query = urlencode({"project": tenant.project_id, "topic": made["topic_id"], "theme": found})
    said = list(chips(reader("viewer"), query))

    assert said[:2] == ["Project: Default", "Topic: Bills & dues"]
    assert said[2].startswith("Theme: ") and found not in said[2]


def test_a_foreign_theme_is_not_named(reader: Make, tenant: Tenant, other: Tenant, call: Call) -> None:
    """Its words are another workspace's."""
    found = theme_of(tenant, [report(call, "The export is slow")])

    assert list(chips(reader("viewer", other), f"theme={found}")) == [f"Theme: {found}"]


def test_each_cross_takes_off_one(reader: Make) -> None:
    """The rest of the address stays, in its order, also of two that have one name."""
    given = [("category", "bug"), ("tag", "a"), ("tag", "b"), ("sort", "-impact"), ("since", "7d")]
    found = chips(reader("viewer"), urlencode(given))

    assert list(found.values()) == [
        f"/inbox?{urlencode(given[:at] + given[at + 1 :])}" for at in range(len(given))
    ]


def test_a_list_is_called_what_its_view_is(reader: Make, call: Call) -> None:
    """A view's name in whatever order its filter is written, also one's own; else that it is filtered."""
    report(call, "The export is slow")
    ann = reader("viewer")
    ann.post("/inbox/views", {"name": "Ours <b>", "query": "category=bug&status=open"})

    assert heading(ann) == "All 1"
    assert heading(ann, "status=open&priority=high&snoozed=without").startswith("High impact")
    assert heading(ann, "status=open&category=bug").startswith("Ours <b>")
    assert heading(ann, "category=bug").startswith("Filtered")


def test_how_many(reader: Make, call: Call) -> None:
    """As many as there are, on each page of them."""
    for n in range(51):
        report(call, f"Report {n}")
    ann = reader("viewer")
    older = re.search(r'href="(/inbox\?[^"]*)" rel="next"', ann.get("/inbox").text)
    assert older

    assert heading(ann) == "All 51"
    assert heading(ann, "min_impact=14") == "Filtered 0"
    assert "All 51" in re.sub("<.*?>", "", ann.get(unescape(older[1])).text)


@pytest.mark.parametrize("name", ["Mine", "Nobody&#39;s", "Mentions", "Snoozed"])
def test_views_of_whose_work_it_is_are_named(reader: Callable[..., Reader], call: Call, name: str) -> None:
    """The list that one of them leads to has its name, and it is marked as where one is."""
    call("POST", "/gateway/v1/feedback", json={"text": "The export is empty"})
    ann = reader("triager")
    led = re.search(rf'<a href="/inbox\?([^"]*)">{name}', ann.get("/inbox").text)
    assert led
    page = ann.get(f"/inbox?{unescape(led[1])}").text
    assert f"<h1>{name}" in page
    assert re.search(rf'aria-current="page">{name}', page)
