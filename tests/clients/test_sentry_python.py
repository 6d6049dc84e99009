"""Sentry's own Python SDK (sentry-sdk, the newest), given the DSN that `hook create sentry-dsn` prints."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope, Item, PayloadRef

from tests.clients.conftest import Inbox, files_of, new_hook, severity_of
from tests.clients.lossy import Lossy
from tests.conftest import Server
from tests.uploads import png

TOO_MUCH = b"\0" * 1_100_000  # more than GATEWAY_MAX_BODY, next to nothing when compressed
COMPRESSION: dict[str | None, dict[str, Any]] = {
    None: {"transport_compression_level": 0},
    "gzip": {"transport_compression_algo": "gzip"},
    "br": {},  # what the SDK does by itself where the brotli package is installed
}
ERROR = 4  # the severity of Sentry's level `error`

Connect = Callable[..., sentry_sdk.Client]


@pytest.fixture(name="made", scope="session")
def _made(server: Server) -> dict[str, Any]:
    """A hook for Sentry's SDKs, as the command that makes it tells of it."""
    return new_hook(server, "sentry-dsn")


@pytest.fixture(name="proxy")
def _proxy(proxy: Lossy) -> Lossy:
    """A proxy that loses nothing, and knows what the gateway answered."""
    proxy.lose = 0
    return proxy


@pytest.fixture(name="through")
def _through(proxy: Lossy) -> Callable[[str], str]:
    """The same DSN, to be reached through the proxy."""
    gateway, front = urlsplit(proxy.target).netloc, urlsplit(proxy.url).netloc
    return lambda dsn: dsn.replace(f"@{gateway}/", f"@{front}/")


@pytest.fixture(name="dsn")
def _dsn(made: dict[str, Any], through: Callable[[str], str]) -> str:
    return through(made["dsn"])


@pytest.fixture(name="connect")
def _connect(dsn: str) -> Iterator[Connect]:
    """Makes a client the current one: connect(), connect(dsn, compression="gzip")."""
    with ExitStack() as stack:

        def connect(dsn: str = dsn, compression: str | None = "br", **options: Any) -> sentry_sdk.Client:
            client = sentry_sdk.Client(
                dsn,
                release="decks@4.2.0",
                environment="rehearsal",
                default_integrations=False,  # they patch the process, which is that of all tests
                _experiments=COMPRESSION[compression],
                **options,
            )
            stack.callback(client.close)
            scope = stack.enter_context(sentry_sdk.new_scope())
            scope.set_client(client)
            scope.set_user({"id": "u-31", "username": "Marit", "email": "marit@example.org"})
            scope.set_tag("area", "planner")
            return client

        yield connect


@pytest.fixture(name="client")
def _client(connect: Connect) -> sentry_sdk.Client:
    return connect()


def of(inbox: Inbox, event_id: str | None) -> dict[str, Any]:
    """The one record of an event, once the SDK has sent what it holds."""
    sentry_sdk.flush(timeout=20)
    (record,) = [record for record in inbox.newest() if record["external_id"] == event_id]
    return record


def send(kind: str, payload: dict[str, Any], event_id: str, *more: Item) -> None:
    """Sends an envelope of the caller's own."""
    envelope = Envelope(headers={"event_id": event_id})
    envelope.add_item(Item(PayloadRef(json=payload), type=kind))
    for item in more:
        envelope.add_item(item)
    transport = sentry_sdk.get_client().transport
    assert transport is not None
    transport.capture_envelope(envelope)
    sentry_sdk.flush(timeout=20)


class TestAttachments:
    @pytest.mark.parametrize("compression", COMPRESSION)
    def test_of_a_feedback(
        self, connect: Connect, server: Server, inbox: Inbox, trace_id: str, compression: str | None
    ) -> None:
        """What the scope has attached is kept with the words, and what is of no kind we keep is named."""
        connect(compression=compression)
        large, small = png(2_000_000), png(seed=1)
        scope = sentry_sdk.get_current_scope()
        scope.add_attachment(bytes=large, filename="week.png", content_type="application/octet-stream")
        scope.add_attachment(bytes=b"MDMP" + bytes(99), filename="crash.dmp")
        scope.add_attachment(bytes=small, filename="small.png")

        feedback = {"message": f"The week is empty {trace_id}"}
        event_id = sentry_sdk.capture_event({"type": "feedback", "contexts": {"feedback": feedback}})

        found = files_of(server, of(inbox, event_id)["id"])
        assert [(file.name, file.content_type, file.content) for file in found] == [
            ("week.png", "image/png", large),
            ("crash.dmp", "application/octet-stream", b""),
            ("small.png", "image/png", small),
        ]
        assert found[1].reason is not None
        assert found[1].reason.startswith("is none of these: png, jpeg")

    def test_of_an_error(
        self, client: sentry_sdk.Client, server: Server, inbox: Inbox, trace_id: str
    ) -> None:
        """Without anybody's words they belong to the error that they came with."""
        sentry_sdk.get_current_scope().add_attachment(bytes=b"last words", filename="app.log")
        event_id = sentry_sdk.capture_message(f"The deck {trace_id} is full", level="error")

        (found,) = files_of(server, of(inbox, event_id)["id"])
        assert (found.name, found.content_type, found.content) == ("app.log", "text/plain", b"last words")


