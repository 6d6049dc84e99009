"""orq's own Python client (orq-ai-sdk, the newest) against a running gateway."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import httpx
import pytest
from orq_ai_sdk import Orq, models, utils

from tests.clients.conftest import Inbox
from tests.clients.lossy import Lossy
from tests.conftest import Server

PRODUCTS = get_args(models.PostV2FeedbackProduct)
ULID = r"[0-9A-HJKMNP-TV-Z]{26}"
BACKOFF = utils.RetryConfig("backoff", utils.BackoffStrategy(20, 100, 1.5, 20_000, jitter_ms=0), True)


class Client:
    """orq's client, and the requests it made."""

    def __init__(self, key: str, url: str) -> None:
        self.answers: list[httpx.Response] = []
        self.http = httpx.Client(event_hooks={"response": [self.answers.append]})
        self.orq = Orq(api_key=key, server_url=url, client=self.http)
        self.feedback = self.orq.feedback

    def create(self, options: dict[str, Any] | None = None, **request: Any) -> Any:
        """Creates feedback, by default a good rating."""
        return self.feedback.create(
            request={"field": "rating", "value": ["good"], **request}, **options or {}
        )

    @property
    def statuses(self) -> list[int]:
        return [answer.status_code for answer in self.answers]

    @property
    def sent(self) -> str:
        """The last body, as it went over the wire."""
        return self.answers[-1].request.content.decode()


Connect = Callable[..., Client]


@pytest.fixture(name="connect")
def _connect(server: Server) -> Iterator[Connect]:
    """Makes clients: connect(), connect(key), connect(base="/orq")."""
    made: list[Client] = []

    def connect(key: str = server.tenant.key, base: str = "", url: str = server.url) -> Client:
        made.append(Client(key, url + base))
        return made[-1]

    yield connect
    for client in made:
        client.http.close()


@pytest.fixture(name="client")
def _client(connect: Connect) -> Client:
    return connect()


def only(records: list[dict[str, Any]]) -> dict[str, Any]:
    (record,) = records
    return record


