"""Sentry's own SDK for node (@sentry/node), given the DSN that `hook create sentry-dsn` prints."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.clients.conftest import Driver, Inbox, new_hook, severity_of
from tests.conftest import Server

ERROR = 4  # the severity of Sentry's level `error`


@dataclass(frozen=True)
class Sent:
    """The ids that the SDK gave, and the requests it made."""

    ids: list[str]
    requests: list[dict[str, Any]]

    @property
    def statuses(self) -> list[int | None]:
        return [request["status"] for request in self.requests]


Send = Callable[..., Sent]


@pytest.fixture(name="made", scope="session")
def _made(server: Server) -> dict[str, Any]:
    """A hook for Sentry's SDKs, as the command that makes it tells of it."""
    return new_hook(server, "sentry-dsn")


@pytest.fixture(name="send")
def _send(made: dict[str, Any], sentry_driver: Driver) -> Send:
    """Initialises the SDK and makes these calls: send(["captureMessage", "Hello"], dsn=..., debug=True)."""

    def send(*calls: list[Any], dsn: str = made["dsn"], **options: Any) -> Sent:
        user = {"id": "u-31", "username": "Marit", "email": "marit@example.org"}
        settings = {"dsn": dsn, "release": "decks@4.2.0", "environment": "rehearsal", **options}
        value = sentry_driver(options=settings, user=user, calls=list(calls)).data
        return Sent(value["ids"], value["requests"])

    return send


def of(inbox: Inbox, event_id: str) -> dict[str, Any]:
    """The one record of an event."""
    (record,) = [record for record in inbox.newest() if record["external_id"] == event_id]
    return record


class TestFeedback:
    def test_everything(self, send: Send, inbox: Inbox, trace_id: str) -> None:
        """captureFeedback with all it can say is a message, and its attachment is noted with it."""
        words = f"De planner toont een lege week — {trace_id}\nSinds de update van maandag."
        feedback = {
            "message": words,
            "name": "Noor",
            "email": "noor@example.nl",
            "url": "https://decks.example.org/planner?week=12",
            "source": "menu",
            "associatedEventId": uuid4().hex,
            "tags": {"area": "planner"},
        }
        note = {"filename": "week.txt", "data": "maandag\ndinsdag\n", "contentType": "text/plain"}

        sent = send(["captureFeedback", feedback, {"attachments": [note]}])

        assert sent.statuses == [200]
        record = of(inbox, sent.ids[0])
        assert (record["source"], record["type"], record["kind"]) == ("sentry", "message", "feedback")
        assert (record["title"], record["text"]) == (words.partition("\n")[0], words)
        assert record["author"] == {"id": "u-31", "name": "Noor", "email": "noor@example.nl"}
        assert severity_of(record) == 2  # by its words: an empty week
        assert {"area:planner", "source:menu", "platform:node"} <= set(record["tags"])
        expected = {
            "url": feedback["url"],
            "environment": "rehearsal",
            "release": "decks@4.2.0",
            "event_id": sent.ids[0],
            "associated_event_id": feedback["associatedEventId"],
            "attachments": [{"name": "week.txt", "type": "text/plain", "size": 16}],
        }
        assert expected.items() <= record["subject"].items()

    def test_words_only(self, send: Send, inbox: Inbox, trace_id: str) -> None:
        """Words are enough; their author is the SDK's user."""
        sent = send(["captureFeedback", {"message": f"The week is empty {trace_id}"}])

        record = of(inbox, sent.ids[0])
        assert record["text"] == f"The week is empty {trace_id}"
        assert record["author"] == {"id": "u-31", "name": "Marit", "email": "marit@example.org"}

    def test_long(self, send: Send, inbox: Inbox, trace_id: str) -> None:
        """What the SDK compresses, which it does with all over 32 kB, is read like the rest."""
        words = f"Lange tekst {trace_id} " + "met veel wóórden " * 3000

        sent = send(["captureFeedback", {"message": words}])

        assert [request["headers"].get("content-encoding") for request in sent.requests] == ["gzip"]
        assert sent.statuses == [200]
        assert of(inbox, sent.ids[0])["text"].split() == words.split()


