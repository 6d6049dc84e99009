"""The list: what filters mean, how it is sorted, and pages that stay right while records arrive."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from itertools import product
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Refused
from gateway.api import feedback_list, filters
from gateway.core.ids import new_id
from models import Feedback
from models.database.base import database
from models.database.query_dialects import _after
from models.queries.feedback_query import Filter
from models.queries.ordering import SORTS, ordered, reversed_sort
from tests.conftest import Call, Tenant

PATH = "/gateway/v1/feedback"
NOW = 1_780_000_000_000

SENT: list[dict[str, Any]] = [
    {
        "text": "Exporting invoices fails",
        "category": "bug",
        "sentiment": "neutral",
        "tags": ["team:billing", "beta"],
        "language": "en",
    },
    {"text": "Dark mode, please", "category": "feature", "sentiment": "positive", "tags": ["beta"]},
    {"text": "Hoe werkt dit?", "category": "question", "language": "nl", "author": {"id": "u1"}},
    {
        "text": "Lovely tool",
        "category": "praise",
        "author": {"id": "u2", "email": "jan@example.test"},
        "subject": {"page": "/invoices/7", "trace_id": "t-1"},
    },
    {
        "text": "Page is blank",
        "category": "bug",
        "sentiment": "negative",
        "external_id": "x-1",
        "subject": {"page": "/invoices", "trace_id": "t-2"},
        "tags": ['it\'s "quoted", and, commas', "%_"],
    },
    {"text": "Crash on save", "type": "rating", "category": "bug", "sentiment": "negative"},
]


@pytest.fixture(name="ids")
def _ids(call: Call) -> list[str]:
    """The ids of SENT, stored one after the other."""
    found = []
    for number, item in enumerate(SENT):
        found.append(call("POST", PATH, json=item).json["id"])
        Feedback.update(received_at=NOW + 1000 * number).where(Feedback.id == found[-1]).execute()
    Feedback.update(status="resolved", incident_key="story").where(Feedback.id == found[1]).execute()
    Feedback.update(category_confidence=0.9, sentiment_confidence=0.95).execute()
    Feedback.update(category_confidence=0.25).where(Feedback.id == found[2]).execute()
    Feedback.update(sentiment_confidence=0.5).where(Feedback.id == found[4]).execute()
    Feedback.update(sentiment_confidence=None).where(Feedback.id == found[5]).execute()
    for number, impact in enumerate((4, 2, 3, 0, 8, 11)):
        Feedback.update(impact=impact).where(Feedback.id == found[number]).execute()
    return found


def numbers(call: Call, ids: list[str], query: str) -> list[int]:
    """Which of SENT a list shows, in its order."""
    answer = call("GET", f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    return [ids.index(record["id"]) for record in answer.json["data"]]


FOUND = {
    "": [5, 4, 3, 2, 1, 0],
    "source=native": [5, 4, 3, 2, 1, 0],
    "source=slack": [],
    "type=rating": [5],
    "type=rating&status=open": [5],
    "type=rating,alert": [5],
    "type=rating,message&status=resolved": [1],
    "type=rating&confidence_below=0.5": [],
    "confidence_below=0.5&status=open": [2],
    "min_impact=8&status=open": [5, 4],
    "category=bug": [5, 4, 0],
    "category=praise,question": [3, 2],
    "category=praise&category=question": [3, 2],
    "sentiment=positive,negative&category=bug,feature&type=message,rating&status=open": [5, 4],
    "min_impact=9": [5],
    "max_impact=8&category=bug": [4, 0],
    "status=resolved": [1],
    "language=nl": [2],
    "tag=beta": [1, 0],
    "tag=team:billing,beta": [1, 0],
    "tag=team:billing&tag=beta": [0],
    "tag=bet": [],
    "tag!=beta": [5, 4, 3, 2],
    "tag%21=team:billing,%25_": [5, 3, 2, 1],
    "tag!=team:billing&tag!=%25_": [5, 3, 2, 1],
    "tag=beta&tag!=team:billing": [1],
    "tag!=bet": [5, 4, 3, 2, 1, 0],
    "q=mode&tag!=team:billing": [1],
    "author=u2&tag!=beta": [3],
    "tag=%25_": [4],
    "author=u1": [2],
    "author=jan@example.test,u1": [3, 2],
    "page=/invoices": [4, 3],
    "page=/invoices/": [3],
    "page=_invoices": [],
    "trace_id=t-1": [3],
    "incident_key=story": [1],
    "external_id=x-1": [4],
    "confidence_below=0.3": [2],
    "confidence_below=0.6": [2],
    "any_confidence_below=0.6": [4, 2],
    "any_confidence_below=0.5": [2],
    "any_confidence_below=0.92": [5, 4, 3, 2, 1, 0],
    "any_confidence_below=0.6&status=open&sort=-doubt": [4, 2],
    "sort=-doubt": [4, 2, 5, 0, 1, 3],
    "sort=doubt": [3, 1, 0, 5, 2, 4],
    "sort=-doubt&category=bug": [4, 5, 0],
    "q=-nothing&sort=-doubt": [4, 2, 5, 0, 1, 3],
    "q=on&sort=-doubt": [5],
    "author=u1,u2&sort=-doubt": [2, 3],
    "since=2026-05-28T20:26:43Z": [5, 4, 3],
    "since=2026-05-28T22:26:43%2B02:00": [5, 4, 3],
    "since=2026-05-28T22:26:43+02:00": [5, 4, 3],
    "until=2026-05-28T20:26:43Z": [2, 1, 0],
    "since=9000w&until=0m": [5, 4, 3, 2, 1, 0],
    "sort=received_at&category=bug": [0, 4, 5],
    "sort=-impact&category=bug": [5, 4, 0],
    "sort=impact&category=bug": [0, 4, 5],
    "q=-nothing&sort=impact": [3, 1, 2, 0, 4, 5],
    "sort=-impact&min_impact=3": [5, 4, 0, 2],
    "source=%F0%9F%98%80": [],
    "q=invoices": [0],
    "q=INVOICE+fail": [0],
    "q=invoice+blank": [],
    "q=exported": [0],
    "q=%22exporting+invoices%22": [0],
    "q=%22invoices+exporting%22": [],
    "q=invoice*": [0],
    "q=export*+-crash": [0],
    "q=exporte*": [],
    "q=page+-blank": [],
    "q=-invoice": [5, 4, 3, 2, 1],
    "q=-%22dark+mode%22&category=feature,question": [2],
    "q=werken": [2],
    "q=werkte&sort=received_at": [2],
    "q=on&sort=-impact": [5],
    "q=-nothing&sort=-impact": [5, 4, 0, 2, 1, 3],
    "q=-nothing&sort=received_at&limit=3": [0, 1, 2],
    "q=%F0%9F%98%80+tool": [3],
    "q=l%C3%B3vely": [3],
    "q=is:blank": [4],
    "q=is&since=2026-05-28T20:26:43Z": [4],
    "q=is&until=2026-05-28T20:26:43Z": [],
    "q=blank&external_id=x-1": [4],
    "q=dark&external_id=x-1": [],
    "author=%ED%A0%80": [],
}


@pytest.mark.both
def test_filters(call: Call, ids: list[str]) -> None:
    """Every field can be asked for, several values by comma, and what is found comes newest first."""
    assert {query: numbers(call, ids, query) for query in FOUND} == FOUND


@pytest.mark.both
@pytest.mark.parametrize("sort", SORTS)
def test_behind_a_record(call: Call, ids: list[str], sort: str) -> None:
    """A list begins behind any record, meant or not, and the other sort is the list before it."""
    for query in ("", "category=bug", "q=-nothing", "author=u1,u2", "tag=beta", "q=on"):
        every = numbers(call, ids, f"sort={sort}")
        meant = numbers(call, ids, f"{query}&sort={sort}")

        for place, number in enumerate(every):
            behind = [one for one in every[place + 1 :] if one in meant]
            before = [one for one in every[:place][::-1] if one in meant]
            asked = f"{query}&after={ids[number]}"
            assert numbers(call, ids, f"{asked}&sort={sort}") == behind, (asked, sort)
            assert numbers(call, ids, f"{asked}&sort={reversed_sort(sort)}") == before, asked
    wrong = call("GET", "/gateway/v1/feedback?after=fb_1&cursor=x").json["errors"]

    assert {fault["field"] for fault in wrong} == {"after", "cursor"}


@pytest.mark.both
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "feedback_list"),
        ("category=bug&sentiment=negative", "feedback_list"),
        ("type=message&category=bug", "feedback_list"),
        ("type=alert&status=open", "feedback_type"),
        ("type=alert", "feedback_type"),
        ("confidence_below=0.5&status=open", "feedback_unsure"),
        ("confidence_below=0.6", "feedback_list"),
        ("confidence_below=0.5&sort=-impact", "feedback_unsure"),
        ("any_confidence_below=0.6", "feedback_doubtful"),
        ("any_confidence_below=0.6&sort=-impact", "feedback_doubtful"),
        ("any_confidence_below=0.6&sort=-doubt", "feedback_doubtful"),
        ("any_confidence_below=0.6&sort=doubt", "feedback_doubtful"),
        ("any_confidence_below=0.7&sort=-doubt", "feedback_doubt"),
        ("sort=impact", "feedback_impact"),
        ("category_origin=second_reader", "feedback_category_origin"),
        ("category_origin=declared,corrected&sort=-impact", "feedback_category_origin"),
        ("category_origin=predicted", "feedback_list"),
        ("sentiment_origin=corrected&sort=-doubt", "feedback_sentiment_origin"),
        ("sort=-doubt", "feedback_doubt"),
        ("any_confidence_below=0.6&status=open&sort=-doubt", "feedback_status"),
        ("min_impact=9&status=open", "feedback_status"),
        ("min_impact=9&category=bug", "feedback_impact"),
        ("source=slack&category=bug", "feedback_source"),
        ("project=prj_1", "feedback_project"),
    ],
)
def test_what_is_rare_is_read_first(call: Call, ids: list[str], query: str, index: str) -> None:
    """On the embedded database a list is read through the index of what few records have."""
    asked: list[str] = []
    real = database.obj.execute_sql

    def note(sql: str, params: Any = None) -> Any:
        asked.append(sql)
        return real(sql, params)

    database.obj.execute_sql = note
    try:
        assert call("GET", f"{PATH}?{query}").status_code == 200
    finally:
        del database.obj.execute_sql

    assert [sql for sql in asked if f"INDEXED BY {index}" in sql or not database.obj.EMBEDDED]


@pytest.mark.both
def test_an_index_has_the_order_of_doubt(ids: list[str], tenant: Tenant) -> None:
    """Nothing is sorted: the order is said in the words of the index."""
    asked = ordered(Feedback.select(Feedback.id), "-doubt", [5, NOW, ids[0]])
    asked = database.obj.through(asked.where(Feedback.workspace_id == tenant.workspace_id), "feedback_doubt")
    sql, values = asked.sql()
    with database.obj.atomic() as transaction:
        if not database.obj.EMBEDDED:  # of so few rows it would rather sort all
            for way in ("seqscan", "bitmapscan", "sort"):
                database.execute_sql(f"SET LOCAL enable_{way} = off")
        explain = "EXPLAIN QUERY PLAN" if database.obj.EMBEDDED else "EXPLAIN"
        plan = " ".join(str(row) for row in database.execute_sql(f"{explain} {sql}", values).fetchall())
        transaction.rollback()

    assert "feedback_doubt" in plan
    assert "Sort" not in plan and "TEMP B-TREE" not in plan
    assert "(doubt,received_at,id)<(?,?,?)" in plan or "Index Cond" in plan


def test_other_tenants(call: Call, ids: list[str], other: Tenant) -> None:
    """No filter shows what is another workspace's."""
    for query in FOUND:
        answer = call("GET", f"{PATH}?{query}", headers=other.headers)
        assert answer.json == {"data": [], "next_cursor": None}


