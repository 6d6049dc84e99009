"""The examples that the providers publish work as they stand, through adapter, model and rules."""

from __future__ import annotations

import re

import pytest

from gateway.core.ids import now_ms
from tests.conftest import Call


def test_flora(call: Call) -> None:
    """FLORA's kind of call is a 201 with an fb_ id and the time in milliseconds."""
    sent = {
        "kind": "technique_request",
        "summary": "A technique that removes film grain",
        "detail": "Upscaling keeps the grain, and nothing takes it out first.",
        "attempted_tools": ["list_techniques"],
        "workspace_id": "ws_abc123",
        "project_id": "prj_abc123",
        "run_id": "run_abc123",
    }
    before = now_ms()
    response = call("POST", "/api/v1/feedback", json=sent)

    assert response.status_code == 201
    assert set(response.json) == {"feedback_id", "received_at"}
    assert re.fullmatch(r"fb_\S+", response.json["feedback_id"])
    assert before <= response.json["received_at"] <= now_ms()


def test_orq(call: Call) -> None:
    """orq's rating is a 200 that echoes it with an id and the default product."""
    sent = {"property": "rating", "value": ["good"], "trace_id": "67HTZ65Z9W91HSF51CW68KK1QH"}
    response = call("POST", "/v2/feedback", json=sent)
    record = call("GET", "/gateway/v1/feedback").json["data"][0]

    assert response.status_code == 200
    assert response.json == {**sent, "id": response.json["id"], "product": "deployments"}
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", response.json["id"])
    assert (record["sentiment"], record["category"]) == ("positive", "praise")
    assert (record["category_origin"], record["sentiment_origin"]) == ("declared", "declared")


FLUISTER = "De login knop werkt niet op mobiel"


def fluister(call: Call, text: str, page: str) -> tuple[str, str, int]:
    answer = call("POST", "/v1/feedback", json={"projectId": "proj_xyz", "text": text, "page": page}).json
    assert list(answer) == [
        "id",
        "projectId",
        "text",
        "page",
        "category",
        "sentiment",
        "impactScore",
        "createdAt",
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer["createdAt"])
    return answer["category"], answer["sentiment"], answer["impactScore"]


def test_fluister(call: Call) -> None:
    """Fluister's Dutch example is a negative bug of impact 8."""
    assert fluister(call, FLUISTER, "/login") == ("bug", "negative", 8)


@pytest.mark.parametrize(
    "text",
    ["Inloggen lukt niet op mijn telefoon, de knop doet niets", "The login button does nothing on my phone"],
)
def test_fluister_in_other_words(call: Call, text: str) -> None:
    """The same complaint in other words and in English is labelled alike: no text is a special case."""
    category, sentiment, impact = fluister(call, text, "/login")

    assert (category, sentiment) == ("bug", "negative")
    assert impact in (7, 8, 9)


def test_fluister_unrelated(call: Call) -> None:
    """Praise for another page, and the same bug where less hangs on it, weigh less."""
    praise = fluister(call, "Wat een fijne nieuwe vormgeving, complimenten!", "/over-ons")
    elsewhere = fluister(call, "De knop voor het lettertype werkt niet", "/voorkeuren")

    assert praise[1] == "positive"
    assert praise[2] <= 3
    assert elsewhere[0] == "bug"
    assert elsewhere[2] < 8
