"""What Fluister's page and app send (it has no package), through curl, node's fetch and httpx."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.clients.conftest import Driver, Inbox
from tests.conftest import Server, Tenant

KEYS = ["id", "projectId", "text", "page", "category", "sentiment", "impactScore", "createdAt"]
TEXT = "De zoekbalk verdwijnt zodra ik naar beneden scroll op mijn tablet"
Curl = Callable[..., tuple[int, Any]]
Submit = Callable[..., tuple[int | None, Any]]


@pytest.fixture(name="curl")
def _curl(server: Server) -> Curl:
    """Runs curl as the page shows it and returns the status and the JSON it printed."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")

    def curl(path: str, *words: str) -> tuple[int, Any]:
        command = ["curl", "-sS", "-w", "\n%{http_code}", server.url + path, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body)

    return curl


@pytest.fixture(name="submit")
def _submit(server: Server, fluister_driver: Driver) -> Submit:
    """Runs the page's JavaScript function: its request's status, and what it logs as submitted."""

    def submit(
        text: str,
        page: str | None = None,
        *,
        base: str = "",
        key: str = server.tenant.key,
        project: str = "proj_webshop",
    ) -> tuple[int | None, Any]:
        args = [text] if page is None else [text, page]
        outcome = fluister_driver(url=server.url + base, key=key, projectId=project, args=args)
        return outcome.statuses[0], outcome.data

    return submit


def same(answer: dict[str, Any], record: dict[str, Any]) -> None:
    """Checks that an answer tells what is stored."""
    assert list(answer) == KEYS
    assert re.fullmatch(r"fb_\S+", answer["id"])
    assert record["source"] == "fluister"
    assert answer["text"] == record["text"]
    assert answer["category"] in ("bug", "feature", "question")
    assert record["category"] in (answer["category"], "praise", "other")
    assert answer["sentiment"] == record["sentiment"]
    assert type(answer["impactScore"]) is int
    assert answer["impactScore"] == record["impact"]
    assert answer["createdAt"] == record["received_at"][:19] + "Z"


def error_of(body: dict[str, Any], code: str) -> dict[str, Any]:
    """Checks an error's shape and returns it."""
    assert set(body) == {"error", "requestId"}
    assert re.fullmatch(r"req_\S+", body["requestId"])
    error: dict[str, Any] = body["error"]
    assert error["code"] == code
    assert error["message"]
    return error


class TestCurl:
    @pytest.mark.parametrize("base", ["", "/fluister"])
    def test_documented_command(self, curl: Curl, server: Server, inbox: Inbox, base: str) -> None:
        """The documented command is answered with the eight keys in their order, and stored."""
        status, answer = curl(
            f"{base}/v1/feedback",
            "-X",
            "POST",
            "-H",
            f"Authorization: Bearer {server.tenant.key}",
            "-H",
            "Content-Type: application/json",
            "-d",
            f"""{{
    "projectId": "proj_webshop",
    "text": "{TEXT}",
    "page": "/zoeken",
    "userEmail": "jip@example.nl"
  }}""",
        )

        assert status == 201
        record = inbox.record(answer["id"])
        same(answer, record)
        assert (answer["projectId"], answer["text"], answer["page"]) == ("proj_webshop", TEXT, "/zoeken")
        assert record["type"] == "message"
        assert record["subject"] == {"page": "/zoeken", "project_id": "proj_webshop"}
        assert record["author"]["email"] == "jip@example.nl"
        assert record["project_id"] == server.tenant.project_id

    def test_without_a_content_type(self, curl: Curl, server: Server, inbox: Inbox) -> None:
        """A command that forgets the Content-Type, which curl then calls a form, works as well."""
        status, answer = curl(
            "/v1/feedback",
            "-H",
            f"Authorization: Bearer {server.tenant.key}",
            "-d",
            '{"projectId": "proj_webshop", "text": "Kan ik ook met iDEAL betalen?"}',
        )

        assert (status, answer["page"]) == (201, None)
        same(answer, inbox.record(answer["id"]))

    @pytest.mark.parametrize(
        ("body", "code", "fields"),
        [
            ('{"projectId": "proj_webshop", "text": "   "}', "validation_error", ["text"]),
            ('{"text": 12}', "validation_error", ["projectId", "text"]),
            ('{"projectId": "proj_webshop", "text": "Mist', "invalid_json", None),
            ("", "invalid_json", None),
        ],
    )
    def test_bad_body(
        self, curl: Curl, server: Server, body: str, code: str, fields: list[str] | None
    ) -> None:
        """A bad body is a 400 whose JSON says what is wrong with which field."""
        status, answer = curl("/v1/feedback", "-H", f"Authorization: Bearer {server.tenant.key}", "-d", body)

        assert status == 400
        error = error_of(answer, code)
        assert (fields and [fault["field"] for fault in error["fields"]]) == fields

    def test_no_key(self, curl: Curl) -> None:
        """A command without a key prints a JSON error."""
        status, answer = curl("/v1/feedback", "-d", "{}")

        assert status == 401
        error_of(answer, "unauthorized")

    @pytest.mark.parametrize("path", ["/v1/feedbacks", "/fluister/feedback"])
    def test_unknown_route(self, curl: Curl, path: str) -> None:
        """A mistyped path prints a JSON error."""
        status, answer = curl(path, "-d", "{}")

        assert status == 404
        error_of(answer, "not_found")