BAD = {
    "": "",
    "colour=red": "colour",
    "category=bug,red": "category",
    "category=": "category",
    "type=x&status=y&sentiment=z": "type status sentiment",
    "min_impact=15": "min_impact",
    "max_impact=-1": "max_impact",
    "min_impact=9&max_impact=3": "max_impact",
    "confidence_below=2": "confidence_below",
    "any_confidence_below=2": "any_confidence_below",
    "since=yesterday": "since",
    "since=1d&until=2d": "until",
    "until=9999999d": "until",
    "tag=a,,b": "tag",
    "tag!=": "tag!",
    "tags=a": "tags",
    "page=/a&page=/b": "page",
    "page=": "page",
    "source=" + "x" * 501: "source",
    "author=" + ",".join(map(str, range(51))): "author",
    "sort=severity": "sort",
    "limit=0": "limit",
    "limit=201&fields=id,colour": "fields limit",
    "fields=": "fields",
    "cursor=fb_00000000000000000000000000": "cursor",
    "cursor=": "cursor",
    "cursor=%F0%9F%98%80": "cursor",
    "cursor=" + feedback_list.cursor_of([1, 2, "fb_" + "0" * 26], "-impact"): "cursor",
    "cursor=" + feedback_list.cursor_of([2**63, "fb_" + "0" * 26], "-received_at"): "cursor",
    "cursor=" + feedback_list.cursor_of([True, "fb_" + "0" * 26], "-received_at"): "cursor",
    "cursor=" + feedback_list.cursor_of([1, "x"], "-received_at"): "cursor",
    "q=" + "x" * 501: "q",
    "q=": "q",
    "q=%22": "q",
    "q=-+*": "q",
    "q=a*": "q",
    "q=" + "+".join(map(str, range(21))): "q",
    "q=x&cursor=" + feedback_list.cursor_of([2**63, "fb_" + "0" * 26], "-received_at"): "cursor",
    "source=a%00": "source",
}


