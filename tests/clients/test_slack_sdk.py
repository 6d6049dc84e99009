"""Slack's own package (slack_sdk) signs what Slack posts: events, slash commands and modals."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from slack_sdk.models.blocks import InputBlock, PlainTextInputElement
from slack_sdk.models.views import View, ViewState, ViewStateValue
from slack_sdk.signature import SignatureVerifier

from tests.clients.conftest import Inbox, new_hook
from tests.conftest import Server

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
TEAM, CHANNEL = "T0DECKS", "C0PLANNER"

Post = Callable[..., httpx.Response]


@pytest.fixture(name="made", scope="session")
def _made(server: Server) -> dict[str, Any]:
    """A hook that knows the app's signing secret."""
    return new_hook(server, "slack", "--secret", SECRET)


@pytest.fixture(name="http", scope="session")
def _http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as http:
        yield http


@pytest.fixture(name="post")
def _post(made: dict[str, Any], http: httpx.Client) -> Post:
    """Signs and posts a body: post(body, JSON), post(body, FORM, age=301, secret="...", sent=b"...")."""

    def post(
        body: str,
        content_type: str,
        *,
        age: int = 0,
        secret: str = SECRET,
        sent: str | None = None,
        **headers: Any,
    ) -> httpx.Response:
        timestamp = str(int(time.time()) - age)
        signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
        assert signature is not None
        shown = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature,
        }
        return http.post(
            made["url"], content=(body if sent is None else sent).encode(), headers=shown | headers
        )

    return post


def event_of(event: dict[str, Any], event_id: str) -> str:
    """A callback of the Events API."""
    sent = {
        "type": "event_callback",
        "team_id": TEAM,
        "api_app_id": "A0GATEWAY",
        "event_id": event_id,
        "event_time": 1_795_000_000,
        "authorizations": [{"team_id": TEAM, "user_id": "U0GATEWAY", "is_bot": True}],
        "event": event,
    }
    return json.dumps(sent)


def message(words: str, ts: str, **more: str) -> dict[str, Any]:
    return {"type": "message", "channel": CHANNEL, "user": "U0NOOR", "text": words, "ts": ts, **more}


def ts_of(trace_id: str) -> str:
    """A message's id no other test uses."""
    return f"1795000000.{int(trace_id, 16) % 1_000_000:06d}"


def command(words: str, trace_id: str) -> str:
    """A slash command, encoded as Slack does."""
    fields = {
        "token": "old",
        "team_id": TEAM,
        "team_domain": "decks",
        "channel_id": CHANNEL,
        "channel_name": "planner",
        "user_id": "U0NOOR",
        "user_name": "noor",
        "command": "/feedback",
        "text": words,
        "response_url": "https://hooks.example.org/commands/1",
        "trigger_id": f"13345224609.{trace_id}",
    }
    return urlencode(fields)


def submission(words: str, trace_id: str) -> str:
    """A modal that was sent off, built with the package's own classes."""
    asked = InputBlock(block_id="what", label="What is it?", element=PlainTextInputElement(action_id="words"))
    said = ViewState(values={"what": {"words": ViewStateValue(type="plain_text_input", value=words)}})
    view = View(type="modal", callback_id="feedback", title="Feedback", blocks=[asked], state=said)
    sent = {
        "type": "view_submission",
        "team": {"id": TEAM, "domain": "decks"},
        "user": {"id": "U0NOOR", "username": "noor", "name": "noor", "team_id": TEAM},
        "trigger_id": f"13345224609.{trace_id}",
        "view": {**view.to_dict(), "id": f"V{trace_id}", "hash": f"1795000000.{trace_id}"},
    }
    return urlencode({"payload": json.dumps(sent)}, quote_via=quote)


def containing(inbox: Inbox, trace_id: str) -> list[dict[str, Any]]:
    return [record for record in inbox.newest() if trace_id in record["text"]]


def any_of(kind: str, trace_id: str) -> tuple[str, str]:
    """A request of each kind, and its content type."""
    if kind == "event":
        return event_of(message(f"Leeg: {trace_id}", ts_of(trace_id)), f"Ev{trace_id}"), JSON
    made = command if kind == "command" else submission
    return made(f"Leeg: {trace_id}", trace_id), FORM


KINDS = pytest.mark.parametrize("kind", ["event", "command", "modal"])