class TestCreate:
    @pytest.mark.parametrize("base", ["", "/", "/orq", "/orq/"])
    def test_rating_is_stored(self, connect: Connect, inbox: Inbox, trace_id: str, base: str) -> None:
        """A rating is answered with the five keys and a ULID, and can be read at once."""
        client = connect(base=base)

        answer = client.create(trace_id=trace_id)

        assert client.statuses == [200]
        assert client.answers[0].request.url.path == base.rstrip("/") + "/v2/feedback"
        shown = answer.model_dump(by_alias=True)
        assert re.fullmatch(ULID, shown.pop("id"))
        assert shown == {
            "property": "rating",
            "value": ["good"],
            "trace_id": trace_id,
            "product": "deployments",
        }
        record = only(inbox.about(trace_id=trace_id))
        assert (record["source"], record["type"], record["kind"]) == ("orq", "rating", "rating")
        assert record["external_id"] == answer.id
        assert record["subject"] == shown
        assert 0 <= record["impact"] <= 14

    @pytest.mark.parametrize("shape", [lambda word: word, lambda word: [word]], ids=["string", "array"])
    @pytest.mark.parametrize(
        ("word", "category", "sentiment"), [("good", "praise", "positive"), ("bad", "bug", "negative")]
    )
    def test_both_shapes_of_a_rating(
        self,
        client: Client,
        inbox: Inbox,
        trace_id: str,
        shape: Callable[[str], Any],
        word: str,
        category: str,
        sentiment: str,
    ) -> None:
        """A rating means the same as a string and as an array of one, and keeps its shape."""
        answer = client.create(value=shape(word), trace_id=trace_id)

        assert answer.value == shape(word)
        record = only(inbox.about(trace_id=trace_id))
        assert record["subject"]["value"] == shape(word)
        assert (record["category"], record["category_origin"]) == (category, "declared")
        assert record["sentiment"] == sentiment

    @pytest.mark.parametrize(
        ("number", "sentiment"), [(4, "positive"), (3, "neutral"), (2, "negative"), (0.25, "negative")]
    )
    def test_numbers(
        self, client: Client, inbox: Inbox, trace_id: str, number: float, sentiment: str
    ) -> None:
        """This client sends every number as a float; the gateway takes 4.0 for the whole number it is."""
        answer = client.create(value=number, trace_id=trace_id)

        assert f'"value":{float(number)}' in client.sent
        assert answer.value == number
        record = only(inbox.about(trace_id=trace_id))
        assert (record["type"], record["sentiment"]) == ("rating", sentiment)
        assert record["title"] == f"rating: {number}"

    def test_correction(self, client: Client, inbox: Inbox, trace_id: str) -> None:
        """A correction's text is the record's text."""
        words = "De korting geldt tot en met zondag — niet t/m vrijdag."

        answer = client.create(field="correction", value=words, trace_id=trace_id, product="agents")

        assert answer.value == words
        record = only(inbox.about(trace_id=trace_id))
        assert (record["type"], record["kind"], record["text"]) == ("correction", "correction", words)
        assert record["category_origin"] == "declared"
        assert record["sentiment"] == "negative"

    @pytest.mark.parametrize(
        ("field", "value", "category", "sentiment"),
        [
            ("defects", ["hallucination", "off_topic"], "bug", "negative"),
            ("defects", ["innapropriate"], "bug", "negative"),
            ("interactions", ["saved", "copied"], "praise", "positive"),
            ("interactions", ["reported"], "bug", "negative"),
        ],
    )
    def test_words_of_orq(
        self,
        client: Client,
        inbox: Inbox,
        trace_id: str,
        field: str,
        value: list[str],
        category: str,
        sentiment: str,
    ) -> None:
        """Defects and interactions declare a category and a sentiment; both spellings are taken."""
        answer = client.create(field=field, value=value, trace_id=trace_id)

        assert answer.value == value
        record = only(inbox.about(trace_id=trace_id))
        assert (record["kind"], record["category"], record["sentiment"]) == (field, category, sentiment)

    def test_properties_of_ones_own(self, client: Client, inbox: Inbox, trace_id: str) -> None:
        """A property orq does not know, and an empty choice, are stored like any other."""
        client.create(field="tone_of_voice", value=["stiff"], trace_id=trace_id)
        client.create(field="tone_of_voice", value=[], trace_id=trace_id)

        assert [record["subject"]["value"] for record in inbox.about(trace_id=trace_id)] == [[], ["stiff"]]

    @pytest.mark.parametrize("product", PRODUCTS)
    def test_products(self, client: Client, inbox: Inbox, trace_id: str, product: str) -> None:
        """Every product the client knows is taken, answered and stored."""
        answer = client.create(trace_id=trace_id, product=product)

        assert answer.product == product
        assert only(inbox.about(trace_id=trace_id))["subject"]["product"] == product

    def test_there_are_eighteen_products(self) -> None:
        """The client knows eighteen products."""
        assert len(PRODUCTS) == 18

    def test_asynchronous_call(self, server: Server, inbox: Inbox, trace_id: str) -> None:
        """create_async is answered like create."""

        async def create() -> Any:
            async with httpx.AsyncClient() as http:
                orq = Orq(api_key=server.tenant.key, server_url=server.url, async_client=http)
                return await orq.feedback.create_async(
                    request={"field": "rating", "value": "bad", "trace_id": trace_id}
                )

        with ThreadPoolExecutor(1) as pool:  # in its own thread: that of the tests may run a browser's loop
            answer = pool.submit(asyncio.run, create()).result()

        assert only(inbox.about(trace_id=trace_id))["external_id"] == answer.id


class TestSameId:
    def test_same_content(self, client: Client, inbox: Inbox, trace_id: str) -> None:
        """The same id with the same content is answered as the first time and stored once."""
        answers = [client.create(id=f"own-{trace_id}", value=5, trace_id=trace_id) for _ in range(3)]

        assert answers[0] == answers[1] == answers[2]
        assert answers[0].id == f"own-{trace_id}"
        record = only(inbox.about(trace_id=trace_id))
        assert [event["type"] for event in inbox.events(record)] == ["received"]

    def test_other_content(self, client: Client, inbox: Inbox, trace_id: str) -> None:
        """The same id with other content updates the record and adds to its history."""
        client.create(id=f"own-{trace_id}", value=["good"], trace_id=trace_id)
        before = only(inbox.about(trace_id=trace_id))

        answer = client.create(id=f"own-{trace_id}", value=["bad"], trace_id=trace_id)

        assert (answer.id, answer.value) == (f"own-{trace_id}", ["bad"])
        record = only(inbox.about(trace_id=trace_id))
        assert record["id"] == before["id"]
        assert (record["sentiment"], record["subject"]["value"]) == ("negative", ["bad"])
        assert [event["type"] for event in inbox.events(record)] == ["received", "updated"]


