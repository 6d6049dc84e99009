"""Whoever says what a record's category and sentiment are, the reasons of its impact speak of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from adapters.contract.record import CATEGORIES, SENTIMENTS, Record
from gateway import triage
from gateway.background.retriage import retriage
from models import Feedback
from models.intake.telling import DECLARED, OVER
from models.intake.writes import unless_overruled
from models.queries.feedback_query import Filter
from tests.conftest import Call
from tests.inbox.conftest import Reader

PATH = "/gateway/v1/feedback"
TEXTS = (
    "The export crashes and everyone is hit",
    "Could you add dark mode",
    "I cannot pay, all my data is gone!",
    "Lovely, thank you",
)
Make = Callable[..., Reader]
Say = Callable[[str, dict[str, Any]], None]


def row_of(record_id: str) -> dict[str, Any]:
    row: dict[str, Any] = Feedback.select().where(Feedback.id == record_id).dicts().get()
    return row


def reasons_by_its_labels(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The reasons that the record would have if its sender had said its labels."""
    labels = {name: row[name] for name in ("category", "sentiment", "sentiment_score")}
    said = triage.label(Record(text=row["text"], **labels)).impact_reasons
    return [{"part": one.part, "points": one.points, "why": one.why} for one in said]


def check(row: dict[str, Any]) -> None:
    assert row["impact_reasons"] == reasons_by_its_labels(row)
    assert row["impact"] == sum(one["points"] for one in row["impact_reasons"])


@pytest.fixture(name="paths")
def _paths(call: Call, reader: Make) -> dict[str, Say]:
    """The ways by which people say what a record is."""
    ben = reader("triager")

    def many(record_id: str, labels: dict[str, Any]) -> None:
        assert call("PATCH", PATH, json={"ids": [record_id], "change": labels}).json["changed"] == 1

    def page(record_id: str, labels: dict[str, Any]) -> None:
        for name, value in labels.items():
            ben.post(f"/records/{record_id}", {name: value})

    def twice(record_id: str, labels: dict[str, Any]) -> None:
        for category in (*CATEGORIES, labels["category"]):
            call("PATCH", f"{PATH}/{record_id}", json={**labels, "category": category})

    def anew(record_id: str, labels: dict[str, Any]) -> None:
        call("PATCH", f"{PATH}/{record_id}", json=labels)
        workspace_id = row_of(record_id)["workspace_id"]
        list(retriage(Filter(), workspace_id))

    def one(record_id: str, labels: dict[str, Any]) -> None:
        call("PATCH", f"{PATH}/{record_id}", json=labels)

    return {"one": one, "many": many, "page": page, "twice": twice, "anew": anew}


def labels_of_all_kinds() -> Iterator[dict[str, Any]]:
    yield from ({"category": one, "sentiment": two} for one, two in product(CATEGORIES, SENTIMENTS))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("path", ["one", "many", "page", "twice", "anew"])
def test_reasons_follow(call: Call, paths: dict[str, Say], text: str, path: str) -> None:
    """After a correction severity, tone, reach and area are those of the labels that were chosen."""
    for number, labels in enumerate(labels_of_all_kinds()):
        said = f"{text} {chr(97 + number) * 4}"  # no two in the same words
        body = {"text": said, "category": "bug", "sentiment": "neutral", "author": {"id": "a"}}
        if number % 2:
            body = {"text": said}
        record_id = call("POST", PATH, json=body).json["id"]
        row = row_of(record_id)
        if all(row[name] == value for name, value in labels.items()):
            continue
        paths[path](record_id, labels)
        now = row_of(record_id)

        assert {name: now[name] for name in labels} == labels
        check(now)


def test_a_question_is_no_bug(call: Call) -> None:
    """What a person calls a question is told as one, with fewer points; its history tells both."""
    made = call("POST", PATH, json={"text": "The export is broken", "category": "bug"}).json
    changed = call("PATCH", f"{PATH}/{made['id']}", json={"category": "question"}).json
    why = changed["impact_reasons"][0]["why"]
    event = call("GET", f"{PATH}/{made['id']}/events").json["data"][-1]

    assert made["impact_reasons"][0]["why"].startswith("a bug")
    assert why.startswith("a question")
    assert changed["impact"] < made["impact"]
    assert (changed["impact_origin"], changed["category_origin"]) == ("predicted", "corrected")
    assert changed["overruled"] == {"category": "bug", "category_origin": "declared"}
    assert event["detail"]["changes"] == {
        "category": {"from": "bug", "to": "question"},
        "impact": {"from": made["impact"], "to": changed["impact"]},
    }


