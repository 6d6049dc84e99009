"""orq's own JavaScript client (@orq-ai/node) against a running gateway."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.conftest import Driver, Inbox, Outcome
from tests.clients.lossy import Lossy
from tests.conftest import Server

Orq = Callable[..., Outcome]
ULID = r"[0-9A-HJKMNP-TV-Z]{26}"
PRODUCTS = [
    "remoteconfigs",
    "deployments",
    "experiments",
    "playgrounds",
    "spreadsheets",
    "spreadsheet_run",
    "llm_evaluator",
    "knowledge",
    "router",
    "workflows",
    "external_events",
    "agents",
    "memory-stores",
    "generic",
    "evaluators",
    "otel",
    "ai-chat",
    "mcp_gateway",
]
BACKOFF = {
    "retries": {
        "strategy": "backoff",
        "backoff": {"initialInterval": 20, "maxInterval": 3000, "exponent": 1.5, "maxElapsedTime": 20_000},
        "retryConnectionErrors": True,
    }
}


@pytest.fixture(name="orq")
def _orq(server: Server, orq_driver: Driver) -> Orq:
    """Calls the client: orq("create", body, {"retries": ...}, apiKey=...)."""

    def orq(call: str, *args: Any, **options: Any) -> Outcome:
        options = {"serverURL": server.url, "apiKey": server.tenant.key, **options}
        return orq_driver(options=options, call=call, args=args)

    return orq


def rating(trace_id: str, **changes: Any) -> dict[str, Any]:
    """A good rating, in the client's words."""
    return {"field": "rating", "value": ["good"], "traceId": trace_id, **changes}


def refused(outcome: Outcome, name: str, status: int) -> str:
    """Checks a refusal told in one request, and returns its message."""
    failure = outcome.failure
    assert (failure["name"], failure["status"]) == (name, status)
    assert outcome.statuses == [status]
    body: dict[str, str] = json.loads(failure["body"])
    assert set(body) == {"message"}
    return body["message"]


class TestCreate:
    @pytest.mark.parametrize("base", ["", "/", "/orq", "/orq/"])
    def test_rating_is_stored(self, orq: Orq, server: Server, inbox: Inbox, trace_id: str, base: str) -> None:
        """A rating is answered with the five keys and a ULID, and can be read at once."""
        outcome = orq("create", rating(trace_id), serverURL=server.url + base)

        assert outcome.requests[0]["path"] == base.rstrip("/") + "/v2/feedback"
        answer = outcome.data
        assert re.fullmatch(ULID, answer["id"])
        assert answer == {
            "id": answer["id"],
            "property": "rating",
            "value": ["good"],
            "traceId": trace_id,
            "product": "deployments",
        }
        (record,) = inbox.about(trace_id=trace_id)
        assert (record["source"], record["type"], record["kind"]) == ("orq", "rating", "rating")
        assert (record["category"], record["sentiment"]) == ("praise", "positive")
        assert record["external_id"] == answer["id"]

    @pytest.mark.parametrize(
        ("field", "value", "type_", "sentiment"),
        [
            ("rating", "bad", "rating", "negative"),
            ("rating", ["bad"], "rating", "negative"),
            ("rating", 4, "rating", "positive"),
            ("rating", 2.5, "rating", "negative"),
            ("correction", "Het antwoord moet in guldens: ƒ 12,50", "correction", "negative"),
            ("interactions", ["shared", "saved"], "rating", "positive"),
        ],
    )
    def test_values_keep_their_shape(
        self,
        orq: Orq,
        inbox: Inbox,
        trace_id: str,
        field: str,
        value: Any,
        type_: str,
        sentiment: str,
    ) -> None:
        """A string stays a string, an array an array, a whole number whole."""
        answer = orq("create", rating(trace_id, field=field, value=value)).data

        assert json.dumps(answer["value"]) == json.dumps(value)
        (record,) = inbox.about(trace_id=trace_id)
        assert (record["type"], record["kind"], record["sentiment"]) == (type_, field, sentiment)
        assert json.dumps(record["subject"]["value"]) == json.dumps(value)

    def test_products(self, orq: Orq, inbox: Inbox, trace_id: str) -> None:
        """All eighteen products are taken, answered and stored."""
        answers = [orq("create", rating(trace_id, product=product)).data for product in PRODUCTS]

        assert len(set(PRODUCTS)) == 18
        assert [answer["product"] for answer in answers] == PRODUCTS
        stored = {record["subject"]["product"] for record in inbox.about(trace_id=trace_id)}
        assert stored == set(PRODUCTS)

    def test_same_id(self, orq: Orq, inbox: Inbox, trace_id: str) -> None:
        """The same id is one record: unchanged with the same content, updated with other content."""
        body = rating(trace_id, id=f"own-{trace_id}")
        first, again = (orq("create", body).data for _ in range(2))
        changed = orq("create", {**body, "value": ["bad"]}).data

        assert first == again
        assert (changed["id"], changed["value"]) == (f"own-{trace_id}", ["bad"])
        (record,) = inbox.about(trace_id=trace_id)
        assert record["sentiment"] == "negative"
        assert [event["type"] for event in inbox.events(record)] == ["received", "updated"]

    def test_across_clients(self, orq: Orq, server: Server, inbox: Inbox, trace_id: str) -> None:
        """4 from this client and 4.0 from the Python one are the same feedback."""
        orq("create", rating(trace_id, id=f"own-{trace_id}", value=4))
        body = (
            f'{{"property":"rating","value":4.0,"trace_id":"{trace_id}",'
            f'"id":"own-{trace_id}","product":"deployments"}}'
        )
        with server.client() as client:
            answer = client.post("/v2/feedback", content=body)

        assert answer.status_code == 200
        (record,) = inbox.about(trace_id=trace_id)
        assert [event["type"] for event in inbox.events(record)] == ["received"]

    def test_removed(self, orq: Orq, inbox: Inbox, trace_id: str) -> None:
        """Removing echoes exactly three keys and marks the record retracted."""
        created = orq("create", rating(trace_id)).data
        request = {"id": created["id"], "traceId": trace_id, "product": "deployments"}

        assert orq("remove", request).data == request

        (record,) = inbox.about(trace_id=trace_id)
        assert record["retracted_at"] is not None