class TestRemove:
    def test_removed(self, client: Client, inbox: Inbox, trace_id: str) -> None:
        """Removing echoes exactly the three keys and marks the record retracted."""
        created = client.create(trace_id=trace_id, product="router")

        request = {"id": created.id, "trace_id": trace_id, "product": "router"}
        answer = client.feedback.remove(request=request)

        assert json.loads(client.answers[-1].text) == request
        assert answer.model_dump() == request
        record = only(inbox.about(trace_id=trace_id))
        assert record["retracted_at"] is not None
        assert [event["type"] for event in inbox.events(record)] == ["received", "retracted"]

    def test_given_again(self, client: Client, inbox: Inbox, trace_id: str) -> None:
        """A removed rating that is given again stands again."""
        request = {"id": f"own-{trace_id}", "trace_id": trace_id, "product": "deployments"}
        client.create(**request)
        client.feedback.remove(request=request)

        client.create(**request)

        assert only(inbox.about(trace_id=trace_id))["retracted_at"] is None

    def test_never_created(self, client: Client, inbox: Inbox, trace_id: str) -> None:
        """Removing what is not there is answered the same and stores nothing."""
        request = {"id": f"own-{trace_id}", "trace_id": trace_id, "product": "mcp_gateway"}

        assert client.feedback.remove(request=request).model_dump() == request
        assert inbox.about(trace_id=trace_id) == []

    def test_empty_id(self, client: Client, trace_id: str) -> None:
        """Removing without an id is a 400 that names it."""
        with pytest.raises(models.APIDefaultError, match="id:") as caught:
            client.feedback.remove(request={"id": "", "trace_id": trace_id, "product": "agents"})

        assert caught.value.status_code == 400
        assert set(json.loads(caught.value.body)) == {"message"}


class TestSubmit:
    @pytest.mark.parametrize(
        ("word", "category"), [("bug", "bug"), ("feature_request", "feature"), ("other", "other")]
    )
    def test_submitted(self, client: Client, inbox: Inbox, trace_id: str, word: str, category: str) -> None:
        """Feedback about orq itself is stored under the id the answer gives."""
        answer = client.feedback.submit(
            message="The trace view scrolls back to the top on every refresh.",
            category=word,
            request_id=trace_id,
            url="https://my.example.org/traces?page=2",
        )

        record = inbox.record(answer.feedback_id)
        assert (record["source"], record["type"], record["kind"]) == ("orq", "message", word)
        assert (record["category"], record["category_origin"]) == (category, "declared")
        assert record["text"].startswith("The trace view")
        assert record["subject"] == {
            "request_id": trace_id,
            "url": "https://my.example.org/traces?page=2",
        }

    @pytest.mark.parametrize(
        ("field", "value"),
        [("message", ""), ("message", "long " * 2001), ("url", "ftp://example.org"), ("url", "example.org")],
    )
    def test_invalid(self, client: Client, field: str, value: str) -> None:
        """An empty or overlong message and a url that is none are a 400 that names the field."""
        request = {"message": "Short.", "category": "bug", field: value}

        with pytest.raises(models.APIDefaultError, match=f'"message":"{field}: ') as caught:
            client.feedback.submit(**request)

        assert caught.value.status_code == 400

    @pytest.mark.parametrize("key", ["orq_key_of_another_system", "unknown"])
    def test_bad_key(self, connect: Connect, unknown_key: str, key: str) -> None:
        """A key that is refused raises the client's ErrorResponse, which needs a `message`."""
        client = connect(unknown_key if key == "unknown" else key)

        with pytest.raises(models.ErrorResponse) as caught:
            client.feedback.submit(message="Hello", category="other")

        assert caught.value.status_code == 401
        assert caught.value.message == caught.value.data.message == "Invalid API key."


