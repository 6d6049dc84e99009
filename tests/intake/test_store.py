"""What is kept: the record, its history with the raw payload, and what a repeated id changes."""

from __future__ import annotations

import json
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from peewee import OperationalError

from gateway.intake.store import TITLE_LENGTH, shorten
from models import TABLES, Dedupe, Event, Feedback
from models.database.base import close, database, writing
from models.database.sqlite import Sqlite
from models.tables.dedupe import forget_expired, take, taken
from models.tables.feedback import HIDDEN
from tests import remembered
from tests.conftest import Call, Tenant

pytestmark = pytest.mark.both

RATING = {"property": "rating", "value": ["good"], "trace_id": "t-1", "id": "01JFEEDBACK000000000000AAA"}
REMOVE = {"id": RATING["id"], "trace_id": "t-1", "product": "deployments"}
EVALUATION = {
    "id": RATING["id"],
    "trace_id": "t-1",
    "evaluation_type": "human_review",
    "human_review_id": "hr",
    "type": "number",
    "value": 3,
}


def history(call: Call, feedback_id: str) -> list[str]:
    events = call("GET", f"/gateway/v1/feedback/{feedback_id}/events").json
    assert events["next_cursor"] is None
    return [event["type"] for event in events["data"]]


def only(call: Call) -> Any:
    (record,) = call("GET", "/gateway/v1/feedback").json["data"]
    return record


