"""The package `standardwebhooks` signs deliveries as GitLab 19 and newer does, for a hook of GitLab's."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.clients.conftest import Inbox, new_hook, severity_of
from tests.conftest import Server

Deliver = Callable[..., httpx.Response]
FRESH = timedelta(0)


def new_token() -> str:
    """A signing token as GitLab makes them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture(name="token", scope="session")
def _token() -> str:
    return new_token()


@pytest.fixture(name="made", scope="session")
def _made(server: Server, token: str) -> dict[str, Any]:
    """A hook that knows GitLab's signing token."""
    return new_hook(server, "gitlab", "--secret", token)


@pytest.fixture(name="http", scope="session")
def _http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as http:
        yield http


@pytest.fixture(name="deliver")
def _deliver(made: dict[str, Any], token: str, http: httpx.Client) -> Deliver:
    """Signs and posts a delivery: deliver(body), deliver(body, message="msg_1", age=..., tokens=[...])."""

    def deliver(
        body: str,
        message: str = "",
        age: timedelta = FRESH,
        tokens: list[str] | None = None,
        sent: str | None = None,
        url: str = made["url"],
        **headers: str | bytes | None,
    ) -> httpx.Response:
        message, signed_at = message or secrets.token_hex(16), datetime.now(UTC) - age
        signatures = [Webhook(one).sign(message, signed_at, body) for one in tokens or [token]]
        shown: dict[str, str | bytes | None] = {
            "Content-Type": "application/json",
            "User-Agent": "GitLab/19.2.0",
            "X-Gitlab-Event": "Pipeline Hook",
            "Idempotency-Key": message,
            "webhook-id": message,
            "webhook-timestamp": str(int(signed_at.timestamp())),
            "webhook-signature": " ".join(signatures),
            **headers,
        }
        content = (body if sent is None else sent).encode()
        kept = {name: value for name, value in shown.items() if value is not None}
        return http.post(url, content=content, headers=kept)

    return deliver


def number_of(trace_id: str) -> int:
    """A pipeline's number no other test uses."""
    return int(trace_id[:12], 16)


def pipeline(status: str, ref: str, later: int = 0) -> str:
    """What GitLab tells of a pipeline on this branch."""
    number = number_of(ref) + later
    attributes = {
        "id": number,
        "iid": 12,
        "ref": ref,
        "tag": False,
        "sha": "6f1ed002ab5595859014ebf0951522d9a1c0ffee",
        "source": "push",
        "status": status,
        "created_at": "2026-11-20 21:04:11 UTC",
        "finished_at": f"2026-11-20 21:0{7 if status == 'failed' else 9}:30 UTC",
        "url": f"https://gitlab.example.org/atelier/decks/-/pipelines/{number}",
    }
    project = {
        "id": 4711,
        "path_with_namespace": "atelier/decks",
        "web_url": "https://gitlab.example.org/atelier/decks",
        "default_branch": "trunk",
    }
    job = {
        "id": 90210,
        "stage": "test",
        "name": "weeks",
        "status": status,
        "failure_reason": "script_failure",
        "allow_failure": False,
    }
    sent = {
        "object_kind": "pipeline",
        "object_attributes": attributes,
        "user": {"id": 31, "username": "marit", "email": "[REDACTED]"},
        "project": project,
        "commit": {"id": attributes["sha"], "message": "Tél de weken vanaf maandag\n"},
        "builds": [job],
    }
    return json.dumps(sent, ensure_ascii=False)


def about(inbox: Inbox, ref: str) -> list[dict[str, Any]]:
    return inbox.about(ref=ref, project="atelier/decks")


def test_red_and_green(deliver: Deliver, inbox: Inbox, trace_id: str) -> None:
    """A failed pipeline is an open record of a run; when the branch succeeds again it is resolved."""
    assert deliver(pipeline("running", trace_id)).status_code == 200
    assert about(inbox, trace_id) == []

    assert deliver(pipeline("failed", trace_id)).status_code == 200
    (failed,) = about(inbox, trace_id)
    assert (failed["source"], failed["type"], failed["kind"]) == ("gitlab", "ci", "pipeline")
    assert failed["title"] == f"atelier/decks: pipeline failed on {trace_id}"
    assert "weeks (test): script_failure" in failed["text"]
    assert "Tél de weken vanaf maandag" in failed["text"]
    assert (failed["status"], severity_of(failed)) == ("open", 3)
    assert failed["subject"]["url"].endswith(f"/atelier/decks/-/pipelines/{number_of(trace_id)}")
    assert failed["author"] == {"id": "31", "name": "marit", "email": None}
    assert failed["occurred_at"] == "2026-11-20T21:07:30.000Z"

    assert deliver(pipeline("success", trace_id, later=1)).status_code == 200
    (fixed,) = about(inbox, trace_id)
    assert (fixed["id"], fixed["status"]) == (failed["id"], "resolved")
    assert fixed["resolved_at"] == "2026-11-20T21:09:30.000Z"


