"""People overrule labels and set a status: both answers stay, and the history says who and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Call

pytestmark = pytest.mark.both

TEXT = {"text": "The report page shows yesterday's numbers"}


@pytest.fixture(name="record")
def _record(call: Call) -> Any:
    return call("POST", "/gateway/v1/feedback", json=TEXT).json


def patch(call: Call, record: Any, **body: Any) -> Any:
    return call("PATCH", f"/gateway/v1/feedback/{record['id']}", json=body)


def events(call: Call, record: Any) -> Any:
    return call("GET", f"/gateway/v1/feedback/{record['id']}/events").json["data"][1:]


def other(value: str, *values: str) -> str:
    return next(word for word in values if word != value)


def test_overrule(call: Call, record: Any) -> None:
    """Category, sentiment and impact can be replaced; the model's answers are kept beside them."""
    category = other(record["category"], "feature", "question")
    sentiment = other(record["sentiment"], "negative", "positive")
    changed = patch(call, record, category=category, sentiment=sentiment, impact=14).json

    assert (changed["category"], changed["sentiment"], changed["impact"]) == (category, sentiment, 14)
    assert {changed[f"{name}_origin"] for name in ("category", "sentiment", "impact")} == {"corrected"}
    assert changed["overruled"] == {name: record[name] for name in ("category", "sentiment", "impact")}
    assert (changed["category_confidence"], changed["sentiment_confidence"]) == (1.0, 1.0)
    assert call("GET", f"/gateway/v1/feedback/{record['id']}").json == changed


def test_history(call: Call, record: Any) -> None:
    """Each change is an event with what it was, what it is, and whose key did it."""
    patch(call, record, impact=1, status="acknowledged")
    patch(call, record, status="resolved")
    relabelled, first, second = events(call, record)

    assert (relabelled["type"], first["type"], second["type"]) == ("relabelled", "status", "status")
    assert relabelled["detail"]["changes"] == {"impact": {"from": record["impact"], "to": 1}}
    assert first["detail"]["changes"]["status"] == {"from": "open", "to": "acknowledged"}
    assert second["detail"]["changes"]["status"] == {"from": "acknowledged", "to": "resolved"}
    assert relabelled["detail"]["key_id"].startswith("key_")


def test_the_models_answer_stays_the_first(call: Call, record: Any) -> None:
    """However often people change their minds, what the model said is kept."""
    for category in ("praise", "other", "question"):
        changed = patch(call, record, category=category).json

    assert changed["overruled"] == {"category": record["category"]}


def test_no_change_is_no_event(call: Call, record: Any) -> None:
    """Setting what is there already changes nothing and writes nothing."""
    same = patch(call, record, category=record["category"], status="open")

    assert same.status_code == 200
    assert same.json == record
    assert events(call, record) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"category": "rant"}, "category"),
        ({"sentiment": None}, "sentiment"),
        ({"impact": 15}, "impact"),
        ({"impact": 3.5}, "impact"),
        ({"impact": True}, "impact"),
        ({"status": "closed"}, "status"),
        ({"text": "other words"}, "text"),
        ({}, "body"),
    ],
)
@pytest.mark.both(long=True)
def test_bad_changes(call: Call, record: Any, body: dict[str, Any], field: str) -> None:
    """A change that cannot be made is a 400 that names the field, and makes none of the others."""
    response = patch(call, record, **({"status": "resolved"} if field != "body" else {}) | body)

    assert response.status_code == 400
    assert field in [error["field"] for error in response.json["errors"]]
    assert call("GET", f"/gateway/v1/feedback/{record['id']}").json == record


def test_needs_the_triage_scope(call: Call, record: Any, new_key: Callable[..., str]) -> None:
    """Reading is not enough to overrule."""
    path = f"/gateway/v1/feedback/{record['id']}"
    for scopes, status in ((["read", "ingest"], 403), (["triage"], 200)):
        headers = {"Authorization": f"Bearer {new_key(scopes=scopes)}"}

        assert call("PATCH", path, json={"impact": 2}, headers=headers).status_code == status


def test_overruled_labels_survive_an_update(call: Call) -> None:
    """When the sender changes its feedback, labels that people set stay; the others are made anew."""
    rating = {"property": "rating", "value": ["good"], "trace_id": "t", "id": "r-1"}
    call("POST", "/v2/feedback", json=rating)
    record = call("GET", "/gateway/v1/feedback").json["data"][0]
    patch(call, record, category="question")
    call("POST", "/v2/feedback", json={**rating, "value": ["bad"]})
    updated = call("GET", f"/gateway/v1/feedback/{record['id']}").json

    assert (updated["category"], updated["category_origin"]) == ("question", "corrected")
    assert updated["sentiment"] == "negative"


def test_labels_are_explained_on_request(call: Call, record: Any) -> None:
    """explain=1 shows the words that weighed for and against the labels; without it nothing is added."""
    path = f"/gateway/v1/feedback/{record['id']}"
    explained = call("GET", f"{path}?explain=1").json
    explanation = explained.pop("explanation")

    assert explained == call("GET", f"{path}?explain=0").json == record
    assert {"category", "sentiment", "clause", "sentence", "impact"} <= set(explanation)
    assert all(isinstance(part["weight"], float) for part in explanation["category"])
    for part in explanation["category"]:
        for span in part["spans"]:
            assert (
                record[span["field"]][span["start"] : span["end"]] in part["name"] or part["kind"] == "sign"
            )
    assert [call("GET", f"{path}?{query}").status_code for query in ("explain=2", "why=1")] == [400, 400]


def test_low_confidence_can_be_listed(call: Call, record: Any) -> None:
    """confidence_below finds the records whose category is a guess."""
    sure = patch(
        call, call("POST", "/gateway/v1/feedback", json={"text": "Hmm"}).json, category="praise"
    ).json
    unsure = call("POST", "/gateway/v1/feedback", json={"text": "Hmm, well"}).json
    below = call("GET", "/gateway/v1/feedback?confidence_below=0.99").json["data"]

    assert unsure["id"] in [row["id"] for row in below]
    assert sure["id"] not in [row["id"] for row in below]
    assert all(row["category_confidence"] < 0.99 for row in below)
    for bad in ("2", "x", "-1", "nan", ""):
        assert call("GET", f"/gateway/v1/feedback?confidence_below={bad}").status_code == 400


def test_what_is_explained_is_what_was_labelled(call: Call) -> None:
    """A title that was made of the words is none that the sender gave: all words are those of the text."""
    text = "The export of the monthly report has been empty since Monday morning " * 3 + "and I hate it"
    made = call("POST", "/gateway/v1/feedback", json={"text": text}).json
    assert made["title"].endswith("…")
    explanation = call("GET", f"/gateway/v1/feedback/{made['id']}?explain=1").json["explanation"]
    spans = [span for part in explanation["sentiment"] for span in part["spans"]]

    assert spans and {span["field"] for span in spans} == {"text"}
    assert max(explanation["sentiment"], key=lambda part: part["weight"])["spans"]