class TestFetch:
    @pytest.mark.parametrize("base", ["", "/fluister"])
    def test_documented_function(self, submit: Submit, inbox: Inbox, base: str) -> None:
        """The documented function logs the stored feedback."""
        status, answer = submit("Graag een donkere modus ✨ – mijn ogen!", "/instellingen", base=base)

        assert status == 201
        record = inbox.record(answer["id"])
        same(answer, record)
        assert record["subject"]["page"] == "/instellingen"
        assert record["author"]["email"] == "noor@example.nl"

    def test_without_a_page(self, submit: Submit, inbox: Inbox) -> None:
        """Called without a page the function leaves the key out, and the answer says null."""
        status, answer = submit("How do I export my invoices?")

        assert (status, answer["page"]) == (201, None)
        same(answer, inbox.record(answer["id"]))

    def test_project_of_ours(self, submit: Submit, server: Server, inbox: Inbox) -> None:
        """Feedback that names a project of the gateway lands in it."""
        made = server.run("project", "create", "Webshop")["project_id"]

        _, answer = submit(TEXT, "/", project=made)

        assert answer["projectId"] == made
        assert inbox.record(answer["id"])["project_id"] == made

    def test_project_of_another_workspace(self, submit: Submit, neighbour: Tenant, inbox: Inbox) -> None:
        """Another tenant's project is refused."""
        status, answer = submit(TEXT, "/", project=neighbour.project_id)

        assert status == 403
        error_of(answer, "forbidden")
        assert inbox.about(project_id=neighbour.project_id) == []

    def test_refusals_are_readable(
        self, submit: Submit, unknown_key: str, reading_key: str, server: Server
    ) -> None:
        """The function never looks at the status: what it logs says by itself what was wrong."""
        limited = server.new_key("--rate-limit", "2/minute")
        told = [
            submit("", "/"),
            submit(TEXT, "/", key="fl_not_ours"),
            submit(TEXT, "/", key=unknown_key),
            submit(TEXT, "/", key=reading_key),
            *(submit(TEXT, "/", key=limited) for _ in range(3)),
        ]

        assert [status for status, _ in told] == [400, 401, 401, 403, 201, 201, 429]
        codes = ["validation_error", "invalid_api_key", "invalid_api_key", "forbidden", "rate_limited"]
        errors = [answer for status, answer in told if status != 201]
        for (answer, code), status in zip(
            zip(errors, codes, strict=True), (400, 401, 401, 403, 429), strict=True
        ):
            assert error_of(answer, code)["status"] == status