def test_an_impact_that_a_person_set_stays(call: Call) -> None:
    """A label changes its reasons, and not the number."""
    made = call("POST", PATH, json={"text": "The export is broken", "category": "bug"}).json
    call("PATCH", f"{PATH}/{made['id']}", json={"impact": 13})
    changed = call("PATCH", f"{PATH}/{made['id']}", json={"category": "praise"}).json

    assert (changed["impact"], changed["impact_reasons"][0]["why"]) == (13, "praise")


@pytest.mark.parametrize("words_gone", ["taken back", "erased"])
def test_words_that_are_gone(call: Call, words_gone: str) -> None:
    """Of what was taken back or erased the words are not read again."""
    made = call("POST", PATH, json={"text": "The export crashes for everyone", "category": "bug"}).json
    gone = {"retracted_at": 1} if words_gone == "taken back" else {"text": "[erased]", "title": "[erased]"}
    Feedback.update(gone).where(Feedback.id == made["id"]).execute()
    changed = call("PATCH", f"{PATH}/{made['id']}", json={"category": "question"}).json
    before = {one["part"]: one for one in made["impact_reasons"]}
    now = {one["part"]: one for one in changed["impact_reasons"]}

    assert now["severity"]["why"] == "a question"
    assert {name: now[name] for name in ("reach", "area")} == {
        name: before[name] for name in ("reach", "area")
    }


def reasons(severity: str, sentiment: str) -> list[dict[str, Any]]:
    return [
        {"part": "severity", "points": 2, "why": severity},
        {"part": "sentiment", "points": 1, "why": sentiment},
        {"part": "reach", "points": 0, "why": "reported once"},
    ]


@pytest.mark.parametrize(
    ("overruled", "category", "sent", "kept"),
    [
        ({}, "bug", "a bug", "a bug"),
        ({"category": "bug"}, "bug", "a bug", "a question"),
        ({"category": "bug"}, "question", "a question, it crashes", "a question, it crashes"),
        ({"category": "bug"}, None, "a bug", "a question"),
        ({"category": "bug"}, "bug", f"{DECLARED}4 of 5", f"{DECLARED}4 of 5"),
        ({"category": "bug"}, "bug", OVER, OVER),
        ({"sentiment": "neutral"}, "bug", "a bug", "a bug"),
    ],
)
def test_a_later_delivery(overruled: dict[str, str], category: str | None, sent: str, kept: str) -> None:
    """What its sender says later does not bring back the reasons of a label that a person replaced."""
    known = {
        "category": "question",
        "sentiment": "negative",
        "overruled": overruled,
        "impact_reasons": reasons("a question", "negative"),
        "impact_origin": "predicted",
        "people": None,
    }
    given = {"category": category} if category else {}
    changed = unless_overruled(known, {**given, "impact_reasons": reasons(sent, "neutral"), "impact": 3})
    tone = "negative" if "sentiment" in overruled else "neutral"

    assert [one["why"] for one in changed["impact_reasons"]] == [kept, tone, "reported once"]


def test_undo_when_more_reported_it(call: Call, reader: Make) -> None:
    """Undo of a label is possible when others said the same meanwhile, who count on."""
    ben = reader("triager")
    words = {"text": "The export is broken again"}
    record_id = call("POST", PATH, json={**words, "author": {"id": "a"}}).json["id"]
    before = row_of(record_id)
    other = "question" if before["category"] != "question" else "bug"
    page = ben.get(ben.post(f"/records/{record_id}", {"category": other}).location).text
    call("POST", PATH, json={**words, "author": {"id": "b"}})
    token = page.split('name="undo" value="')[1].split('"')[0]
    assert "Undone." in ben.get(ben.post("/inbox/undo", {"undo": token}).location).text
    after = row_of(record_id)

    severity = [row["impact_reasons"][0] for row in (before, after)]
    assert severity[0] == severity[1]
    assert after["category"] == before["category"]
    assert after["impact_reasons"][2]["why"] == "reported at least 2 times"
    assert after["impact"] == sum(one["points"] for one in after["impact_reasons"])
