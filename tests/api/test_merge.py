"""Records that say the same: merged, taken apart, and counted right whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playhouse.test_utils import count_queries

from gateway.background import similar
from gateway.background.lease import run_once
from models import Event, Feedback, Merge, Outbox
from models.database.base import database, rows, to_change, writing
from models.tables import merging
from models.tables.impact_reasons import points
from tests.conftest import Call, Tenant, until

pytestmark = pytest.mark.both

PATH = "/gateway/v1/feedback"
SUGGESTED = "/gateway/v1/merge-suggestions"
AUTHORS = ("ann", "bob", None)
WORDS = ("export", "import", "printing", "sending", "search", "archive", "total")


@pytest.fixture(name="make")
def _make(call: Call) -> Callable[..., list[str]]:
    """Makes records, one for each author's id."""

    def make(*authors: str | None, text: str = "The {} of invoices stops") -> list[str]:
        items = [{"text": text.format(WORDS[n]), "author": {"id": who}} for n, who in enumerate(authors)]
        return [row["id"] for row in call("POST", f"{PATH}/batch", json=items).json["data"]]

    return make


def merged(call: Call, into: str, *ids: str, status: int = 200) -> Any:
    answer = call("POST", f"{PATH}/{into}/merge", json={"ids": list(ids)})
    assert answer.status_code == status, answer.json
    return answer.json


def listed(call: Call, query: str = "") -> set[str]:
    return {row["id"] for row in call("GET", f"{PATH}?{query}").json["data"]}


def recounted() -> None:
    """Every record stands where its tree says, with the people and the impact that its group gives it."""
    known = {row["id"]: row for row in rows(Feedback.select())}
    into = {row["feedback"]: row["into"] for row in rows(Merge.select())}
    groups: dict[str, list[str]] = {}
    for one in known:
        root = one
        while root in into:
            root = into[root]
        assert known[one]["merged_into"] == (root if root != one else None)
        groups.setdefault(root, []).append(one)
    for root, ids in groups.items():
        authors = {known[one]["author_id"] or known[one]["author_email"] or one for one in ids}
        assert known[root]["people"] == (len(authors) if len(ids) > 1 else None)
        assert all(known[one]["people"] is None for one in ids if one != root)
    for row in known.values():
        parts = {reason["part"]: reason["points"] for reason in row["impact_reasons"]}
        more = None if row["people"] is None else max(0, points(row["people"]) - parts["reach"])
        assert parts.get("merged") == more
        assert row["impact"] == sum(parts.values()) <= 14


def test_merged_and_taken_apart(call: Call, make: Callable[..., list[str]]) -> None:
    """One stands for five people, lists leave the others out, and apart all are as they were."""
    ids = make("ann", "bob", "cleo", "dan", "ann", "eve")
    before = {one: call("GET", f"{PATH}/{one}").json for one in ids}
    answer = merged(call, ids[0], *ids[1:])

    assert (answer["people"], answer["merged_into"]) == (5, None)
    assert answer["impact"] == before[ids[0]]["impact"] + 2
    assert answer["impact_reasons"][-1] == {"part": "merged", "points": 2, "why": "5 people"}
    assert listed(call) == {ids[0]}
    assert listed(call, "merged=with") == set(ids)
    assert listed(call, "merged=only") == listed(call, f"merged_into={ids[0]}") == set(ids[1:])
    shown = call("GET", f"{PATH}/{ids[0]}?expand=merged").json["merged"]
    assert [(one["id"], one["author"]["id"]) for one in shown] == [
        (one, before[one]["author"]["id"]) for one in ids[1:]
    ]
    assert call("GET", "/gateway/v1/stats").json["total"]["count"] == 6
    apart = call("POST", f"{PATH}/{ids[0]}/unmerge", json={"ids": ids[1:]})
    assert apart.status_code == 200
    for one in ids:
        now = call("GET", f"{PATH}/{one}").json
        assert {**now, "updated_at": ""} == {**before[one], "updated_at": ""}
    assert listed(call) == set(ids)
    kinds = [row.type for row in Event.select().where(Event.type.in_(["merged", "unmerged"]))]
    assert (kinds.count("merged"), kinds.count("unmerged")) == (6, 6)


def test_a_group_joins_whole_and_leaves_whole(call: Call, make: Callable[..., list[str]]) -> None:
    """Chains are one group, and what was merged into one goes along with it."""
    one, two, three, four = make("ann", "bob", "cleo", "dan")
    merged(call, one, two)
    merged(call, three, four)
    merged(call, two, four)  # both stand for others or are stood for: their groups are meant
    recounted()

    assert call("GET", f"{PATH}/{one}").json["people"] == 4
    call("POST", f"{PATH}/{one}/unmerge", json={"ids": [three]})
    recounted()
    assert call("GET", f"{PATH}/{four}").json["merged_into"] == three
    assert [call("GET", f"{PATH}/{root}").json["people"] for root in (one, three)] == [2, 2]