class TestFeedback:
    def test_event_of_type_feedback(self, client: sentry_sdk.Client, inbox: Inbox, trace_id: str) -> None:
        """An event with contexts.feedback, Python's only way to send feedback, is a message."""
        words = f"De planner toont een lege week — {trace_id}\nSinds de update van maandag."
        feedback = {
            "message": words,
            "name": "Noor",
            "contact_email": "noor@example.nl",
            "url": "https://decks.example.org/planner?week=12",
            "source": "menu",
            "associated_event_id": "4b1cdd8f0a7e4dc0b7f6a1d7f2a8c9e1",
        }

        event_id = sentry_sdk.capture_event(
            {"type": "feedback", "level": "error", "contexts": {"feedback": feedback}}
        )

        record = of(inbox, event_id)
        assert (record["source"], record["type"], record["kind"]) == ("sentry", "message", "feedback")
        assert record["title"] == words.partition("\n")[0]
        assert record["text"] == words
        assert record["author"] == {"id": "u-31", "name": "Noor", "email": "noor@example.nl"}
        assert severity_of(record) == 2  # by its words: an empty week
        assert record["tags"] == ["area:planner", "source:menu", "platform:python", "sdk:sentry.python"]
        assert record["subject"] == {
            "url": feedback["url"],
            "environment": "rehearsal",
            "release": "decks@4.2.0",
            "event_id": event_id,
            "associated_event_id": feedback["associated_event_id"],
        }

    def test_feedback_item(self, client: sentry_sdk.Client, inbox: Inbox, trace_id: str) -> None:
        """A feedback item is a message, and the screenshot in its envelope is noted with it."""
        event_id = uuid4().hex
        screenshot = Item(
            PayloadRef(bytes=b"\x89PNG\r\n\x1a\nnot really\n"),
            type="attachment",
            headers={"filename": "week.png", "content_type": "image/png"},
        )

        words = f"The week view scrolls back by itself {trace_id}"
        send(
            "feedback",
            {
                "event_id": event_id,
                "timestamp": 1_795_000_000.25,
                "contexts": {"feedback": {"message": words}},
            },
            event_id,
            screenshot,
        )

        record = of(inbox, event_id)
        assert (record["type"], record["text"]) == ("message", words)
        assert record["occurred_at"] == "2026-11-18T11:06:40.250Z"
        assert record["subject"]["attachments"] == [{"name": "week.png", "type": "image/png", "size": 19}]

    def test_user_report(self, client: sentry_sdk.Client, inbox: Inbox, trace_id: str) -> None:
        """A user's report on an error is a message of its own, which says what error it is about."""
        error = sentry_sdk.capture_message(f"Sync failed {trace_id}", level="error")
        report = {
            "event_id": error,
            "name": "Sven",
            "email": "sven@example.se",
            "comments": "Det gick sönder.",
        }
        assert error is not None

        send("user_report", report, error)

        (record,) = inbox.about(associated_event_id=error)
        assert (record["source"], record["type"], record["kind"]) == ("sentry", "message", "user_report")
        assert (record["title"], record["text"]) == ("Det gick sönder.", "Det gick sönder.")
        assert (record["author"]["name"], record["author"]["email"]) == ("Sven", "sven@example.se")
        assert of(inbox, error)["type"] == "alert"

    def test_without_words(self, client: sentry_sdk.Client, proxy: Lossy, inbox: Inbox) -> None:
        """Feedback of white space is dropped with a 200, as at Sentry."""
        event_id = sentry_sdk.capture_event({"contexts": {"feedback": {"message": " \n"}}})
        sentry_sdk.flush(timeout=20)

        assert proxy.statuses == [200]
        assert [record for record in inbox.newest() if record["external_id"] == event_id] == []