class TestRefused:
    def test_nothing_sent(self, client: Client) -> None:
        """create() without an argument sends an empty body, which is a 400 with a message."""
        with pytest.raises(models.PostV2FeedbackFeedbackResponseBody) as caught:
            client.feedback.create()

        assert client.sent == ""
        assert caught.value.status_code == 400
        assert caught.value.message
        assert json.loads(caught.value.body) == {"message": caught.value.message}

    @pytest.mark.parametrize("number", [math.nan, math.inf])
    def test_no_number(self, client: Client, inbox: Inbox, trace_id: str, number: float) -> None:
        """Not-a-number and infinity, which this client sends as null, are a 400 that names the value."""
        with pytest.raises(models.PostV2FeedbackFeedbackResponseBody, match=r"^value: ") as caught:
            client.create(value=number, trace_id=trace_id)

        assert caught.value.message == str(caught.value)
        assert inbox.about(trace_id=trace_id) == []

    @pytest.mark.parametrize("key", [None, "two words"])
    def test_no_key(self, connect: Connect, trace_id: str, key: str | None) -> None:
        """No key, or a header that holds none, is a 401."""
        client = connect(key)

        with pytest.raises(models.APIDefaultError, match="Status 401") as caught:
            client.create(trace_id=trace_id)

        assert json.loads(caught.value.body) == {"message": "API key missing or malformed."}
        assert client.statuses == [401]

    @pytest.mark.parametrize("key", ["orq_key_of_another_system", "unknown"])
    def test_bad_key(self, connect: Connect, unknown_key: str, trace_id: str, key: str) -> None:
        """A malformed key and a well-formed one nobody was given are a 401 with the same message."""
        client = connect(unknown_key if key == "unknown" else key)

        with pytest.raises(models.APIDefaultError, match="Status 401") as caught:
            client.create(trace_id=trace_id)

        assert json.loads(caught.value.body) == {"message": "Invalid API key."}

    def test_key_without_the_scope(
        self, connect: Connect, reading_key: str, inbox: Inbox, trace_id: str
    ) -> None:
        """A key that may not send is a 403, and nothing is stored."""
        with pytest.raises(models.APIDefaultError, match="Status 403") as caught:
            connect(reading_key).create(trace_id=trace_id)

        assert "ingest" in json.loads(caught.value.body)["message"]
        assert inbox.about(trace_id=trace_id) == []

    @pytest.mark.parametrize("base", ["/orq/v1", "/v2", "/v3/orq"])
    def test_unknown_route(self, connect: Connect, trace_id: str, base: str) -> None:
        """A wrong base path is the client's own 404 error, with a message."""
        with pytest.raises(models.PostV2FeedbackFeedbackResponseResponseBody) as caught:
            connect(base=base).create(trace_id=trace_id)

        assert (caught.value.status_code, caught.value.message) == (404, "Not found.")

    def test_spent_limit(self, connect: Connect, server: Server, inbox: Inbox, trace_id: str) -> None:
        """The third request of two a minute raises at once and says how long to wait."""
        client = connect(server.new_key("--rate-limit", "2/minute"))
        client.create(trace_id=trace_id)
        client.create(trace_id=trace_id)

        with pytest.raises(models.APIDefaultError, match="Status 429") as caught:
            client.create(trace_id=trace_id)

        assert client.statuses == [200, 200, 429]
        assert re.fullmatch(r"[1-9]\d*", caught.value.headers["retry-after"])
        assert caught.value.headers["x-ratelimit-limit"] == "2"
        assert caught.value.headers["x-ratelimit-remaining"] == "0"
        assert re.fullmatch(r"[1-9]\d*", caught.value.headers["x-ratelimit-reset"])
        assert json.loads(caught.value.body) == {"message": "Rate limit exceeded."}
        assert len(inbox.about(trace_id=trace_id)) == 2


class TestRetries:
    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_lost_answers(
        self, connect: Connect, proxy: Lossy, inbox: Inbox, trace_id: str, status: int
    ) -> None:
        """With backoff and an id of the caller's own, two lost answers still make one record."""
        proxy.status, proxy.lose = status, 2
        client = connect(url=proxy.url, base="/orq")

        answer = client.create({"retries": BACKOFF}, id=f"own-{trace_id}", value=3, trace_id=trace_id)

        assert answer.id == f"own-{trace_id}"
        assert client.statuses == [status, status, 200]
        assert proxy.statuses == [200, 200, 200]
        record = only(inbox.about(trace_id=trace_id))
        assert [event["type"] for event in inbox.events(record)] == ["received"]

    def test_cut_connection(self, connect: Connect, proxy: Lossy, inbox: Inbox, trace_id: str) -> None:
        """After a cut connection the caller sends the same id again: one record."""
        client, request = connect(url=proxy.url), {"id": f"own-{trace_id}", "trace_id": trace_id}
        with pytest.raises(httpx.RemoteProtocolError):
            client.create(**request)

        answer = client.create(**request)

        assert answer.id == f"own-{trace_id}"
        assert proxy.statuses == [200, 200]
        assert only(inbox.about(trace_id=trace_id))["external_id"] == answer.id

    @pytest.mark.long
    def test_spent_limit_is_waited_for(self, connect: Connect, server: Server, trace_id: str) -> None:
        """With backoff the client waits as long as Retry-After says and is let in by then."""
        client = connect(server.new_key("--rate-limit", "1/second"))
        for _ in range(20):
            client.answers.clear()
            client.create({"retries": BACKOFF}, trace_id=trace_id)
            if len(client.statuses) > 1:
                break

        assert client.statuses == [429, 200]