def test_bad_parameters(call: Call) -> None:
    """What is wrong is 400, and every bad parameter is named at once."""
    for query, names in BAD.items():
        answer = call("GET", f"{PATH}?{query}")
        assert answer.status_code == (400 if names else 200), query
        if names:
            assert [error["field"] for error in answer.json["errors"]] == names.split(), query


@pytest.mark.both
def test_too_many_values(call: Call) -> None:
    """However often a parameter is given, it is refused before the database is asked too much."""
    values = [f"v{number}" for number in range(1_000)]
    by_comma = [",".join(values[at : at + 50]) for at in range(0, len(values), 50)]
    for name, some in product(filters.NAMES, (values, by_comma)):
        query = urlencode([(name, value) for value in some])
        paths = (PATH, "/gateway/v1/export", "/gateway/v1/stats")
        answers = [call("GET", f"{path}?{query}") for path in paths]
        answers.append(call("DELETE", PATH, json={"filter": query, "dry_run": True}))

        assert [answer.status_code for answer in answers] == [400] * 4
        assert all(answer.json["errors"][0]["field"].endswith(name) for answer in answers)


@pytest.mark.both
@pytest.mark.parametrize("sort", SORTS)
def test_cursors(call: Call, ids: list[str], sort: str) -> None:
    """Pages of any size, one after the other, are the whole list; each cursor belongs to its sort."""
    whole = numbers(call, ids, f"sort={sort}")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"sort": sort, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = call("GET", f"{PATH}?{urlencode(query)}").json
        seen += [record["id"] for record in page["data"]]
        cursor = page["next_cursor"]
        if cursor:
            elsewhere = "received_at" if sort != "received_at" else "-impact"
            assert call("GET", f"{PATH}?cursor={cursor}&sort={elsewhere}").status_code == 400

    assert sorted(whole) == list(range(len(SENT)))
    assert [ids.index(found) for found in seen] == whole