class TestEvents:
    @pytest.mark.parametrize(
        ("level", "severity"),
        [("fatal", 5), ("error", 4), ("warning", 3), ("info", 1), ("debug", 1)],
    )
    def test_message(
        self,
        client: sentry_sdk.Client,
        proxy: Lossy,
        inbox: Inbox,
        trace_id: str,
        level: Any,
        severity: int,
    ) -> None:
        """A message that a program sends is an open alert, as severe as its level says."""
        words = f"Kaart niet bijgewerkt — {trace_id}"

        event_id = sentry_sdk.capture_message(words, level=level)

        record = of(inbox, event_id)
        assert proxy.statuses == [200]
        assert (record["source"], record["type"], record["kind"]) == ("sentry", "alert", "event")
        assert (record["title"], record["text"]) == (words, words)
        assert (severity_of(record), record["status"]) == (severity, "open")
        assert record["author"] == {"id": "u-31", "name": "Marit", "email": "marit@example.org"}
        assert record["tags"] == ["area:planner", "platform:python", "sdk:sentry.python"]
        expected = {"environment": "rehearsal", "release": "decks@4.2.0", "event_id": event_id}
        assert expected.items() <= record["subject"].items()

    def test_exception(self, client: sentry_sdk.Client, inbox: Inbox, trace_id: str) -> None:
        """An exception is an alert named by its type and value, with the place it was raised at."""
        event_id = sentry_sdk.capture_exception(raised(trace_id))

        record = of(inbox, event_id)
        assert (record["type"], severity_of(record), record["status"]) == ("alert", ERROR, "open")
        assert record["title"] == f"LookupError: no deck {trace_id}"
        assert record["subject"]["culprit"] == f"{__name__} in find_deck"

    def test_same_error_again(self, client: sentry_sdk.Client, inbox: Inbox, trace_id: str) -> None:
        """The same exception from the same place is the same record, seen once more."""
        first = sentry_sdk.capture_exception(raised(trace_id))
        before = of(inbox, first)
        sentry_sdk.capture_exception(raised(trace_id))
        sentry_sdk.flush(timeout=20)

        (record,) = [record for record in inbox.newest() if trace_id in record["title"]]
        assert record["id"] == before["id"]
        assert (before["occurrences"], record["occurrences"]) == (1, 2)

    def test_same_event_id(
        self, client: sentry_sdk.Client, proxy: Lossy, inbox: Inbox, trace_id: str
    ) -> None:
        """The same event twice is one record, seen once."""
        event = {"event_id": uuid4().hex, "message": f"Twice the same {trace_id}", "level": "error"}

        for _ in range(2):
            sentry_sdk.capture_event(dict(event))
            sentry_sdk.flush(timeout=20)

        record = of(inbox, event["event_id"])
        assert proxy.statuses == [200, 200]
        assert record["occurrences"] == 1
        assert [event["type"] for event in inbox.events(record)] == ["received"]

    @pytest.mark.parametrize("compression", COMPRESSION)
    def test_compression(
        self, connect: Connect, proxy: Lossy, inbox: Inbox, trace_id: str, compression: str | None
    ) -> None:
        """Envelopes are read as they are, in gzip and in br, which the SDK picks when brotli is there."""
        connect(compression=compression)
        words = f"Lange tekst {trace_id} " + "met veel wóórden " * 500

        event_id = sentry_sdk.capture_event({"contexts": {"feedback": {"message": words}}})

        assert of(inbox, event_id)["text"] == words.strip()
        assert [headers.get("content-encoding") for headers in proxy.headers] == [compression]

    def test_address_below_the_dialect(
        self, made: dict[str, Any], through: Any, connect: Connect, proxy: Lossy, inbox: Inbox, trace_id: str
    ) -> None:
        """A DSN with /sentry_envelope before its number works too."""
        dsn, _, number = through(made["dsn"]).rpartition("/")
        connect(f"{dsn}/sentry_envelope/{number}")

        event_id = sentry_sdk.capture_message(f"By the long way {trace_id}")

        assert of(inbox, event_id)["source"] == "sentry"
        assert proxy.statuses == [200]

    def test_program_with_the_defaults(self, made: dict[str, Any], inbox: Inbox, trace_id: str) -> None:
        """A program that knows nothing but its DSN, and dies of an exception, is one alert."""
        program = "import sys, sentry_sdk; sentry_sdk.init(sys.argv[1]); raise ValueError(sys.argv[2])"
        command = [sys.executable, "-c", program, made["dsn"], trace_id]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

        assert f"ValueError: {trace_id}" in done.stderr
        (record,) = [record for record in inbox.newest() if trace_id in record["title"]]
        assert (record["title"], record["type"]) == (f"ValueError: {trace_id}", "alert")
        assert (severity_of(record), record["occurrences"]) == (ERROR, 1)
        assert record["subject"]["environment"] == "production"  # which the SDK assumes