def test_what_is_refused(
    call: Call, make: Callable[..., list[str]], other: Tenant, client: Any, tenant: Tenant
) -> None:
    """What is not there, is another's, is one already, or has changed; and nothing of it is done."""
    one, two, three = make("ann", "bob", "cleo")
    merged(call, one, two)
    for into, ids, status in (
        (one, [one], 409),
        (one, [two], 409),
        (two, [one], 409),
        (one, ["fb_unknown"], 404),
        (one, [three, "fb_unknown"], 404),
        ("fb_unknown", [three], 404),
        (one, [], 400),
        (one, [three] * 1001, 400),
    ):
        merged(call, into, *ids, status=status)
    for ids in ([three], [one]):
        assert call("POST", f"{PATH}/{one}/unmerge", json={"ids": ids}).status_code == 400
    stale = call("POST", f"{PATH}/{one}/merge", json={"ids": [three]}, headers={"If-Match": '"old"'})
    assert stale.status_code == 412
    foreign = client.post(f"{PATH}/{one}/merge", json={"ids": [three]}, headers=other.headers)
    assert foreign.status_code == 404
    made = client.post(PATH, json={"text": "Theirs"}, headers=other.headers).json
    merged(call, one, made["feedback"]["id"] if "feedback" in made else made["id"], status=404)
    recounted()
    assert call("GET", f"{PATH}/{three}").json["merged_into"] is None


def test_what_is_deleted_is_stood_for(call: Call, make: Callable[..., list[str]]) -> None:
    """With the one that stood for others gone the oldest of them does, in its status."""
    ids = make("ann", "bob", "cleo", "dan")
    merged(call, ids[1], ids[2])
    merged(call, ids[0], ids[1], ids[3])
    call("PATCH", f"{PATH}/{ids[0]}", json={"status": "acknowledged"})
    assert call("DELETE", f"{PATH}/{ids[0]}").status_code == 204
    recounted()
    heir = call("GET", f"{PATH}/{ids[1]}").json
    assert (heir["people"], heir["status"]) == (3, "acknowledged")
    assert listed(call) == {ids[1]}
    call("DELETE", PATH, json={"ids": [ids[1], ids[2]]})
    recounted()
    assert call("GET", f"{PATH}/{ids[3]}").json["people"] is None


def test_what_people_set_stays(call: Call, make: Callable[..., list[str]]) -> None:
    """An impact that a person set is not changed by merging, and its reasons are told still."""
    ids = make("ann", "bob", "cleo", "dan", "eve")
    call("PATCH", f"{PATH}/{ids[0]}", json={"impact": 7})
    answer = merged(call, ids[0], *ids[1:])
    assert (answer["impact"], answer["impact_reasons"][-1]["points"]) == (7, 2)


def test_destinations_hear_of_it(call: Call, make: Callable[..., list[str]]) -> None:
    """Each record that is merged or taken apart is a change to who listens for that."""
    events = ["feedback.merged", "feedback.unmerged"]
    sent = {"kind": "webhook", "url": "https://hooks.example.com/in", "events": events}
    assert call("POST", "/gateway/v1/destinations", json=sent).status_code == 201
    one, two = make("ann", "bob")
    merged(call, one, two)
    call("POST", f"{PATH}/{one}/unmerge", json={"ids": [two]})
    noted = [(row["type"], row["feedback_id"]) for row in rows(Outbox.select().order_by(Outbox.id))]
    assert sorted(noted) == sorted((kind, each) for kind in events for each in (one, two))


def test_suggestions(call: Call, tenant: Tenant) -> None:
    """Pairs that say nearly the same are suggested until somebody merges them or says that they do not."""
    words = "The export of invoices to PDF stops after the third page of {} and nothing else happens"
    items = [{"text": words.format(month)} for month in ("May", "June", "July")]
    items += [{"text": "The colour of the button is hard to see at night on my phone"}]
    ids = [row["id"] for row in call("POST", f"{PATH}/batch", json=items).json["data"]]
    run_once(similar.KEEP_UP)

    def pairs() -> set[frozenset[str]]:
        found = call("GET", SUGGESTED).json
        assert found["next_cursor"] is None
        return {frozenset(one["id"] for one in pair["records"]) for pair in found["data"]}

    assert pairs() == {frozenset(two) for two in ([ids[0], ids[1]], [ids[0], ids[2]], [ids[1], ids[2]])}
    assert call("POST", f"{SUGGESTED}/dismiss", json={"ids": [ids[2], ids[0]]}).status_code == 204
    assert call("POST", f"{SUGGESTED}/dismiss", json={"ids": [ids[0], ids[2]]}).status_code == 204
    assert frozenset([ids[0], ids[2]]) not in pairs()
    merged(call, ids[0], ids[1])
    assert pairs() == set()
    for bad in ([], [ids[0]], [ids[0], ids[0]], ids[:3]):
        assert call("POST", f"{SUGGESTED}/dismiss", json={"ids": bad}).status_code == 400
    assert call("POST", f"{SUGGESTED}/dismiss", json={"ids": [ids[0], "fb_no"]}).status_code == 404
    assert call("GET", f"{SUGGESTED}?cursor=nonsense").status_code == 400