class TestEvents:
    @pytest.mark.parametrize(
        ("level", "severity"), [("fatal", 5), ("error", 4), ("warning", 3), ("info", 1), ("debug", 1)]
    )
    def test_message(self, send: Send, inbox: Inbox, trace_id: str, level: str, severity: int) -> None:
        """A message that a program sends is an open alert, as severe as its level says."""
        words = f"Kaart niet bijgewerkt — {trace_id}"

        sent = send(["captureMessage", words, level])

        assert sent.statuses == [200]
        record = of(inbox, sent.ids[0])
        assert (record["source"], record["type"], record["kind"]) == ("sentry", "alert", "event")
        assert (record["title"], record["text"]) == (words, words)
        assert (severity_of(record), record["status"]) == (severity, "open")
        assert record["author"] == {"id": "u-31", "name": "Marit", "email": "marit@example.org"}
        assert {"platform:node"} <= set(record["tags"])
        expected = {"environment": "rehearsal", "release": "decks@4.2.0", "event_id": sent.ids[0]}
        assert expected.items() <= record["subject"].items()

    def test_exception(self, send: Send, inbox: Inbox, trace_id: str) -> None:
        """An exception is an alert named by its type and value; the same one again is the same record."""
        error = {"name": "DeckError", "message": f"no deck {trace_id}"}

        sent = send(*[["captureException", error]] * 2)

        assert sent.statuses == [200, 200]
        (record,) = [record for record in inbox.newest() if trace_id in record["title"]]
        assert (record["type"], severity_of(record), record["status"]) == ("alert", ERROR, "open")
        assert record["title"] == f"DeckError: no deck {trace_id}"
        assert "thrown" in record["subject"]["culprit"]
        assert record["occurrences"] == 2

    def test_same_event_id(self, send: Send, inbox: Inbox, trace_id: str) -> None:
        """The same event twice is one record, seen once."""
        event = {"event_id": uuid4().hex, "message": f"Twice the same {trace_id}", "level": "error"}

        sent = send(*[["captureEvent", event, {"event_id": event["event_id"]}]] * 2)

        assert sent.statuses == [200, 200]
        record = of(inbox, event["event_id"])
        assert record["occurrences"] == 1
        assert [event["type"] for event in inbox.events(record)] == ["received"]

    def test_address_below_the_dialect(
        self, made: dict[str, Any], send: Send, inbox: Inbox, trace_id: str
    ) -> None:
        """A DSN with /sentry_envelope before its number works too."""
        dsn, _, number = made["dsn"].rpartition("/")
        message = ["captureMessage", f"By the long way {trace_id}"]

        sent = send(
            ["captureFeedback", {"message": trace_id}], message, dsn=f"{dsn}/sentry_envelope/{number}"
        )

        assert sent.statuses == [200, 200]
        assert {request["path"].partition("?")[0] for request in sent.requests} == {
            f"/sentry_envelope/api/{number}/envelope/"
        }
        assert [of(inbox, event_id)["source"] for event_id in sent.ids] == ["sentry", "sentry"]

    def test_program_with_the_defaults(
        self, made: dict[str, Any], node: Path, inbox: Inbox, trace_id: str
    ) -> None:
        """A program that knows nothing but its DSN, and dies of an exception, is one alert."""
        program = (
            "import * as Sentry from '@sentry/node';"
            "Sentry.init({ dsn: process.argv[1] });"
            "throw new RangeError(process.argv[2]);"
        )
        command = ["node", "--input-type=module", "-e", program, made["dsn"], trace_id]
        done = subprocess.run(command, cwd=node, capture_output=True, text=True, check=False, timeout=60)

        assert f"RangeError: {trace_id}" in done.stderr
        (record,) = [record for record in inbox.newest() if trace_id in record["title"]]
        assert (record["title"], record["type"]) == (f"RangeError: {trace_id}", "alert")
        assert record["occurrences"] == 1
        assert record["subject"]["environment"] == "production"  # which the SDK assumes


class TestRefused:
    def test_spent_limit(self, server: Server, send: Send, inbox: Inbox, trace_id: str) -> None:
        """When a hook's limit is spent the SDK is silent, about feedback, messages and errors alike."""
        made = new_hook(server, "sentry-dsn", "--rate-limit", "1/minute")
        feedback = [["captureFeedback", {"message": f"Feedback {number} {trace_id}"}] for number in range(3)]

        sent = send(
            *feedback,
            ["captureMessage", f"Message {trace_id}"],
            ["captureException", {"name": "DeckError", "message": trace_id}],
            dsn=made["dsn"],
            sendClientReports=False,
        )

        assert sent.statuses == [200, 429]
        assert [record["external_id"] for record in inbox.newest() if trace_id in record["text"]] == [
            sent.ids[0]
        ]

    def test_too_large(self, send: Send, inbox: Inbox, trace_id: str) -> None:
        """An envelope too large when decompressed is a 413 and lost; the SDK goes on with the next."""
        large = {"message": f"{trace_id} " + "week " * 250_000}

        sent = send(
            ["captureFeedback", large],
            ["captureFeedback", {"message": f"Less of it {trace_id}"}],
            sendClientReports=False,
        )

        assert sent.statuses == [413, 200]
        assert [record["external_id"] for record in inbox.newest() if trace_id in record["text"]] == [
            sent.ids[1]
        ]

    @pytest.mark.parametrize("wrong", ["key", "number"])
    def test_wrong_dsn(
        self, made: dict[str, Any], send: Send, inbox: Inbox, trace_id: str, wrong: str
    ) -> None:
        """A key nobody was given, and a key with another project's number, are a 403; nothing is stored."""
        stranger = made["dsn"].replace(made["hook_id"], f"hk_{uuid4().hex}")
        dsn = stranger if wrong == "key" else f"{made['dsn']}0"

        sent = send(["captureFeedback", {"message": trace_id}], dsn=dsn, sendClientReports=False)

        assert sent.statuses == [403]
        assert [record for record in inbox.newest() if trace_id in record["text"]] == []