class TestEvaluation:
    @pytest.mark.parametrize(
        ("content", "value"),
        [
            ({"type": "string", "value": "good"}, "good"),
            ({"type": "number", "value": 9}, 9),
            ({"type": "boolean", "value": True}, True),
            ({"type": "string_array", "values": ["good", "saved"]}, ["good", "saved"]),
        ],
        ids=["string", "number", "boolean", "string_array"],
    )
    @pytest.mark.parametrize("base", ["", "/orq"])
    def test_stored_then_removed(
        self,
        orq: Orq,
        server: Server,
        inbox: Inbox,
        trace_id: str,
        content: dict[str, Any],
        value: Any,
        base: str,
    ) -> None:
        """A human review of each type is stored; removing it marks the record retracted."""
        body = {
            "id": f"review-{trace_id}",
            "evaluationType": "human_review",
            "humanReviewId": "rating",
            "traceId": trace_id,
            "source": "external",
            "explanation": "Checked against the printed manual.",
            **content,
        }

        created = orq("createEvaluation", body, serverURL=server.url + base)

        assert created.error is None
        assert created.statuses == [200]
        assert created.requests[0]["path"] == f"{base}/v2/feedback/evaluation"
        (record,) = inbox.about(trace_id=trace_id)
        assert (record["source"], record["type"]) == ("orq", "rating")
        assert record["external_id"] == f"review-{trace_id}"
        assert record["subject"]["value"] == value
        assert record["subject"]["evaluation_type"] == "human_review"
        assert record["sentiment"] == "positive"
        assert "Checked against the printed manual." in record["text"]

        removal = {"id": f"review-{trace_id}", "traceId": trace_id}
        removed = orq("removeEvaluation", removal, serverURL=server.url + base)

        assert removed.error is None
        assert removed.requests[0]["path"] == f"{base}/v2/feedback/evaluation/remove"
        (record,) = inbox.about(trace_id=trace_id)
        assert record["retracted_at"] is not None

    def test_built_in_time_is_not_the_review(self, orq: Orq, inbox: Inbox, trace_id: str) -> None:
        """The reviewed_at this client sends by itself is the day it was built, and dates nothing."""
        body = {"id": f"review-{trace_id}", "evaluationType": "human_review", "traceId": trace_id}
        orq("createEvaluation", {**body, "type": "string", "value": "Nul graden is geen 32 graden."})

        (record,) = inbox.about(trace_id=trace_id)
        (event,) = inbox.events(record)
        assert json.loads(event["payload"])["reviewed_at"] < record["received_at"]
        assert record["occurred_at"] is None
        assert record["first_seen_at"] == record["received_at"]

    def test_removed_feedback_is_no_evaluation(self, orq: Orq, inbox: Inbox, trace_id: str) -> None:
        """Feedback and evaluation of one id are two records."""
        orq("create", rating(trace_id, id=f"own-{trace_id}"))
        body = {"id": f"own-{trace_id}", "evaluationType": "human_review", "traceId": trace_id}
        orq("createEvaluation", {**body, "type": "number", "value": 1})

        orq("removeEvaluation", {"id": f"own-{trace_id}", "traceId": trace_id})

        retracted = [record["retracted_at"] is not None for record in inbox.about(trace_id=trace_id)]
        assert retracted == [True, False]

    def test_invalid(self, orq: Orq, trace_id: str) -> None:
        """An empty id is a 400 that names it, on both calls."""
        body = {"id": "", "evaluationType": "human_review", "traceId": trace_id}

        created = orq("createEvaluation", {**body, "type": "boolean", "value": False})
        removed = orq("removeEvaluation", {"id": "", "traceId": trace_id})

        assert refused(created, "APIError", 400).startswith("id: ")
        assert refused(removed, "APIError", 400).startswith("id: ")