class TestLimits:
    def test_spent_limit(
        self, server: Server, through: Any, connect: Connect, proxy: Lossy, inbox: Inbox, trace_id: str
    ) -> None:
        """When a hook's limit is spent the SDK is told for how long, and is silent until then."""
        made = new_hook(server, "sentry-dsn", "--rate-limit", "1/minute")
        client = connect(through(made["dsn"]), send_client_reports=False)
        assert client.transport is not None

        healthy = []
        for number in range(3):
            sentry_sdk.capture_message(f"Message {number} of {trace_id}")
            sentry_sdk.capture_event({"contexts": {"feedback": {"message": f"Feedback of {trace_id}"}}})
            sentry_sdk.flush(timeout=20)
            healthy.append(client.transport.is_healthy())

        assert healthy == [False, False, False]
        assert proxy.statuses == [200, 429]
        assert [record["title"] for record in inbox.newest() if trace_id in record["title"]] == [
            f"Message 0 of {trace_id}"
        ]
        answer = httpx.post(made["url"] + "/", content=b"{}\n", headers=key_of(made))
        assert answer.status_code == 429
        wait = answer.headers["retry-after"]
        assert re.fullmatch(r"[1-9]\d?", wait)
        assert answer.headers["x-sentry-rate-limits"] == f"{wait}:feedback;default;error:key"
        assert set(answer.json()) == {"detail"}

    @pytest.mark.long
    def test_limit_is_waited_for(
        self, server: Server, through: Any, connect: Connect, proxy: Lossy, inbox: Inbox, trace_id: str
    ) -> None:
        """Once the time is over that it was told, the SDK sends again and is let in."""
        made = new_hook(server, "sentry-dsn", "--rate-limit", "1/second")
        client = connect(through(made["dsn"]), send_client_reports=False)
        assert client.transport is not None
        deadline = time.monotonic() + 20
        while client.transport.is_healthy() and time.monotonic() < deadline:
            sentry_sdk.capture_message(f"Before {trace_id}")
            sentry_sdk.flush(timeout=20)
        assert 429 in proxy.statuses

        while not client.transport.is_healthy() and time.monotonic() < deadline:
            time.sleep(0.05)
        event_id = sentry_sdk.capture_message(f"After {trace_id}")

        assert of(inbox, event_id)["title"] == f"After {trace_id}"

    def test_too_large(self, connect: Connect, proxy: Lossy, inbox: Inbox, trace_id: str) -> None:
        """Of an envelope larger than other bodies, once decompressed, the words are kept."""
        connect()
        attachment = Item(PayloadRef(bytes=TOO_MUCH), type="attachment", headers={"filename": "week.bin"})
        words, event_id = f"With too much {trace_id}", uuid4().hex

        send("feedback", {"contexts": {"feedback": {"message": words}}}, event_id, attachment)
        after = sentry_sdk.capture_message(f"With less {trace_id}")

        assert of(inbox, after)["title"] == f"With less {trace_id}"
        assert proxy.statuses == [200, 200]
        assert of(inbox, event_id)["text"] == words
        assert of(inbox, event_id)["subject"]["attachments"] == [
            {"name": "week.bin", "type": "application/octet-stream", "size": len(TOO_MUCH)}
        ]

    @pytest.mark.parametrize("prefix", ["", "/sentry_envelope"])
    def test_too_large_is_told_as_sentry_does(
        self, server: Server, made: dict[str, Any], prefix: str
    ) -> None:
        """A 413 has its reason in `detail` and in X-Sentry-Error, and nothing that silences an SDK."""
        answer = httpx.post(
            f"{server.url}{prefix}{made['path']}/",
            content=gzip.compress(TOO_MUCH),
            headers={**key_of(made), "Content-Encoding": "gzip"},
        )

        assert answer.status_code == 413
        assert answer.json() == {"detail": answer.headers["x-sentry-error"]}
        assert not {"retry-after", "x-sentry-rate-limits"} & set(answer.headers)


class TestRefused:
    @pytest.mark.parametrize("wrong", ["key", "number"])
    def test_wrong_dsn(
        self,
        made: dict[str, Any],
        through: Any,
        connect: Connect,
        proxy: Lossy,
        inbox: Inbox,
        trace_id: str,
        wrong: str,
    ) -> None:
        """A key nobody was given, and a key with another project's number, are a 403; nothing is stored."""
        dsn, number = through(made["dsn"]), made["path"].split("/")[2]
        known = made["hook_id"]
        connect(dsn.replace(known, f"hk_{uuid4().hex}") if wrong == "key" else f"{dsn}{number}")

        sentry_sdk.capture_message(f"From a stranger {trace_id}")
        sentry_sdk.flush(timeout=20)

        assert proxy.statuses == [403, 403]  # the SDK reports its loss with the same DSN
        assert [record for record in inbox.newest() if trace_id in record["title"]] == []


def key_of(made: dict[str, Any]) -> dict[str, str]:
    """How Sentry's Python SDK shows the key of a DSN."""
    return {"X-Sentry-Auth": f"Sentry sentry_key={made['hook_id']}, sentry_version=7"}


def find_deck(name: str) -> None:
    raise LookupError(f"no deck {name}")


def raised(name: str) -> LookupError:
    """An exception that was raised and caught."""
    try:
        find_deck(name)
    except LookupError as error:
        return error
    raise AssertionError