@pytest.mark.usefixtures("app")
def test_durable_settings(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database syncs every commit and checks its references."""
    monkeypatch.setattr(Sqlite, "_connect", remembered.SYNCED)
    close()
    asked, expected = {
        "sqlite": ("PRAGMA {}", {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}),
        "postgres": ("SHOW {}", {"synchronous_commit": "on", "lock_timeout": "5s"}),
    }[kind]

    assert {name: database.execute_sql(asked.format(name)).fetchone()[0] for name in expected} == expected


def test_readable_at_once(call: Call) -> None:
    """The list made right after the answer has the record, as it was answered."""
    for n in range(20):
        answered = call("POST", "/gateway/v1/feedback", json={"text": f"Report {n} is empty"}).json

        assert call("GET", "/gateway/v1/feedback?limit=1").json["data"] == [answered]
        assert call("GET", f"/gateway/v1/feedback/{answered['id']}").json == answered


def test_every_field_of_the_record(call: Call, tenant: Tenant) -> None:
    """The record has the canonical fields, times in UTC with milliseconds, and the sender's words."""
    sent = {
        "text": "Paying by card fails\nsince this morning",
        "author": {"id": "u7", "email": "u7@example.test"},
        "subject": {"page": "/checkout", "release": "9.1"},
        "tags": ["vip"],
        "external_id": "zd-9",
        "occurred_at": "2026-04-09T12:30:00.250+02:00",
    }
    record = call("POST", "/gateway/v1/feedback", json=sent).json
    iso = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

    assert re.fullmatch(r"fb_[0-9A-HJKMNP-TV-Z]{26}", record["id"])
    assert (record["workspace_id"], record["project_id"]) == (tenant.workspace_id, tenant.project_id)
    assert (record["source"], record["type"], record["status"]) == ("native", "message", "open")
    assert (record["title"], record["text"]) == ("Paying by card fails", sent["text"])
    assert record["author"] == {"id": "u7", "name": None, "email": "u7@example.test"}
    assert record["subject"] == sent["subject"]
    assert (record["tags"], record["external_id"]) == (["vip"], "zd-9")
    assert record["occurred_at"] == record["first_seen_at"] == "2026-04-09T10:30:00.250Z"
    assert record["occurrences"] == 1
    assert record["impact"] == sum(reason["points"] for reason in record["impact_reasons"])
    assert {reason["part"] for reason in record["impact_reasons"]} == {
        "severity",
        "sentiment",
        "reach",
        "area",
    }
    assert iso.fullmatch(record["received_at"])
    assert record["resolved_at"] is None
    fields = {field for field in Feedback._meta.fields if not field.startswith("author_")}
    assert set(record) == fields - set(HIDDEN) | {"author"}


def test_raw_payload_is_kept(call: Call) -> None:
    """The body is kept byte for byte beside the record, with the door it came through."""
    body = b'{ "text" : "caf\xc3\xa9 \\ud83d",\n "subject": {} }'
    record = call("POST", "/gateway/v1/feedback", data=body, headers={"User-Agent": "probe/1"}).json
    event = call("GET", f"/gateway/v1/feedback/{record['id']}/events").json["data"][0]

    assert bytes(Event.get().payload) == body
    assert event["payload"] == body.decode()
    assert event["type"] == "received"
    assert event["detail"]["door"] == "POST /gateway/v1/feedback"
    assert event["detail"]["user_agent"] == "probe/1"
    assert event["detail"]["key_id"].startswith("key_")
    assert record["text"] == "café \ufffd"


def test_same_id_same_content(call: Call) -> None:
    """orq's id again with the same content is answered as the first time and changes nothing."""
    first = call("POST", "/v2/feedback", json=RATING)
    again = call("POST", "/v2/feedback", json={**RATING, "product": "deployments"})
    record = only(call)

    assert again.json == first.json
    assert record["external_id"] == RATING["id"]
    assert history(call, record["id"]) == ["received"]


def test_same_number_from_every_client(call: Call) -> None:
    """4 and 4.0 are the same content: Python's client sends every number as a float."""
    for value in (4.0, 4):
        assert call("POST", "/v2/feedback", json={**RATING, "value": value}).json["value"] == value

    assert history(call, only(call)["id"]) == ["received"]


def test_same_id_other_content(call: Call) -> None:
    """orq's id with other content updates the one record, relabels it and adds to its history."""
    call("POST", "/v2/feedback", json=RATING)
    before = only(call)
    call("POST", "/v2/feedback", json={**RATING, "value": ["bad"]})
    call("POST", "/v2/feedback", json=RATING)
    call("POST", "/v2/feedback", json={**RATING, "value": ["bad"]})
    after = only(call)

    assert (before["sentiment"], after["sentiment"]) == ("positive", "negative")
    assert (before["id"], before["received_at"]) == (after["id"], after["received_at"])
    assert after["subject"]["value"] == ["bad"]
    assert after["impact"] > before["impact"]
    assert after["updated_at"] >= before["updated_at"]
    assert history(call, after["id"]) == ["received", "updated", "updated", "updated"]


def test_removal(call: Call) -> None:
    """orq's removal marks the record as retracted, once; giving it again lets it stand again."""
    call("POST", "/v2/feedback", json=RATING)
    for _ in range(2):
        assert call("POST", "/v2/feedback/remove", json=REMOVE).json == REMOVE
    removed = only(call)
    call("POST", "/v2/feedback", json=RATING)
    again = only(call)

    assert (removed["status"], again["status"]) == ("ignored", "open")
    assert removed["retracted_at"] is not None
    assert again["retracted_at"] is None
    assert history(call, again["id"]) == ["received", "retracted", "updated"]


def test_removal_of_the_unknown(call: Call, other: Tenant) -> None:
    """Removing what is not here, or is another's, answers as always and changes nothing."""
    call("POST", "/v2/feedback", json=RATING)
    for headers, body in (({}, {**REMOVE, "id": "nope"}), (other.headers, REMOVE)):
        assert call("POST", "/v2/feedback/remove", json=body, headers=headers).json == body

    assert only(call)["retracted_at"] is None


def test_evaluations_are_apart(call: Call) -> None:
    """An evaluation is a record of its own, also when it has a feedback's id, and is removed apart."""
    call("POST", "/v2/feedback", json=RATING)
    call("POST", "/v2/feedback/evaluation", json=EVALUATION)
    call("POST", "/v2/feedback/evaluation/remove", json={"id": RATING["id"], "trace_id": "t-1"})
    records = call("GET", "/gateway/v1/feedback").json["data"]

    assert {record["kind"]: record["status"] for record in records} == {"rating": "open", "hr": "ignored"}


def test_ids_are_the_workspaces_own(call: Call, other: Tenant) -> None:
    """Another workspace may use the same id for its own feedback."""
    call("POST", "/v2/feedback", json=RATING)
    call("POST", "/v2/feedback", json={**RATING, "value": ["bad"]}, headers=other.headers)

    assert [row.sentiment for row in Feedback.select().order_by(Feedback.id)] == ["positive", "negative"]
    assert only(call)["sentiment"] == "positive"


def test_erased_record_stays_erased(call: Call) -> None:
    """A delivery of a record that is no longer there does not fail and does not bring it back."""
    call("POST", "/v2/feedback", json=RATING)
    Event.delete().execute()
    Feedback.delete().execute()

    assert call("POST", "/v2/feedback", json={**RATING, "value": ["bad"]}).status_code == 200
    assert Feedback.select().count() == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/feedback", {"kind": "bug", "summary": "s", "detail": "d"}),
        ("/v2/feedback", RATING),
        ("/v1/feedback", {"projectId": "p", "text": "hallo"}),
    ],
)
def test_busy_database(
    call: Call, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, object]
) -> None:
    """A database that cannot take the record now is a 503 with Retry-After, and nothing is half stored."""

    def busy(*args: object, **options: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("models.intake.beginnings.insert_all", busy)
    response = call("POST", path, json=body)

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "locked" not in response.text
    assert (Feedback.select().count(), Dedupe.select().count()) == (0, 0)


def test_writers_queue(tenant: Tenant) -> None:
    """Threads that write at once wait for each other instead of failing, and a failed one changes nothing."""
    failures: list[Exception] = []

    def write(n: int) -> None:
        try:
            with writing():
                take("ws", "test", str(n), now=0)
                if n % 2:
                    raise ValueError(n)
        except ValueError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(failures) == 10
    assert sorted(int(row.key) for row in Dedupe.select()) == list(range(0, 20, 2))


def test_expired_keys_are_forgotten(tenant: Tenant) -> None:
    """Expired keys are deleted, some at a time; the others and those without an end stay."""
    with writing():
        for n in range(10):
            take("ws", "test", str(n), now=0, expires_at=n + 1 if n < 8 else None)

        assert [forget_expired(5, most) for most in (3, 9, 9)] == [3, 2, 0]
    assert taken("ws", "test", "0") is None
    assert taken("ws", "test", "9") is not None


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  one line \n two", "one line"),
        ("x" * 500, "x" * (TITLE_LENGTH - 1) + "…"),
        ("word " * 100, "word " * 22 + "word…"),
        ("", ""),
    ],
)
def test_titles(text: str, title: str) -> None:
    """A title is the first line, cut at a word when it is long."""
    assert shorten(text) == title
    assert len(shorten(text)) <= TITLE_LENGTH