def test_same_delivery(deliver: Deliver, inbox: Inbox, trace_id: str) -> None:
    """A delivery that GitLab sends again, under the id it had, is stored once."""
    message = secrets.token_hex(16)

    answers = [deliver(pipeline("failed", trace_id), message) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    (record,) = about(inbox, trace_id)
    assert record["occurrences"] == 1
    assert [event["type"] for event in inbox.events(record)] == ["received"]


@pytest.mark.parametrize("place", [0, 0.5, 1], ids=["start", "middle", "end"])
def test_tampered(deliver: Deliver, inbox: Inbox, trace_id: str, place: float) -> None:
    """One changed character anywhere in the body is a 401."""
    body = pipeline("failed", trace_id)
    at = int(place * (len(body) - 1))
    tampered = body[:at] + chr(ord(body[at]) ^ 1) + body[at + 1 :]

    answer = deliver(body, sent=tampered)

    assert answer.status_code == 401
    assert about(inbox, trace_id) == []


@pytest.mark.parametrize(
    "age", [timedelta(minutes=6), timedelta(minutes=-6), timedelta(days=365)], ids=["old", "early", "ancient"]
)
def test_stale(deliver: Deliver, inbox: Inbox, trace_id: str, age: timedelta) -> None:
    """A good signature of another time, more than five minutes off either way, is a 401."""
    assert deliver(pipeline("failed", trace_id), age=age).status_code == 401
    assert about(inbox, trace_id) == []


def test_four_minutes(deliver: Deliver, inbox: Inbox, trace_id: str) -> None:
    """Clocks may differ by four minutes."""
    for minutes in (4, -4):
        assert deliver(pipeline("failed", trace_id), age=timedelta(minutes=minutes)).status_code == 200


@pytest.mark.parametrize("value", [None, b"", b"another", b"1", "ü".encode()], ids=str)
@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_wrong_headers(deliver: Deliver, inbox: Inbox, trace_id: str, name: str, value: bytes | None) -> None:
    """A header that is missing, malformed or another than was signed is a 401."""
    assert deliver(pipeline("failed", trace_id), **{name: value}).status_code == 401
    assert about(inbox, trace_id) == []


@pytest.mark.parametrize("signature", ["v1", "v1,", "v1,AAAA", "v2,x v1a,y garbage"])
def test_wrong_signatures(deliver: Deliver, inbox: Inbox, trace_id: str, signature: str) -> None:
    """A signature that is malformed or of another version is a 401."""
    assert deliver(pipeline("failed", trace_id), **{"webhook-signature": signature}).status_code == 401
    assert about(inbox, trace_id) == []


def test_bad_signature_beside_good_secret(
    server: Server, deliver: Deliver, inbox: Inbox, trace_id: str
) -> None:
    """A good X-Gitlab-Token is enough where nothing is signed, and does not save a bad signature."""
    made = new_hook(server, "gitlab")
    server.run("hook", "rotate", made["hook_id"], "--secret", new_token())
    shown = {"url": made["url"], "X-Gitlab-Token": made["secret"]}

    assert deliver(pipeline("failed", trace_id), **shown).status_code == 401
    assert about(inbox, trace_id) == []
    assert deliver(pipeline("failed", trace_id), **shown, **{"webhook-signature": None}).status_code == 200
    assert len(about(inbox, trace_id)) == 1


def test_another_token(deliver: Deliver, inbox: Inbox, trace_id: str) -> None:
    """What another token signed is a 401."""
    assert deliver(pipeline("failed", trace_id), tokens=[new_token()]).status_code == 401
    assert about(inbox, trace_id) == []


def test_several_signatures(deliver: Deliver, token: str, inbox: Inbox, trace_id: str) -> None:
    """Of several signatures, as a sender makes them while its token changes, one that holds is enough."""
    answer = deliver(pipeline("failed", trace_id), tokens=[new_token(), token])

    assert answer.status_code == 200
    assert len(about(inbox, trace_id)) == 1


def test_rotated_token(server: Server, deliver: Deliver, inbox: Inbox, trace_id: str) -> None:
    """After a rotation the new token is known at once, and the old one still."""
    old, new = new_token(), new_token()
    made = new_hook(server, "gitlab", "--secret", old)
    server.run("hook", "rotate", made["hook_id"], "--secret", new)

    for token in (new, old):
        assert deliver(pipeline("failed", trace_id), tokens=[token], url=made["url"]).status_code == 200
    assert len(about(inbox, trace_id)) == 1