def test_fields(call: Call, ids: list[str]) -> None:
    """`fields` chooses what is shown, in the order given."""
    answer = call("GET", f"{PATH}?fields=id,author,impact&limit=3").json

    assert [list(record) for record in answer["data"]] == [["id", "author", "impact"]] * 3
    assert answer["data"][2]["author"] == {"id": "u2", "name": None, "email": "jan@example.test"}
    assert answer["next_cursor"]


@pytest.mark.both
def test_walk_while_writers_insert(call: Call, tenant: Tenant, app: Any) -> None:
    """Eight writers store records during a walk: what was there at its start is seen exactly once."""
    batch = [{"text": f"Report {n} is empty"} for n in range(300)]
    stored = call("POST", f"{PATH}/batch", json=batch).json
    there = {item["id"] for item in stored["data"]}
    done = threading.Event()
    written: list[str] = []

    def write(number: int) -> None:
        client = app.test_client()
        count = 0
        while not done.is_set():
            count += 1
            sent = {"text": f"Writer {number} says {count}", "severity": count % 6}
            answer = client.post(PATH, json=sent, headers=tenant.headers)
            written.append(answer.json["id"])

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    try:
        for sort in SORTS:
            before = len(written)
            seen: list[str] = []
            cursor: str | None = ""
            pages = 0
            while cursor is not None and pages < 400:
                query = {"sort": sort, "limit": 50} | ({"cursor": cursor} if cursor else {})
                page = call("GET", f"{PATH}?{urlencode(query)}").json
                seen += [record["id"] for record in page["data"]]
                cursor = page["next_cursor"]
                pages += 1
                if there | set(written[:before]) <= set(seen):
                    break  # an oldest-first walk follows the writers for ever
            assert there | set(written[:before]) <= set(seen)
            assert len(seen) == len(set(seen))
            assert len(written) > before
    finally:
        done.set()
        for writer in writers:
            writer.join()