def test_schema_is_what_the_models_say(tenant: Tenant) -> None:
    """The migrations make the tables and columns that the models use."""
    for table in TABLES:
        meta = table._meta

        assert {column.name for column in database.get_columns(meta.table_name)} == set(meta.columns)


# As an index of a server is too narrow for a long text, so is this.
SPOILING = """CREATE TRIGGER narrow BEFORE INSERT ON feedback WHEN LENGTH(NEW.text) > 9000
    BEGIN SELECT json_extract('{', '$'); END"""


def test_what_cannot_be_stored_is_refused_alone(call: Call) -> None:
    """A record that the database fails at, for whatever reason of its own, is nobody else's trouble."""
    database.execute_sql(SPOILING if database.obj.EMBEDDED else "CREATE INDEX narrow ON feedback (text)")
    texts = [*(f"Report {number}" for number in range(5)), random.Random(5).randbytes(9000).hex()]
    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(lambda text: call("POST", "/gateway/v1/feedback", json={"text": text}), texts)
        codes = [answer.status_code for answer in answers]

    assert codes == [201] * 5 + [500]
    assert Feedback.select().count() == 5
    assert call("GET", "/readyz").status_code == 200


def test_documents_hold_no_unstorable_text(call: Call) -> None:
    """NUL and lone surrogates in names and values are stored as U+FFFD."""
    body = rb'{"text":"a\u0000b\ud800","subject":{"k\u0000":["\udfff"]},"tags":["t\u0000"]}'
    record = call("POST", "/gateway/v1/feedback", data=body).json

    assert record["text"] == "a\ufffdb\ufffd"
    assert record["subject"] == {"k\ufffd": ["\ufffd"]}
    assert record["tags"] == ["t\ufffd"]
    assert json.dumps(record)