class TestRefused:
    def test_nothing_sent(self, orq: Orq) -> None:
        """create() without an argument sends an empty body, which is a 400 with a message."""
        outcome = orq("create")

        message = refused(outcome, "PostV2FeedbackResponseBody", 400)
        assert outcome.failure["message"] == message
        assert message

    @pytest.mark.parametrize("key", ["", "two words"])
    def test_no_key(self, orq: Orq, trace_id: str, key: str) -> None:
        """No key, or a header that holds none, is a 401."""
        outcome = orq("create", rating(trace_id), apiKey=key)

        assert refused(outcome, "APIError", 401) == "API key missing or malformed."

    @pytest.mark.parametrize("key", ["orq_key_of_another_system", "unknown"])
    def test_bad_key(self, orq: Orq, unknown_key: str, trace_id: str, key: str) -> None:
        """A malformed key and a well-formed one nobody was given are a 401 with the same message."""
        outcome = orq("create", rating(trace_id), apiKey=unknown_key if key == "unknown" else key)

        assert refused(outcome, "APIError", 401) == "Invalid API key."

    def test_key_without_the_scope(self, orq: Orq, reading_key: str, inbox: Inbox, trace_id: str) -> None:
        """A key that may not send is a 403, and nothing is stored."""
        outcome = orq("create", rating(trace_id), apiKey=reading_key)

        assert "ingest" in refused(outcome, "APIError", 403)
        assert inbox.about(trace_id=trace_id) == []

    @pytest.mark.parametrize("base", ["/orq/v1", "/v2"])
    def test_unknown_route(self, orq: Orq, server: Server, trace_id: str, base: str) -> None:
        """A wrong base path is the client's own 404 error, with a message."""
        outcome = orq("create", rating(trace_id), serverURL=server.url + base)

        assert refused(outcome, "PostV2FeedbackFeedbackResponseBody", 404) == "Not found."

    def test_spent_limit(self, orq: Orq, server: Server, trace_id: str) -> None:
        """The third request of two a minute throws at once and says how long to wait."""
        key = server.new_key("--rate-limit", "2/minute")
        outcomes = [orq("create", rating(trace_id), apiKey=key) for _ in range(3)]

        assert [outcome.statuses for outcome in outcomes] == [[200], [200], [429]]
        assert refused(outcomes[2], "APIError", 429) == "Rate limit exceeded."
        assert re.fullmatch(r"[1-9]\d*", outcomes[2].failure["headers"]["retry-after"])


class TestRetries:
    def test_cut_connection(self, orq: Orq, proxy: Lossy, inbox: Inbox, trace_id: str) -> None:
        """With backoff and an id of the caller's own, a lost answer still makes one record."""
        body = rating(trace_id, id=f"own-{trace_id}", value="bad")

        outcome = orq("create", body, BACKOFF, serverURL=f"{proxy.url}/orq")

        assert outcome.data["id"] == f"own-{trace_id}"
        assert outcome.statuses == [None, 200]
        assert proxy.statuses == [200, 200]
        (record,) = inbox.about(trace_id=trace_id)
        assert [event["type"] for event in inbox.events(record)] == ["received"]

    @pytest.mark.long
    def test_spent_limit_is_waited_for(self, orq: Orq, server: Server, trace_id: str) -> None:
        """With backoff the client waits as long as Retry-After says and is let in by then."""
        key = server.new_key("--rate-limit", "1/second")
        calls = (orq("create", rating(trace_id), BACKOFF, apiKey=key) for _ in range(20))

        limited = next(outcome for outcome in calls if len(outcome.requests) > 1)

        assert limited.statuses == [429, 200]