class TestApp:
    """The Android app's requests, as its OkHttp sends them."""

    HEADERS = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "okhttp/4.12.0",
        "Accept-Encoding": "gzip",
    }

    @pytest.fixture(name="app")
    def _app(self, server: Server) -> Any:
        with httpx.Client(base_url=server.url, headers=self.HEADERS, timeout=30) as client:
            del client.headers["accept"]
            yield client

    @pytest.mark.parametrize(
        ("face", "sentiment"),
        [("love", "positive"), ("happy", "positive"), ("neutral", "neutral"), ("sad", "negative")],
    )
    def test_faces(
        self, app: httpx.Client, server: Server, inbox: Inbox, trace_id: str, face: str, sentiment: str
    ) -> None:
        """The face a person picked is the sentiment, whatever the words."""
        answer = app.post(
            "/api/feedback",
            headers={"X-API-Key": server.tenant.key},
            json={
                "sentiment": face,
                "message": "The timer keeps running after I close the app.",
                "page_url": "TimerScreen",
                "platform": "android",
                "session_id": trace_id,
                "user_email": "sam@example.org",
                "email_followup_opted_in": True,
                "metadata": {"app_version": "3.1", "android_version": "15", "device_model": "Fairphone 5"},
            },
        )

        assert answer.is_success
        (record,) = inbox.about(session_id=trace_id)
        same(answer.json(), record)
        assert (record["type"], record["kind"]) == ("message", face)
        assert (record["sentiment"], record["sentiment_origin"]) == (sentiment, "declared")
        assert record["subject"] == {
            "page": "TimerScreen",
            "platform": "android",
            "session_id": trace_id,
            "email_followup_opted_in": True,
            "app_version": "3.1",
            "android_version": "15",
            "device_model": "Fairphone 5",
        }
        assert record["author"]["email"] == "sam@example.org"

    def test_face_without_words(self, app: httpx.Client, server: Server, inbox: Inbox, trace_id: str) -> None:
        """A face alone is a rating."""
        answer = app.post(
            "/fluister/api/feedback",
            headers={"X-API-Key": server.tenant.key},
            json={"sentiment": "love", "platform": "android", "session_id": trace_id},
        )

        assert answer.is_success
        (record,) = inbox.about(session_id=trace_id)
        assert (record["type"], record["category"], record["sentiment"]) == ("rating", "praise", "positive")
        assert record["text"] == ""

    def test_settings(self, app: httpx.Client, curl: Curl, server: Server) -> None:
        """The app asks with its key in the address whether it may offer a reply by mail."""
        answer = app.get("/api/widget/config", params={"project": server.tenant.key})

        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {"email_followup_enabled": True}
        words = ("-H", "User-Agent: okhttp/4.12.0", "-H", "Accept:", "-H", "Accept-Encoding: gzip")
        path = f"/fluister/api/widget/config?project={server.tenant.key}"
        assert curl(path, *words) == (200, {"email_followup_enabled": True})

    def test_refusals(self, app: httpx.Client, server: Server, unknown_key: str, reading_key: str) -> None:
        """A missing, unknown or reading key and an unknown face are refused in JSON."""
        body = {"sentiment": "sad", "message": "Crash on start"}
        told = [
            app.post("/api/feedback", json=body),
            app.post("/api/feedback", json=body, headers={"X-API-Key": unknown_key}),
            app.post("/api/feedback", json=body, headers={"X-API-Key": reading_key}),
            app.post(
                "/api/feedback",
                json={**body, "sentiment": "angry"},
                headers={"X-API-Key": server.tenant.key},
            ),
            app.get("/api/widget/config", params={"project": unknown_key}),
        ]

        assert [answer.status_code for answer in told] == [401, 401, 403, 400, 401]
        codes = ["unauthorized", "invalid_api_key", "forbidden", "validation_error", "invalid_api_key"]
        for answer, code in zip(told, codes, strict=True):
            error_of(answer.json(), code)

    def test_spent_limit(self, app: httpx.Client, server: Server) -> None:
        """The third request of two a minute is a 429 with a whole Retry-After."""
        headers = {"X-API-Key": server.new_key("--rate-limit", "2/minute")}
        told = [app.post("/api/feedback", json={"sentiment": "happy"}, headers=headers) for _ in range(3)]

        assert [answer.status_code for answer in told] == [201, 201, 429]
        assert re.fullmatch(r"[1-9]\d*", told[2].headers["retry-after"])
        error_of(told[2].json(), "rate_limited")