def test_one_parser() -> None:
    """A filter is read from a query string alone, which is what a saved filter is."""
    chosen = filters.parse("?category=bug&tag=a,b&tag=c&min_impact=3&since=2d", now=NOW)

    assert chosen == Filter(
        category=("bug",), tags=(("a", "b"), ("c",)), min_impact=3, since=NOW - 2 * 86_400_000
    )
    assert filters.parse("") == Filter()
    with pytest.raises(Refused, match="sort: Unknown"):
        filters.parse("sort=received_at")


@given(st.text(), st.lists(st.tuples(st.sampled_from(filters.NAMES), st.text())))
def test_any_query_string(text: str, pairs: list[tuple[str, str]]) -> None:
    """Whatever is sent is a filter, or refused with names."""
    for query in (text, "&".join(f"{name}={quote(value, errors='replace')}" for name, value in pairs)):
        try:
            assert isinstance(filters.parse(query), Filter)
        except Refused as refused:
            assert refused.problem.status == 400
            assert refused.problem.faults


@given(st.text(), st.sampled_from(list(SORTS)))
def test_any_cursor(text: str, sort: str) -> None:
    """A text is a place in a list, or none."""
    columns = SORTS[sort][0]
    position = [*([5] * (len(columns) - 1)), new_id("fb")]

    assert feedback_list.position_of(text, sort, columns) is None
    assert feedback_list.position_of(feedback_list.cursor_of(position, sort), sort, columns) == position


LONG = random.Random(5).randbytes(6000).hex()  # nothing shortens it


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("author", lambda value: {"author": {"id": value}}),
        ("author", lambda value: {"author": {"email": f"{value}@example.org"}}),
        ("trace_id", lambda value: {"subject": {"trace_id": value}}),
        ("page", lambda value: {"subject": {"page": value}}),
    ],
)
def test_values_of_any_length(call: Call, name: str, sent: Callable[[str], Any]) -> None:
    """What is longer than an index has room for is stored; what begins alike is told apart."""
    values = [LONG, *(LONG[:450] + end * 38 for end in "ab\U0001f600")]
    ids = [
        call("POST", PATH, json={"text": f"Report {n}", **sent(value)}).json["id"]
        for n, value in enumerate(values)
    ]
    end = "@example.org" if "email" in str(sent("")) else ""
    for value, record in zip(values[1:], ids[1:], strict=True):
        found = call("GET", f"{PATH}?{urlencode({name: value + end})}").json["data"]
        assert [one["id"] for one in found] == [record]
    begun = call("GET", f"{PATH}?{urlencode({name: LONG[:450]})}").json["data"]
    assert len(begun) == (4 if name == "page" else 0)


@given(st.text(min_size=1, max_size=4), st.text(max_size=4))
def test_what_begins_alike_is_together(begin: str, rest: str) -> None:
    """Between a beginning and the first text behind it are those that begin so, and no others."""
    end = _after(begin)
    for text in (rest, begin + rest):
        within = text.encode() >= begin.encode() and (end is None or text.encode() < end.encode())
        assert within == text.startswith(begin)


@pytest.mark.both
@pytest.mark.parametrize("sort", SORTS)
def test_pages_of_authors(call: Call, sort: str) -> None:
    """What some people wrote, known by ids, addresses or both, comes once each and in order, page by page."""
    people = [{"id": "ann"}, {"email": "ann"}, {"id": "ann", "email": "ann"}, {"id": "ben"}, {"id": "eve"}]
    many = [
        {"text": f"Number {number}", "author": people[number % 5], "severity": number % 4}
        for number in range(30)
    ]
    assert call("POST", f"{PATH}/batch", json=many).status_code == 200
    every = call("GET", f"{PATH}?limit=200&sort={sort}").json["data"]
    wanted = [row["id"] for row in every if {"ann", "ben"} & set(row["author"].values())]
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        page = call("GET", f"{PATH}?author=ann,ben&limit=7&sort={sort}{cursor and f'&cursor={cursor}'}").json
        found += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]

    assert len(wanted) == 24 and found == wanted