class TestAccepted:
    def test_message(self, post: Post, inbox: Inbox, trace_id: str) -> None:
        """A message in a channel is a record of its words, without Slack's markup."""
        words = f"<@U0MARIT> de <https://decks.example.org/w|week> is leeg &amp; traag — {trace_id}"

        answer = post(event_of(message(words, ts_of(trace_id)), f"Ev{trace_id}"), JSON)

        assert (answer.status_code, answer.content) == (200, b"")
        (record,) = containing(inbox, trace_id)
        assert (record["source"], record["type"], record["kind"]) == ("slack", "chat", "message")
        assert (
            record["text"] == f"@U0MARIT de week (https://decks.example.org/w) is leeg & traag — {trace_id}"
        )
        assert record["author"]["id"] == "U0NOOR"
        assert record["external_id"] == ts_of(trace_id)
        assert record["occurred_at"].startswith("2026-11-18T11:06:40")

    def test_sent_again(self, post: Post, inbox: Inbox, trace_id: str) -> None:
        """An event that Slack sends again, or as a mention too, is stored once."""
        said = message(f"De week is leeg {trace_id}", ts_of(trace_id))
        mention = event_of(said | {"type": "app_mention"}, f"Ev{trace_id}2")
        again = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}

        answers = [
            post(event_of(said, f"Ev{trace_id}"), JSON),
            post(event_of(said, f"Ev{trace_id}"), JSON, **again),
            post(mention, JSON),
        ]

        assert [answer.status_code for answer in answers] == [200, 200, 200]
        (record,) = containing(inbox, trace_id)
        assert record["occurrences"] == 1

    def test_reaction(self, post: Post, inbox: Inbox, trace_id: str) -> None:
        """A reaction is a vote for the message it was put on."""
        ts = ts_of(trace_id)
        post(event_of(message(f"De week is leeg {trace_id}", ts), f"Ev{trace_id}"), JSON)
        reaction = {
            "type": "reaction_added",
            "user": "U0SVEN",
            "reaction": "+1",
            "item": {"type": "message", "channel": CHANNEL, "ts": ts},
            "event_ts": "1795000060.000100",
        }

        answer = post(event_of(reaction, f"Ev{trace_id}2"), JSON)

        assert answer.status_code == 200
        (record,) = containing(inbox, trace_id)
        assert record["votes"] == 1

    def test_challenge(self, post: Post) -> None:
        """The challenge with which Slack tries an address is given back."""
        answer = post(json.dumps({"type": "url_verification", "token": "old", "challenge": "3eZbr"}), JSON)

        assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbr"})

    def test_command(self, post: Post, inbox: Inbox, trace_id: str) -> None:
        """A slash command is a record of what follows it, and its user is thanked where only they see it."""
        answer = post(command(f"De week is leeg & traag — {trace_id}", trace_id), FORM)

        assert answer.status_code == 200
        assert answer.json()["response_type"] == "ephemeral"
        (record,) = containing(inbox, trace_id)
        assert (record["source"], record["type"], record["kind"]) == ("slack", "chat", "command")
        assert record["text"] == f"De week is leeg & traag — {trace_id}"
        assert record["author"] == {"id": "U0NOOR", "name": "noor", "email": None}

    def test_command_without_words(self, post: Post, inbox: Inbox, trace_id: str) -> None:
        """A slash command without words is answered with how it is used, and stored nowhere."""
        before = {record["id"] for record in inbox.newest()}

        answer = post(command(" ", trace_id), FORM)

        assert answer.status_code == 200
        assert "/feedback" in answer.json()["text"]
        assert {record["id"] for record in inbox.newest()} == before

    def test_modal(self, post: Post, inbox: Inbox, trace_id: str) -> None:
        """What was typed into a modal is a record; the answer is empty, since Slack acts on any other."""
        answer = post(submission(f"De week is leeg\n{trace_id} + 100 %", trace_id), FORM)

        assert (answer.status_code, answer.content) == (200, b"")
        (record,) = containing(inbox, trace_id)
        assert (record["kind"], record["title"]) == ("view_submission", "De week is leeg")
        assert record["subject"]["form"] == "Feedback"
        assert record["text"] == f"De week is leeg\n{trace_id} + 100 %"
        assert record["author"] == {"id": "U0NOOR", "name": "noor", "email": None}

    @KINDS
    @pytest.mark.parametrize("age", [280, -280])
    def test_within_the_window(self, post: Post, inbox: Inbox, trace_id: str, kind: str, age: int) -> None:
        """Clocks may differ by nearly five minutes."""
        assert post(*any_of(kind, trace_id), age=age).status_code == 200
        assert len(containing(inbox, trace_id)) == 1


class TestRefused:
    @KINDS
    @pytest.mark.parametrize("age", [310, -310, 31_536_000])
    def test_stale(self, post: Post, inbox: Inbox, trace_id: str, kind: str, age: int) -> None:
        """A good signature of another time, more than five minutes off either way, is a 401."""
        assert post(*any_of(kind, trace_id), age=age).status_code == 401
        assert containing(inbox, trace_id) == []

    @KINDS
    def test_tampered(self, post: Post, inbox: Inbox, trace_id: str, kind: str) -> None:
        """One changed character of the body is a 401."""
        body, content_type = any_of(kind, trace_id)

        answer = post(body, content_type, sent=body.replace("Leeg", "Leef"))

        assert answer.status_code == 401
        assert containing(inbox, trace_id) == []

    @KINDS
    def test_another_secret(self, post: Post, inbox: Inbox, trace_id: str, kind: str) -> None:
        """What another app's secret signed is a 401."""
        assert post(*any_of(kind, trace_id), secret="another").status_code == 401
        assert containing(inbox, trace_id) == []

    @KINDS
    @pytest.mark.parametrize(
        "wrong",
        [
            {"X-Slack-Signature": b""},
            {"X-Slack-Signature": b"v0="},
            {"X-Slack-Signature": "v0=é".encode()},
            {"X-Slack-Request-Timestamp": b""},
            {"X-Slack-Request-Timestamp": b"soon"},
            {"X-Slack-Request-Timestamp": b"9" * 400},
        ],
        ids=str,
    )
    def test_wrong_headers(
        self, post: Post, inbox: Inbox, trace_id: str, kind: str, wrong: dict[str, bytes]
    ) -> None:
        """A header that is empty or malformed is a 401."""
        assert post(*any_of(kind, trace_id), **wrong).status_code == 401
        assert containing(inbox, trace_id) == []