def test_into_each_other_at_once(app: Flask, tenant: Tenant, make: Callable[..., list[str]]) -> None:
    """A into B and B into A at once are one group, and one of both was told that they are one already."""

    def send(into: str, other: str) -> int:
        answer = app.test_client().post(f"{PATH}/{into}/merge", json={"ids": [other]}, headers=tenant.headers)
        return answer.status_code

    for _ in range(8):
        one, two = make("ann", "bob")
        with ThreadPoolExecutor(2) as threads:
            codes = list(threads.map(send, (one, two), (two, one)))
        assert sorted(codes) == [200, 409]
    recounted()


def test_while_one_is_deleted(
    kind: str, app: Flask, tenant: Tenant, call: Call, make: Callable[..., list[str]]
) -> None:
    """A merge and a deletion that wait for each other both come through."""
    if kind == "sqlite":
        pytest.skip("has one writer at a time")
    one, two, three = make("ann", "bob", "eve")
    merged(call, two, three)
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    def send() -> int:
        client = app.test_client()
        ids = {"ids": [two]}
        return client.post(f"{PATH}/{one}/merge", json=ids, headers=tenant.headers).status_code

    with ThreadPoolExecutor(1) as threads:
        with writing():
            database.execute_sql("SET LOCAL deadlock_timeout = '1h'")  # it is the merge that gives way
            to_change(Feedback, two)
            answer = threads.submit(send)
            until(lambda: database.execute_sql(waits).fetchone())
            merging.delete([two])
        assert answer.result() == 404  # it is gone
    recounted()
    assert merged(call, one, three)["people"] == 2


OPERATIONS = st.one_of(
    st.tuples(st.just("merge"), st.integers(0, 6), st.lists(st.integers(0, 6), min_size=1, max_size=4)),
    st.tuples(st.just("unmerge"), st.integers(0, 6), st.lists(st.integers(0, 6), min_size=1, max_size=3)),
    st.tuples(st.just("delete"), st.lists(st.integers(0, 6), min_size=1, max_size=3)),
    st.tuples(st.just("erase"), st.sampled_from(["delete", "anonymise"]), st.sampled_from(["ann", "bob"])),
    st.tuples(st.just("same words"), st.integers(0, 6)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sequence=st.lists(OPERATIONS, min_size=1, max_size=8),
    authors=st.lists(st.sampled_from(AUTHORS), min_size=7, max_size=7),
)
def test_any_sequence(
    call: Call, make: Callable[..., list[str]], sequence: list[Any], authors: list[str | None]
) -> None:
    """Whatever is merged, taken apart, deleted, erased and reported again: all is as a recount says."""
    call("DELETE", PATH, json={"filter": "merged=with&since=90d"})
    words = "alpha beta gamma delta"
    ids = make(*authors[:4], text=words) + make(*authors[4:])
    for step, *rest in sequence:
        if step == "merge":
            call("POST", f"{PATH}/{ids[rest[0]]}/merge", json={"ids": [ids[n] for n in rest[1]]})
        elif step == "unmerge":
            root = call("GET", f"{PATH}/{ids[rest[0]]}").json.get("merged_into") or ids[rest[0]]
            call("POST", f"{PATH}/{root}/unmerge", json={"ids": [ids[n] for n in rest[1]]})
        elif step == "delete":
            call("DELETE", PATH, json={"ids": [ids[n] for n in rest[0]]})
        elif step == "erase":
            call("POST", "/gateway/v1/authors/erase", json={"id": rest[1], "mode": rest[0]})
        else:
            make(f"new {rest[0]}", text=words)
        recounted()


def test_many_at_once(call: Call) -> None:
    """Many are merged or taken apart by few statements: whoever else writes waits for them."""
    items = [{"text": f"The export stops {n}"} for n in range(40)]
    ids = [row["id"] for row in call("POST", f"{PATH}/batch", json=items).json["data"]]
    asked = []
    for many in (3, 39):
        with count_queries() as together:
            merged(call, *ids[: many + 1])
        with count_queries() as apart:
            answer = call("POST", f"{PATH}/{ids[0]}/unmerge", json={"ids": ids[1 : many + 1]})
        assert answer.status_code == 200
        recounted()
        asked.append((together.count, apart.count))

    few, many = map(sum, asked)
    assert 0 < many <= few + 10  # which tell what was done, some rows at a time
